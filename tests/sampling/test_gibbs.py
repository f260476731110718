"""A Gibbs round: draws that move on with their neighbours', on two correlated Gaussian blocks."""

import numpy as np
import pytest

from fpho.sampling import gibbs_update
from tests.sampling.test_sampling import Gaussian

RHO = 0.8


class Same:
    """A transform that leaves z as it is."""

    def transform(self, z):
        return z


class Block(Gaussian):
    """Three unit normals, each correlated by RHO with a neighbour's at `at`; counts, and can fail."""

    calls, fail_after = 0, None

    def __init__(self, at):
        self.ndim, self.mean, self.precision = 3, RHO * np.asarray(at), np.eye(3) / (1 - RHO**2)

    def lnprob_and_grad(self, z):
        Block.calls += 1
        if Block.fail_after and Block.calls > Block.fail_after:
            raise KeyboardInterrupt
        pull = self.precision @ (z - self.mean)
        return -0.5 * float(pull @ (z - self.mean)), -pull

    def lnprob(self, z):
        return self.lnprob_and_grad(z)[0]

    transform = Same()


class Given:
    """The block given the neighbours' draw of that number."""

    def __init__(self, draws):
        self.draws = draws

    def __call__(self, chain, draw):
        return Block(self.draws[chain, draw])


def moved(checkpoint="", cores=1, n=400):
    rng = np.random.default_rng(1)
    neighbours = rng.standard_normal((4, n, 3))
    starts = np.sqrt(1 - RHO**2) * rng.standard_normal((4, n, 3))  # with the neighbours fixed at 0
    return gibbs_update(
        Block(np.zeros(3)), Given(neighbours), starts, np.eye(3) * (1 - RHO**2), 1,
        seed=np.random.SeedSequence(5), cores=cores, checkpoint=checkpoint, checkpoint_seconds=1e-9,
    ), neighbours  # fmt: skip


def test_widths_become_those_of_the_joint_posterior():
    """From 0.6 to 1, and correlated with the neighbours as they should be."""
    out, neighbours = moved()
    flat, others = out.z.reshape(-1, 3), neighbours.reshape(-1, 3)
    assert np.allclose(flat.std(axis=0), 1, atol=0.06)
    for k in range(3):
        assert np.corrcoef(flat[:, k], others[:, k])[0, 1] == pytest.approx(RHO, abs=0.05)
    assert out.summary.round_widening == pytest.approx(1 / 0.6, abs=0.15)
    assert out.summary.divergences == 0 and out.ncall_warmup < 0.2 * out.ncall


def test_same_draws_from_several_processes_and_after_an_interruption(tmp_path):
    whole, _ = moved(n=60)
    assert np.array_equal(moved(cores=2, n=60)[0].z, whole.z)
    Block.calls, Block.fail_after = 0, whole.ncall // 2
    with pytest.raises(KeyboardInterrupt):
        moved(str(tmp_path / "part"), n=60)
    Block.fail_after = None
    assert list(tmp_path.iterdir())
    assert np.array_equal(moved(str(tmp_path / "part"), n=60)[0].z, whole.z)
    assert not list(tmp_path.iterdir())
