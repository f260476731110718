"""Bad inputs stop a run before any fit, with one message that names the file and the cure."""

import shutil
from pathlib import Path

import pytest
import yaml
from astropy.io import fits
from astropy.table import Table

from fpho.cli import main
from fpho.config import make_config
from fpho.layout import Layout
from fpho.stages.running import run_stage
from tests.workflow.running import fpho, planned, snakemake

IN = "in; 'é' $(touch executed)"  # a name that a shell would take apart, and execute


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """Inputs of the tiny scene: tables, images, PSFs, catalog."""
    layout = Layout(tmp_path_factory.mktemp("drawn"))
    run_stage("simulate", make_config({"simulate": {"scene": "tiny"}}), layout)
    return layout.simulation


@pytest.fixture
def folder(drawn, tmp_path) -> Path:
    """A user's folder: those inputs as the user's own, and a configuration `my.yaml`."""
    shutil.copytree(drawn, tmp_path / IN)
    paths = {
        "images": f"{IN}/exposures.tsv",
        "psfs": f"{IN}/psfs.tsv",
        "catalog": {"path": f"{IN}/catalog.fits"},
    }
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"outdir": "out", **paths}))
    return tmp_path


def edit_table(path, change):
    rows = path.read_text().splitlines()
    path.write_text("\n".join(change(rows)) + "\n")


def no_image(folder):
    (folder / IN / "images/F125W_1.fits").unlink()


def no_table(folder):
    (folder / IN / "exposures.tsv").unlink()


def band_without_psf(folder):
    edit_table(folder / IN / "psfs.tsv", lambda rows: [row for row in rows if not row.startswith("F125W\t")])


def no_overlap(folder):
    with fits.open(folder / IN / "images/F814W_1.fits", mode="update") as file:
        for hdu in file:
            if "CRVAL1" in hdu.header:
                hdu.header["CRVAL1"] += 1.0


def catalog_without_column(folder):
    path = folder / IN / "catalog.fits"
    table = Table.read(path, hdu=1)
    table.remove_column("dec")
    table.write(path, overwrite=True)


def unknown_option(folder):
    (folder / "my.yaml").write_text((folder / "my.yaml").read_text() + "sampel: {warmup: 3}\n")


def unsaid_convention(folder):
    path = folder / IN / "catalog.fits"
    table = Table.read(path, hdu=1)
    del table.meta["CONVENT"]
    for name in ("axis_ratio", "position_angle"):
        if name in table.colnames:
            table.remove_column(name)
    table.write(path, overwrite=True)


BREAKAGES = {
    no_image: ["F125W_1.fits"],
    no_table: ["exposures.tsv", "no such"],
    band_without_psf: ["psfs.tsv", "F125W"],
    no_overlap: ["F814W_1", "overlap"],
    catalog_without_column: ["catalog.fits", "no column 'dec'"],
    unknown_option: ["sampel", "Did you mean 'sample'?"],
    unsaid_convention: ["catalog.fits", "catalog.convention", "documented", "internal"],
}


def test_good_inputs_pass(folder):
    done = fpho(folder, "check", "--config", "my.yaml")
    assert done.returncode == 0, done.text
    assert (folder / "out/inputs.json").is_file()


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda function: function.__name__)
def test_bad_inputs_are_named(folder, breakage, capsys, monkeypatch):
    breakage(folder)
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as stop:
        main(["check", "--config", "my.yaml"])
    assert stop.value.code == 2
    messages = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fpho: ")]
    assert len(messages) == 1
    for word in BREAKAGES[breakage]:
        assert word in messages[0]
    assert not (folder / "out").exists(), "nothing may be written"


@pytest.mark.parametrize("breakage", [no_image, no_table, unknown_option], ids=lambda f: f.__name__)
def test_snakemake_stops_before_any_fit(folder, breakage):
    breakage(folder)
    done = snakemake(folder, config=folder / "my.yaml")
    assert done.returncode != 0
    for word in BREAKAGES[breakage]:
        assert word in done.text
    made = {path.name for path in (folder / "out").rglob("*") if path.is_file()}
    assert made <= {"check.log", "check.tsv"}


def test_inputs_that_are_only_touched_rerun_nothing(folder):
    assert snakemake(folder, "check", config=folder / "my.yaml").returncode == 0
    for path in (folder / IN).rglob("*.*"):
        path.touch()
    again = snakemake(folder, "check", config=folder / "my.yaml")
    assert "Nothing to be done" in again.text, again.text
    with fits.open(folder / IN / "images/F814W_1.fits", mode="update") as file:
        file["SCI"].data[3, 3] += 1.0
    changed = snakemake(folder, "-n", "check", config=folder / "my.yaml")
    assert planned(changed.text) == {"check": 1}, changed.text


def test_a_failing_check_keeps_what_was_there(folder):
    assert snakemake(folder, "settings", config=folder / "my.yaml").returncode == 0
    kept = {path: path.read_bytes() for path in (folder / "out").glob("*.*")}
    names = ("inputs.json", "config.yaml", "config.json")
    assert {path.name for path in kept} == {*names, *(f".{name}.seal" for name in names)}
    no_image(folder)
    assert snakemake(folder, config=folder / "my.yaml").returncode != 0
    assert {path: path.read_bytes() for path in kept} == kept


@pytest.mark.parametrize("option", ["outdir=out {x}", "background={tweakbg: 'sky {x}.tsv'}"])
def test_braces_in_names_are_refused(folder, option):
    """Snakemake would take them for wildcards, and there is no other way to write them."""
    (folder / "sky {x}.tsv").touch()
    done = snakemake(folder, "-n", "--config", option, config=folder / "my.yaml")
    assert done.returncode != 0
    assert "{x}" in done.text and "the name has braces" in done.text
