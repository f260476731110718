"""The configuration is read as a user means it, from YAML and from Snakemake's command line."""

from pathlib import Path

import pytest
import yaml

from fpho.config import Config, default_yaml, dump_config, json_schema, load_config, make_config, values_of
from fpho.errors import InputError
from fpho.layout import Layout
from fpho.stages.running import run_stage
from tests.conftest import TOP


@pytest.mark.parametrize("text", [default_yaml(), dump_config(Config())])
def test_what_is_written_is_read_back(text, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert load_config(path) == Config()


def test_on_and_off_are_words(tmp_path):
    """YAML 1.1 reads unquoted `on` and `off` as booleans; here they are an option's name and value."""
    path = tmp_path / "config.yaml"
    path.write_text("sample:\n  on: mosaic\nbackground: {mode: off}")
    for config in (load_config(path), make_config(yaml.safe_load(path.read_text()))):
        assert config.sample.on == "mosaic"
        assert config.background.mode == "off"


def test_overrides_win(tmp_path, monkeypatch):
    monkeypatch.setenv("SOMEWHERE", "/data")
    path = tmp_path / "config.yaml"
    path.write_text("images: $SOMEWHERE/images.tsv\nsample: {warmup: 10, chains: 3}")
    config = load_config(path, ["sample.warmup=20", "bounds.rhalf_range=[0.1, 2]"])
    assert (config.sample.warmup, config.sample.chains) == (20, 3)
    assert config.bounds.rhalf_range == (0.1, 2.0)
    assert config.images == "/data/images.tsv"
    assert make_config({"sample.warmup": "20"}).sample.warmup == 20


def test_unknown_options_name_the_nearest():
    with pytest.raises(InputError, match=r"unknown option 'sample.chain'.*'sample.chains'"):
        make_config({"sample": {"chain": 2}})


def test_the_schema_of_the_workflow_is_that_of_the_configuration():
    """Write it again with `fpho config --schema > workflow/schemas/config.schema.json`."""
    assert (TOP / "workflow/schemas/config.schema.json").read_text() == json_schema()


@pytest.mark.parametrize("path", sorted((TOP / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configurations_are_valid(path):
    load_config(path)


def test_the_record_of_a_run_reads_back(tmp_path):
    """Also where a job gives it the options as plain values, as the workflow does."""
    config = make_config({"outdir": str(tmp_path / "Größe"), "sample.warmup": 32, "bounds.dpos": 1e-5})
    layout = Layout(Path(config.outdir))
    written = []
    for options in (config, values_of(config)):
        run_stage("settings", options, layout)
        assert load_config(layout.config) == config
        assert Config.model_validate_json(layout.config_json.read_text(encoding="utf-8")) == config
        written.append(layout.config.read_bytes() + layout.config_json.read_bytes())
    assert written[0] == written[1]
