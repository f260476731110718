"""A stage sees the options that it declared, and no others."""

import pickle

import pytest

from fpho.config import ALL, Config, UndeclaredOption, declared, make_config, view


@pytest.fixture
def some():
    config = make_config({"sample": {"warmup": 7}, "seed": 3})
    return view(config, ("sample", "psf.center", "bounds.rhalf_range"), free=("workflow", "optimize.on"))


def test_declared_options_are_read_as_ever(some):
    assert some.sample.warmup == 7
    assert some.psf.center == "auto"
    assert some.bounds.rhalf_range == (0.01, 10.0)
    assert some.workflow.batches == 1
    assert some.optimize.on == "mosaic"


@pytest.mark.parametrize(
    "name", ["seed", "psf.interpolation", "detect.enabled", "bounds.held", "optimize.gtol"]
)
def test_an_undeclared_option_raises(some, name):
    value = some
    with pytest.raises(UndeclaredOption, match=name.replace(".", r"\.").split(r"\.")[0]):
        for part in name.split("."):
            value = getattr(value, part)


def test_an_unknown_option_is_no_option(some):
    with pytest.raises(AttributeError):
        _ = some.sampel


def test_results_depend_on_declared_options_alone(some):
    assert set(declared(some)) == {"sample", "psf.center", "bounds.rhalf_range"}
    assert declared(some)["sample"]["warmup"] == 7
    assert set(declared(Config())) == set(Config.model_fields)


def test_a_view_goes_to_other_processes(some):
    there = pickle.loads(pickle.dumps(some))
    assert there.sample == some.sample
    with pytest.raises(UndeclaredOption):
        _ = there.seed


def test_the_record_beside_results_is_whole(some):
    assert Config.model_validate_json(some.model_dump_json()).seed == 3


def test_a_view_can_be_narrowed(some):
    less = view(some, ("sample.warmup",))
    assert less.sample.warmup == 7
    with pytest.raises(UndeclaredOption):
        _ = less.sample.chains
    assert view(Config(), ALL) == Config()
