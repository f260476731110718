"""A bad day in short: `benchmarks/chaos.py` on a pass with stand-ins for the fits, a moment of each kind."""

import importlib.util

import pytest

from tests.conftest import TOP


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("chaos", TOP / "benchmarks" / "chaos.py")
    chaos = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(chaos)
    chaos.STAND_IN = chaos.STAND_IN.replace("toy.slow", "toy.brisk")
    return chaos.Trials(chaos.StandIn(), tmp_path_factory.mktemp("chaos") / "run", seed=3)


@pytest.mark.parametrize("kind", ["job", "worker", "group", "disk"])
def test_one_ordinary_command_goes_on(trials, kind):
    """Bit for bit, with no process and no file left over."""
    met = {"disk": "stopped", "worker": "met a worker"}.get(kind, "met it")
    for _ in range(4):  # a moment may come too late
        if not trials.found[kind, met]:
            trials.disk(kind) if kind == "disk" else trials.killed(kind)
    assert trials.found[kind, met] and trials.found[kind, "as before"], trials.found
    assert trials.found[kind, "WRONG"] == 0
