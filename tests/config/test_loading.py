"""Configurations that cannot be meant are refused where they are read, with the option's name."""

import os
from itertools import pairwise

import pytest

from fpho.config import Config, load_config, make_config
from fpho.errors import InputError

BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + last] * 8)}]\n" for last, name in pairwise("abcdefgh")
)


def loaded(tmp_path, text, *overrides):
    path = tmp_path / "my.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config(path, overrides)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: 1\nseed: 2", "'seed' stands twice in the section that begins in line 1"),
        ("sample:\n  chains: 2\n  chains: 3", "'chains' stands twice"),
        ("a: &a [*a]", "write out to more than"),
        (BOMB, "write out"),
        ("[" * 5000, "nested too deeply"),
        ("seed: [1", "not valid YAML"),
        ("seed: !!python/object:os.system 1", "not valid YAML"),
        ("- a\n- b", "not a mapping"),
        (b"outdir: b\xfccher", "UTF-8"),
        (b"outdir: a\0b", "zero bytes"),
        ('outdir: "a\\nb"', "not printable"),
        ("1: 2", "my.yaml"),
        ("sample: {1: 2}", "sample"),
        ("images: $FPHO_NOWHERE/a.tsv", "FPHO_NOWHERE is not set"),
        ("images: ${FPHO_NOWHERE}/a.tsv", "FPHO_NOWHERE is not set"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_meant(tmp_path, text, words):
    with pytest.raises(InputError, match=words) as stop:
        loaded(tmp_path, text)
    assert "my.yaml" in stop.value.where and stop.value.cure


def test_who_has_an_option_that_is_gone_is_told_what_to_do():
    for overrides in ((), ["workflow.max_colours=3"]):
        with pytest.raises(InputError, match=r"'workflow.max_colours'. Leave it out: .*workflow.job_seconds"):
            make_config({} if overrides else {"workflow": {"max_colours": 3}}, overrides)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("preprocess.noise_scale", value) for value in (0, -1, ".nan", ".inf", "1e300")),
        *(("bounds.rhalf_range", value) for value in ("[2, 1]", "[1, 1]", "[0, 1]", "[.nan, 1]", "[1]", "1")),
        *(("bounds.sqrtq_range", value) for value in ("[0.1, 1.1]", "[0, 1]")),
        *(("bands", value) for value in ("[g, g]", "[ra]", "['a/b']", "[g, g_err]", "g", "[1]", "[no]")),
        *(("catalog.flux_columns", value) for value in ("'{filter}'", "'{'", "'{band.__class__}'", "''")),
        *(("outdir", value) for value in ("''", "null", "3", "[a]")),
        *(("seed", value) for value in (-1, 1.5, "a", 2**64)),
        *(("optimize.gtol", value) for value in (".nan", 0, "a")),
        *(("calibrate.pixel_scale", value) for value in ("[0.05, -1]", "[0.05]")),
        ("inject.size_bins", "[1, 0.5]"),
        ("postprocess.percentiles", "[50, 120]"),
        ("optimize.use_gradients", "false"),
        ("patches.patch_minradius", "100"),
        ("catalog.columns", "{ra: 3}"),
        ("workflow.batches", "1000000000"),
    ],
)  # fmt: skip
def test_values_that_cannot_be_are_refused(option, value):
    with pytest.raises(InputError) as stop:
        make_config({}, [f"{option}={value}"])
    assert option.split(".")[0] in str(stop.value)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "sampel.chains=2",
            "sample.chain=2",
            "nothing=1",
            "sample.chains.more=1",
            "seed",
            "seed={",
            "=1",
            ".=1",
        ),
        *("seed.=1", "sample..chains=1"),
    ],
)
def test_overrides_of_what_is_not_there(text):
    with pytest.raises(InputError):
        make_config({}, [text])


def test_options_that_contradict_each_other():
    with pytest.raises(InputError, match=r"detect.bands names r"):
        make_config({"bands": ["g"], "detect": {"bands": ["r"]}})
    with pytest.raises(InputError, match=r"simulate\.scene draws images"):
        make_config({"simulate": {"scene": "tiny"}, "images": "mine.tsv"})


def test_what_is_fine(tmp_path):
    """Empty sections, anchors and merges, a byte order mark, numbers as 1e-3, variables that are set."""
    text = "\ufeffsample:\nbase: &base {chains: 3, warmup: 9}\n"
    with pytest.raises(InputError, match="unknown option 'base'"):
        loaded(tmp_path, text)
    text = "sample: &s {chains: 3}\noptimize:\n  gtol: 1e-3\npatches:\nbands: [y, Y, Hα]\noutdir: $HOME/x y"
    config = loaded(tmp_path, text.encode("utf-8-sig"), "sample.warmup=7")
    assert (config.sample.chains, config.sample.warmup, config.optimize.gtol) == (3, 7, 1e-3)
    assert config.patches == Config().patches and config.bands == ["y", "Y", "Hα"]
    assert config.outdir == os.environ["HOME"] + "/x y"
    assert loaded(tmp_path, "") == Config()
    assert loaded(tmp_path, "sample:\n  <<: {chains: 2}\n  chains: 5").sample.chains == 5


def test_messages_say_the_option_and_the_reason_alone():
    with pytest.raises(InputError) as stop:
        make_config({"preprocess": {"noise_scale": 0}, "optimize": {"use_gradients": False}})
    assert "preprocess.noise_scale = 0: Input should be" in stop.value.found
    assert "optimize: use_gradients: false and add_barriers: true need method: bfgs" in stop.value.found
    assert (
        "float" not in stop.value.found.replace("Input should", "") and "Value error" not in stop.value.found
    )
