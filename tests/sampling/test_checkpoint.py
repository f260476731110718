"""Check-points: what comes back is what went in, damage is seen, and nothing in them can be executed."""

import hashlib
import io
import pickle

import numpy as np
import pytest
from littlemcmc.quadpotential import QuadPotentialFullAdapt

from fpho.sampling import checkpoint


def state():
    potential = QuadPotentialFullAdapt(2, np.zeros(2), np.eye(2), 5.0, 9, dtype="float64")
    for sample in np.random.default_rng(0).normal(size=(12, 2)):
        potential.update(sample, None, True)
    generator = np.random.default_rng(3).bit_generator.state
    numbers = {"a": np.float64(0.1) + 0.2, "b": 1e-300, "c": -np.inf, "n": 2**100, "none": None}
    return {
        "potential": potential,
        "generators": (generator, np.random.RandomState(1).get_state()),
        "numbers": numbers,
        "stats": [(True, 3, 0.5), (False, 4, 1 / 3)],
        "draws": np.random.default_rng(1).normal(size=(7, 2)),
    }


def test_all_comes_back_bit_for_bit(tmp_path):
    before = state()
    checkpoint.write(tmp_path / "a.0", before)
    after = checkpoint.read(tmp_path / "a.0")
    assert [after[name] for name in ("numbers", "stats")] == [before[name] for name in ("numbers", "stats")]
    assert type(after["numbers"]["a"]) is np.float64 and type(after["stats"][0]) is tuple
    assert np.array_equal(after["draws"], before["draws"])
    assert after["generators"][0] == before["generators"][0]
    one, two = np.random.RandomState(2), np.random.RandomState(1)
    one.set_state(after["generators"][1])
    assert one.normal() == two.normal()
    for both in (before, after):  # the metric goes on as if nothing had been
        for sample in np.random.default_rng(5).normal(size=(12, 2)):
            both["potential"].update(sample, None, True)
    assert np.array_equal(before["potential"]._cov, after["potential"]._cov)
    assert np.array_equal(before["potential"]._chol, after["potential"]._chol)


def test_damage_is_seen(tmp_path, caplog):
    path = tmp_path / "a.0"
    checkpoint.write(path, state())
    good = path.read_bytes()
    spoilt = [b"", good[:50], good[:-1], good + b"x"]
    for at in np.linspace(0, len(good) - 1, 60).astype(int):
        spoilt.append(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    for content in spoilt:
        path.write_bytes(content)
        assert checkpoint.read(path) is None
    assert len(caplog.records) == len(spoilt) and "a.0 is not used" in caplog.text
    assert checkpoint.read(tmp_path / "none") is None


class Dangerous:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def test_nothing_is_executed(tmp_path):
    """Neither a pickle in the file's place, nor one in an array of it, nor a class that is not known."""
    path = tmp_path / "a.0"
    path.write_bytes(pickle.dumps(Dangerous()))
    assert checkpoint.read(path) is None
    content = io.BytesIO()
    np.savez(content, tree=np.frombuffer(b'{"array": "a0"}', "u1"), a0=np.array([Dangerous()], object))
    path.write_bytes(hashlib.sha256(content.getvalue()).hexdigest().encode() + content.getvalue())
    assert checkpoint.read(path) is None
    with pytest.raises(TypeError, match="can't hold a Dangerous"):
        checkpoint.write(path, {"x": Dangerous()})
