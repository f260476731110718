"""The reduced posterior of a patch as compiled code takes it."""

import numpy as np

from ...kernel.arrays import N_SHAPE, SourceArrays
from ...posterior.population import PopulationTerm
from ...sersic import MixtureTable
from .nodes import Nodes
from .trajectory import Law, Map, Profiles, Reference, Ridge, arrange_all, explore, make_room


def can_be_reduced(model) -> bool:
    """Whether a model has what `make_target` takes: it is a `Posterior` whose geometry is fixed."""
    scale_free = isinstance(getattr(model, "table", None), MixtureTable)
    return scale_free and not model.plan.terms.moving and model.arrays.n_exposures > 0


def make_target(model, coefficients, nodes: Nodes) -> tuple:
    """(ridge, map, profiles, law, nodes) of a `Posterior` in ridge coordinates, for compiled code."""
    plan, parts, table = model.plan, model.plan.components, model.table
    low, high = table.n_range
    first, per_step, pieces, n_below = table._pieces
    numbers = (
        Ridge(**{name: getattr(coefficients, name) for name in Ridge._fields}),
        Map(
            plan.ndim, plan.n_bands, plan.index, plan.origin, plan.unit, plan.number, plan.kind, plan.tables,
            parts.source, parts.share, parts.feed, parts.held, parts.is_point, plan.flux_prior,
            plan.sky_index, plan.sky_unit, plan.sky_curvature,
        ),
        Profiles(float(low), float(high), float(first), float(per_step), pieces, int(n_below)),
        _law(model.population, plan),
        nodes,
    )  # fmt: skip
    return tuple(map(contiguous, numbers))


def contiguous(numbers):
    """The same with all arrays in one piece, so that there is one form of the compiled code."""
    return numbers._make(np.ascontiguousarray(x) if isinstance(x, np.ndarray) else x for x in numbers)


def _law(term: PopulationTerm | None, plan) -> Law:
    if term is not None:
        return Law(*term.numbers)
    nothing = np.zeros((len(plan.index), plan.n_bands))
    return Law(nothing, np.zeros(len(nothing)), np.zeros(len(nothing)), nothing, 0, np.ones(3))


def make_reference(mean, cov) -> Reference:
    """The Gaussian N(mean, cov)."""
    factor = np.linalg.cholesky(cov)
    inverse = np.ascontiguousarray(np.linalg.inv(factor))
    return Reference(np.array(mean, "f8"), factor, np.ascontiguousarray(factor.T), inverse)


class ReducedPosterior:
    """A target about a reference, with the room that its evaluations take."""

    def __init__(self, target: tuple, mean, cov):
        self.target, self.reference = target, make_reference(mean, cov)
        self._room, self._four = make_room(target), np.empty((4, len(mean)))

    def walk(self, y, momenta, angles, chances, n_steps: int):
        """Walkers from y (W, ndim) through T trajectories: places (W, T, ndim), ln p (W, 2), share accepted.

        momenta (W, T, ndim) are written over; angles and chances (W, T). ln p is that of the reduced
        posterior at the start and at the end.
        """
        lnp, out = np.empty((len(y), 2)), np.empty_like(momenta)
        accepted = explore(
            np.ascontiguousarray(y), momenta, angles, chances, n_steps, self.target, self.reference,
            self._four, self._room, lnp, out,
        )  # fmt: skip
        return out, lnp, accepted

    def lnp(self, y) -> np.ndarray:
        """ln p (W,) of the reduced posterior at y (W, ndim), but for a constant."""
        nothing = np.empty((len(y), 0))
        return self.walk(y, np.empty((*y.shape[:1], 0, y.shape[1])), nothing, nothing, 1)[1][:, 0]

    def at(self, y) -> tuple[float, np.ndarray]:
        """ln p at y (ndim,), and the slope of ln p + u u / 2 by the coordinates u of the reference."""
        lnp = float(self.lnp(y[None])[0])
        return lnp, self._four[1].copy()


class TruePosterior:
    """ln p of a `Posterior` in ridge coordinates from all pixels, without slopes: a third cheaper than with.

    The components at all places are made in one compiled call.
    """

    def __init__(self, model, target: tuple):
        """target: of `make_target`; its nodes are not used."""
        self.model, self.target, self._room = model, target, make_room(target)

    def lnprobs(self, y) -> np.ndarray:
        """ln p (W,) at y (W, ndim); -inf where y is not finite."""
        y = np.ascontiguousarray(y)
        out, good = np.full(len(y), -np.inf), np.isfinite(y).all(axis=1)
        lnp, states = self._arranged(y[good])
        self.model.ncall += len(lnp)
        out[good] = lnp - 0.5 * self.model.kernel.chi_squares(self.model.arrays, states)
        return out

    def _arranged(self, y) -> tuple[np.ndarray, list[SourceArrays]]:
        """ln prior + ln |dz/dy| (W,), and the kernel's components, at y (W, ndim)."""
        plan, profiles = self.target[1], self.target[2]
        many, n = len(y), len(plan.source)
        lnp, components = np.empty(many), np.empty((many, n, plan.n_bands + N_SHAPE))
        profile, count = np.zeros((many, n, profiles.pieces.shape[2] // 2, 6)), np.empty((many, n), np.int32)
        sky = np.zeros((many, self.model.arrays.n_exposures))
        arrange_all(y, self.target, self._room, lnp, components, profile, count, sky)
        return lnp, [SourceArrays(*numbers) for numbers in zip(components, profile, count, sky, strict=True)]
