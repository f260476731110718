"""Learnt forces: the polynomial against numpy's, the regression on known ones, and what keeps draws right."""

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermeval

from fpho.results import Summary
from fpho.sampling import learning, polynomial, rules, run_lmc, surrogate
from fpho.sampling.rules import Limits, Phase, extend
from fpho.sampling.whitened import Whitened

from .test_sampling import Banana, Gaussian

SIZES = (7, 7, 5, 3)


def hermite(v, key) -> float:
    """A product of numpy's Hermite polynomials: He of each variable as often as it stands in `key`."""
    return np.prod([hermeval(v[i], np.eye(len(key) + 1)[key.count(i)]) for i in set(key)])


def potential(v, numbers) -> float:
    """The polynomial of numbers of each degree."""
    keys = [list(combinations_with_replacement(range(n), d + 1)) for d, n in enumerate(SIZES)]
    return sum(
        x * hermite(v, key)
        for some, xs in zip(keys, numbers, strict=True)
        for key, x in zip(some, xs, strict=True)
    )


def made(rng, scale=(1.0, 0.3, 0.1, 0.03)) -> list:
    """Numbers of each degree."""
    return [
        s * rng.standard_normal(polynomial.term(n, d + 1).size)
        for d, (n, s) in enumerate(zip(SIZES, scale, strict=True))
    ]


def slopes(numbers, v) -> np.ndarray:
    """Slopes (N, 7) of a polynomial at v (N, 7)."""
    matrices = [
        polynomial.term(n, d + 1).matrix(x) for d, (n, x) in enumerate(zip(SIZES, numbers, strict=True))
    ]
    return surrogate._slopes(matrices, surrogate._features(v, SIZES), v.shape)


