"""Profiles of clusters, as Snakemake reads them: the workflow's default one comes after them."""

import pytest
import yaml
from snakemake.cli import parse_args

from fpho.codehash import ROOT

TOP = ROOT.parent.parent
CLUSTERS = ("slurm", "generic")
PLUGINS = ("executor", "slurm-", "cluster-generic-")  # keys of what need not be installed


def asked(profile: str) -> dict:
    return yaml.safe_load((TOP / "profiles" / profile / "config.yaml").read_text())


@pytest.mark.parametrize("profile", CLUSTERS)
def test_a_cluster_gets_what_its_profile_says(profile, tmp_path):
    """Retries were none, and one job at a time had a graphics card: the default profile said so."""
    own = {key: value for key, value in asked(profile).items() if not key.startswith(PLUGINS)}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(own))
    arguments = ["--snakefile", str(TOP / "Snakefile"), "--profile", str(tmp_path)]
    options, wanted = parse_args(arguments)[1], asked(profile)
    assert options.retries == wanted["retries"] >= 2
    assert options.resources["gpu"].value == wanted["resources"]["gpu"] > 1
    assert options.jobs == wanted["jobs"]
    assert options.keep_going and options.rerun_incomplete
    assert {str(name).lower().replace("_", "-") for name in options.shared_fs_usage} >= {"input-output"}


@pytest.mark.parametrize("profile", CLUSTERS)
def test_the_default_profile_contradicts_no_other(profile):
    other = asked(profile)
    assert {
        key: value for key, value in asked("default").items() if key in other and other[key] != value
    } == {}
