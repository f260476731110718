"""The sampler on targets with known answers, its resumption, and its diagnostics against ArviZ."""

import warnings

import numpy as np
import pytest

from fpho.errors import InputError
from fpho.flags import Flag
from fpho.sampling import run_lmc
from fpho.sampling.diagnostics import bulk_ess, rhat, tail_ess
from fpho.sampling.rules import Limits


class Gaussian:
    """A correlated Gaussian; counts its evaluations, and can fail after some."""

    def __init__(self, n=8, seed=0, fail_after=None):
        rng = np.random.default_rng(seed)
        self.ndim, self.mean = n, rng.normal(0, 3, n)
        root = rng.normal(0, 1, (n, n)) / np.sqrt(n) + np.diag(rng.uniform(0.1, 2, n))
        self.cov = root @ root.T
        self.precision = np.linalg.inv(self.cov)
        self.ncall, self.fail_after = 0, fail_after

    def lnprob_and_grad(self, z):
        self.ncall += 1
        if self.fail_after and self.ncall > self.fail_after:
            raise KeyboardInterrupt
        pull = self.precision @ (z - self.mean)
        return -0.5 * float(pull @ (z - self.mean)), -pull

    def fisher(self, z):
        return self.precision

    plan = property(lambda self: self)
    linear = property(lambda self: np.zeros(self.ndim, bool))
    rows = property(lambda self: np.zeros(0, [("id", "U8")]))

    def names(self):
        return [(-1, f"x{i}") for i in range(self.ndim)]


@pytest.mark.parametrize("sampler", ["surrogate", "split", "littlemcmc"])
def test_gaussian_is_recovered_cheaply(sampler):
    """With the static metric: mean and covariance right, and the efficiency of near-Gaussian targets."""
    model = Gaussian(20)
    out, _, stats = run_lmc(model, model.mean, n_draws=1000, seed=3, sampler=sampler)
    flat = out.z.reshape(-1, 20)
    sd = np.sqrt(np.diag(model.cov))
    assert np.abs((flat.mean(0) - model.mean) / sd).max() < 0.1
    assert np.abs(flat.std(0) / sd - 1).max() < 0.08
    assert out.summary.accepted and out.flags == 0
    draws_g = out.ncall - out.ncall_warmup
    assert 1000 * out.summary.min_bulk_ess / draws_g > 200
    assert 1000 * out.summary.min_tail_ess / draws_g > 65
    assert out.ncall_warmup / 4 < 800
    assert stats["energy"].shape == (4, 1000)


def test_starts_far_from_the_optimum():
    model = Gaussian()
    out, _, _ = run_lmc(model, model.mean + 50, n_draws=300, seed=3)
    assert np.allclose(out.optimum_z, model.mean, atol=1e-3)
    assert out.summary.max_rhat < 1.02


def test_seeds():
    model = Gaussian()
    first, second, other = (run_lmc(model, model.mean, n_draws=40, seed=s)[0].z for s in (5, 5, 6))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_global_generator_is_left_alone():
    np.random.seed(1)  # noqa: NPY002
    expected = np.random.random(3)  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    run_lmc(Gaussian(3), np.zeros(3), n_draws=10, seed=2)
    assert np.array_equal(np.random.random(3), expected)  # noqa: NPY002


def test_processes_give_the_same_draws():
    model = Gaussian(4)
    one, two = (run_lmc(model, model.mean, n_draws=30, seed=5, cores=c)[0].z for c in (1, 2))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("fail_after", [200, 400, 700])
def test_interrupted_run_is_resumed_bit_for_bit(tmp_path, fail_after, sampler="split"):
    """Killed while learning or in a warm-up, in a chain, or in an extension: the same draws in the end."""
    options = {"n_draws": 60, "warmup": 30, "seed": 9, "sampler": sampler}
    options["limits"] = Limits(min_ess=500, max_extensions=2)
    whole, _, _ = run_lmc(Gaussian(), np.zeros(8), **options)
    stem = str(tmp_path / "chain")
    kept = {"checkpoint": stem, "checkpoint_seconds": 0.0}  # after every draw: no race with the clock
    with pytest.raises(KeyboardInterrupt):
        run_lmc(Gaussian(fail_after=fail_after), np.zeros(8), **options, **kept)
    begun = list(tmp_path.iterdir())
    model = Gaussian()
    resumed, _, stats = run_lmc(model, np.zeros(8), **options, **kept)
    assert np.array_equal(whole.z, resumed.z)
    assert all(np.array_equal(whole.stats[name], stats[name]) for name in stats)
    assert resumed.ncall == whole.ncall
    assert not begun or model.ncall < whole.ncall
    assert whole.settings.extensions > 0


class Stiff(Gaussian):
    """A target far narrower than its Gaussian picture: each draw takes some 70 steps."""

    def fisher(self, z):
        return self.precision / 1e3