def test_slopes_are_derivatives_of_hermite_polynomials():
    rng = np.random.default_rng(1)
    numbers, v, step = made(rng), rng.standard_normal((3, 7)), 1e-5
    for found, at in zip(slopes(numbers, v), v, strict=True):
        for i in range(7):
            shift = step * np.eye(7)[i]
            expected = (potential(at + shift, numbers) - potential(at - shift, numbers)) / (2 * step)
            assert found[i] == pytest.approx(expected, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_transpose_of_the_matrix(degree):
    rng, term = np.random.default_rng(2), polynomial.term(5, degree)
    x, y = rng.standard_normal(term.size), rng.standard_normal(term.index.shape)
    assert np.sum(term.matrix(x) * y) == pytest.approx(term.numbers(y) @ x)


def test_known_polynomial_is_learnt():
    """From slopes of a polynomial in turned coordinates its slopes elsewhere follow."""
    rng = np.random.default_rng(3)
    numbers, turn = made(rng), np.linalg.qr(rng.standard_normal((7, 7)))[0]
    u = rng.standard_normal((500, 7))
    forces = slopes(numbers, u @ turn) @ turn.T
    share = surrogate.best_share(u[:400], forces[:400])
    found = surrogate.learn(u[:400], forces[:400], share)
    assert share < 1
    assert found.error(u[400:], forces[400:]) < 0.01 * np.mean(
        (forces * surrogate.weights(forces)[:, None]) ** 2
    )


def test_noise_keeps_the_whole_ridge():
    """Where forces are noise, numbers are not fitted to it."""
    rng = np.random.default_rng(4)
    u, forces = rng.standard_normal((200, 7)), 0.3 * rng.standard_normal((200, 7))
    assert surrogate.best_share(u, forces) == 1.0


@pytest.mark.parametrize("size", [1.0, 4.0])
def test_leap_can_be_gone_backward_and_keeps_volume(size):
    """What makes draws exact whatever was learnt, also beyond the radius: here for nonsense."""
    rng, n = np.random.default_rng(5), 7
    u = rng.standard_normal((100, n))
    learnt = surrogate.learn(u, slopes(made(rng), u))
    model = Gaussian(n)
    space = Whitened(model.lnprob_and_grad, model.mean + 0.3, 0.7 * model.cov)

    def leap(place):
        end, p = space.leap(space.at(place[:n]), place[n:], 1.7, learnt)
        return np.concatenate([end.u, p])

    flip = np.repeat([1.0, -1.0], n)
    here, step = size * rng.standard_normal(2 * n), 1e-6
    assert not np.allclose(leap(here), here, atol=0.1)
    assert np.allclose(flip * leap(flip * leap(here)), here, atol=1e-6)
    columns = [(leap(here + shift) - leap(here - shift)) / (2 * step) for shift in step * np.eye(2 * n)]
    assert abs(np.linalg.det(columns)) == pytest.approx(1, abs=1e-3)


def learnt_from(model, cov, **options):
    starts = [model.mean.copy() for _ in range(4)]
    return learning.learn_forces(model.lnprob_and_grad, model.mean, cov, starts, np.random.default_rng(6))


def test_nothing_to_learn_of_a_gaussian():
    """About a Gaussian its own forces are zero; a wider one's are learnt."""
    model = Gaussian(6)
    rng = np.random.default_rng(7)
    for cov, largest in ((model.cov, 0.02), (model.cov / 2, 10.0)):
        found, ncall = learnt_from(model, cov)
        u = rng.standard_normal((50, 6))
        space = Whitened(model.lnprob_and_grad, model.mean, cov)
        forces = np.array([space.at(x).force for x in u])
        assert found is not None and ncall < 48 * 6 + 20
        assert found.error(u, forces) < 1e-3
        assert np.abs(forces).max() < largest


def test_useless_forces_are_not_used(monkeypatch):
    monkeypatch.setattr(learning, "MIN_ACCEPTANCE", 1.1)
    found, _ = learnt_from(Banana(), np.diag([1.0, 0.25]))
    assert found is None


def test_points_where_ln_p_is_not_finite_are_left_out():
    class Edge(Gaussian):
        def lnprob_and_grad(self, z):
            lnp, gradient = super().lnprob_and_grad(z)
            return (lnp, gradient) if z[0] < self.mean[0] + 1 else (-np.inf, np.full(self.ndim, np.nan))

    found, _ = learnt_from(Edge(3), Edge(3).cov)
    assert all(np.isfinite(matrix).all() for matrix in found.matrices)


@pytest.mark.parametrize(
    ("sampler", "learnt"), [("surrogate", True), ("split", False), ("littlemcmc", False)]
)
def test_result_tells_whether_forces_were_learnt(sampler, learnt):
    model = Gaussian(3)
    out, _, _ = run_lmc(model, model.mean, n_draws=20, seed=1, sampler=sampler)
    assert out.settings.learnt_forces is learnt


def test_posteriors_that_are_hard_go_on_along_true_forces():
    """Cheap draws are continued if that may do; else the reference is renewed, and forces are true ones."""
    learnt, _ = learnt_from(Gaussian(2), Gaussian(2).cov)
    summary = Summary(1.01, "x", 200.0, "x", 300.0, "x", 0, 0.0, 1.0)
    phase = Phase(0, 100, 0, np.zeros(2), np.eye(2), 0.9, surrogate=learnt)
    z = np.random.default_rng(8).standard_normal((4, 100, 2))
    longer = extend(phase, summary, z, Limits())
    assert longer.surrogate is learnt and (longer.first, longer.total, longer.segment) == (0, 240, 0)
    for miss in ({"min_bulk_ess": 60.0}, {"max_rhat": rules.RHAT_LOST}, {"divergences": 1}):
        other = extend(phase, replace(summary, **miss), z, Limits())
        assert other.surrogate is None and (other.first, other.segment, other.extensions) == (100, 1, 0)
        assert extend(other, summary, z, Limits()).extensions == 1
    assert extend(longer, summary, z, Limits()).surrogate is learnt
    assert extend(longer, replace(summary, min_tail_ess=60.0), z, Limits()).surrogate is None
    mixed = replace(summary, min_bulk_ess=600.0, min_tail_ess=500.0, max_rhat=1.03)
    again = extend(longer, mixed, z, Limits())
    assert again.surrogate is learnt and (again.first, again.total, again.extensions) == (0, 360, 2)
    assert extend(replace(longer, surrogate=None), mixed, z, Limits()).segment == 1
