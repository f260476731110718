"""The reduced posterior of a patch as compiled code takes it."""

import numpy as np

from ...kernel.arrays import N_SHAPE, SourceArrays
from ...posterior.population import PopulationTerm
from ...sersic import MixtureTable
from .nodes import Nodes
from .trajectory import Law, Map, Profiles, Reference, Ridge, Trace, arrange_all, explore, make_room


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
        self._room = make_room(target)

    def explore(self, trace: Trace, known, many, momenta, angles, chances, n_steps: int) -> int:
        """Fill the places of a trace after its first ones; see `trajectory.explore`."""
        return explore(
            trace, known, many, momenta, angles, chances, n_steps, self.target, self.reference, self._room
        )

    def walk(self, y, momenta, angles, chances, n_steps: int) -> tuple[Trace, float]:
        """Walkers from y (W, ndim) through T trajectories: their trace, and the share that was accepted.

        momenta (W, T, ndim) are written over; angles and chances (W, T).
        """
        trace = Trace.of(*momenta.shape)
        trace.y[:, 0] = y
        known, many = np.zeros(len(momenta), bool), np.full(len(momenta), momenta.shape[1])
        accepted = self.explore(trace, known, many, momenta, angles, chances, n_steps)
        return trace, accepted / max(1, chances.size)

    def lnp(self, y) -> np.ndarray:
        """ln p (W,) of the reduced posterior at y (W, ndim), but for a constant."""
        return self._there(y).lnp[:, 0]

    def at(self, y) -> tuple[float, np.ndarray]:
        """ln p at y (ndim,), and the slope of ln p + u u / 2 by the coordinates u of the reference."""
        there = self._there(y[None])
        return float(there.lnp[0, 0]), there.force[0, 0]

    def _there(self, y) -> Trace:
        nothing = np.empty((len(y), 0))
        return self.walk(y, np.empty((len(y), 0, y.shape[1])), nothing, nothing, 1)[0]


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

    def _arranged(self, y) -> tuple[np.ndarray, SourceArrays]:
        """ln prior + ln |dz/dy| (W,), and the states of the kernel's components, at y (W, ndim)."""
        plan, profiles = self.target[1], self.target[2]
        many, n = len(y), len(plan.source)
        lnp, components = np.empty(many), np.empty((many, n, plan.n_bands + N_SHAPE))
        profile, count = np.zeros((many, n, profiles.pieces.shape[2] // 2, 6)), np.empty((many, n), np.int32)
        sky = np.zeros((many, self.model.arrays.n_exposures))
        arrange_all(y, self.target, self._room, lnp, components, profile, count, sky)
        return lnp, SourceArrays(components, profile, count, sky)