def test_a_patch_ends_when_its_evaluations_are_spent():
    """The same chains stop, with the same bits on one core and two; the draws are kept, and flagged."""
    options = {"n_draws": 100, "seed": 2, "sampler": "split"}
    limits = Limits(min_ess=1e6, max_extensions=3, evaluations=12000)
    out, again = (run_lmc(Stiff(4), Stiff(4).mean, limits=limits, cores=c, **options)[0] for c in (1, 2))
    assert out.settings.budget_spent and out.flags & Flag.NOT_CONVERGED
    assert 48000 <= out.ncall < 48000 + 64 * 300 and 4 * 16 <= out.n_draws < 400
    assert np.array_equal(out.z, again.z) and out.z.shape[1] == out.stats["energy"].shape[1]
    model = Stiff(4)
    sd = np.sqrt(np.diag(model.cov))
    assert np.abs((out.z.reshape(-1, 4).mean(axis=0) - model.mean) / sd).max() < 1
    whole, _, _ = run_lmc(Gaussian(4), Gaussian(4).mean, limits=Limits(max_extensions=0), **options)
    assert not whole.settings.budget_spent and whole.n_draws == 400


def test_budget_of_a_patch_is_the_same_after_an_interruption(tmp_path):
    limits = Limits(min_ess=1e6, max_extensions=3, evaluations=12000)
    options = {"n_draws": 100, "seed": 2, "sampler": "split", "limits": limits}
    whole, _, _ = run_lmc(Stiff(4), np.zeros(4), **options)
    kept = {"checkpoint": str(tmp_path / "chain"), "checkpoint_seconds": 0.0}
    with pytest.raises(KeyboardInterrupt):
        run_lmc(Stiff(4, fail_after=whole.ncall // 2), np.zeros(4), **options, **kept)
    resumed, _, _ = run_lmc(Stiff(4), np.zeros(4), **options, **kept)
    assert np.array_equal(whole.z, resumed.z) and resumed.ncall == whole.ncall


class Skewed(Gaussian):
    """A target whose Gaussian picture is far too narrow: the metric must be learned in an extension."""

    def fisher(self, z):
        return 400 * self.precision


def test_bad_metric_is_replaced_or_flagged():
    model = Skewed(6)
    limits = Limits(min_ess=300, max_extensions=3, evaluations=1e6)  # steps are short until it is
    out, _, _ = run_lmc(model, model.mean, n_draws=100, seed=1, max_treedepth=5, limits=limits)
    assert out.settings.extensions > 0 and out.summary.accepted
    flat = out.z.reshape(-1, 6)
    assert np.abs(flat.std(0) / np.sqrt(np.diag(model.cov)) - 1).max() < 0.25
    short, _, _ = run_lmc(model, model.mean, n_draws=20, seed=1, max_treedepth=3)
    assert short.flags


class Banana(Gaussian):
    """x ~ N(0, 1) and y ~ N(x^2 / 2, 1/2): skewed, with known moments; its Gaussian picture is that at 0."""

    def __init__(self):
        super().__init__(2)
        self.precision = np.diag([1.0, 4.0])

    def lnprob_and_grad(self, z):
        x, y = z
        off = y - 0.5 * x * x
        return -0.5 * x * x - 2 * off * off, np.array([-x + 4 * off * x, -4 * off])


@pytest.mark.parametrize("sampler", ["surrogate", "split"])
def test_skewed_target_has_its_moments(sampler):
    """Moments of a target whose Gaussian picture is wrong; 4 standard errors of 1000 effective draws."""
    limits = Limits(min_ess=1000, max_extensions=4, evaluations=1e6)  # its far ends are stiff
    out, _, _ = run_lmc(Banana(), np.zeros(2), n_draws=800, seed=4, limits=limits, sampler=sampler)
    x, y = out.z.reshape(-1, 2).T
    assert out.summary.accepted
    assert abs(x.mean()) < 0.13 and abs(x.std() - 1) < 0.1
    assert abs(y.mean() - 0.5) < 0.11 and abs(y.std() - np.sqrt(0.75)) < 0.15
    assert abs(np.mean(x > 1.645) - 0.05) < 0.028


def test_unknown_sampler_stops():
    with pytest.raises(InputError, match="gibbs"):
        run_lmc(Gaussian(3), np.zeros(3), sampler="gibbs")


def test_adaptation_from_the_unit_matrix():
    model = Gaussian(6)
    out, _, _ = run_lmc(model, model.mean, n_draws=400, warmup=400, adapt=True, seed=1)
    assert np.abs(out.z.reshape(-1, 6).std(0) / np.sqrt(np.diag(model.cov)) - 1).max() < 0.15


def test_nutpie_agrees():
    model = Gaussian()
    out, step, _ = run_lmc(model, model.mean, n_draws=400, warmup=100, sampler="nutpie", seed=1)
    assert step is None and out.z.shape == (4, 400, 8)
    assert np.abs(out.z.reshape(-1, 8).std(0) / np.sqrt(np.diag(model.cov)) - 1).max() < 0.15


def test_diagnostics_are_those_of_arviz():
    """Chains of every autocorrelation, and one that has not converged; to 1.5%."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 500, 5))
    for i, keep in enumerate((0.0, 0.5, 0.9, -0.4, 0.97)):
        for t in range(1, 500):
            x[:, t, i] += keep * x[:, t - 1, i]
    x[0, :, 4] += 2
    data = arviz.convert_to_dataset({"x": x})
    assert np.allclose(rhat(x), arviz.rhat(data).x.values, rtol=1e-6)
    assert np.allclose(bulk_ess(x), arviz.ess(data, method="bulk").x.values, rtol=0.015)
    assert np.allclose(tail_ess(x), arviz.ess(data, method="tail").x.values, rtol=0.015)
