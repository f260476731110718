"""Levenberg-Marquardt on the Fisher matrix in the unconstrained coordinates.

-ln p is a sum of squares plus the prior's curvature, and linear in fluxes and backgrounds. A step solves

    (H + damping on the shapes' coordinates) step = gradient,      H = J^t W J + curvature of the prior.

Linear coordinates are not damped, so each step minimises over them exactly (variable projection). In
coordinates whose prior is standard normal, the unit matrix is the natural scale of damping and steps.
Where a step fails because shapes and fluxes move together (flux times shape is bilinear), the fluxes
are solved again at the trial point before it is given up.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ..parameters import SHAPE_COLS

LONGEST = 1.5  # of a step in any one shape or position coordinate: prior standard deviations
FAR = 10.0  # promised rise of ln p per coordinate from which round median sources may be a better start
START = 3.0  # coordinates of a start are brought within this
GOOD, FAIR = 0.75, 0.25  # ratios of actual to predicted gain
ACCEPT = 1e-3


@dataclass(frozen=True)
class Iterate:
    """A place that the search visits, its value, gradient and (if it was asked for) matrix."""

    z: np.ndarray  # (ndim,)
    lnp: float
    gradient: np.ndarray  # (ndim,)
    matrix: np.ndarray | None = None  # (ndim, ndim) Fisher matrix, curvature of the prior and wall


@dataclass
class Counter:
    """Evaluations and Fisher matrices left to one search."""

    model: object
    evaluations: int
    matrices: int
    left_start: bool = False  # whether the search began at `rough_start` in place of its start

    def point(self, z) -> Iterate:
        """ln p and its gradient at z (ndim,); costs an evaluation."""
        self.evaluations -= 1
        return Iterate(z, *self.model.lnprob_and_grad(z))

    def with_matrix(self, point: Iterate) -> Iterate:
        """The same point with its matrix; costs one."""
        self.matrices -= 1
        matrix = self.model.fisher(point.z) + np.diag(wall(self.model, point.z))
        return Iterate(point.z, point.lnp, point.gradient, matrix)

    @property
    def spent(self) -> bool:
        """Whether evaluations or matrices are used up."""
        return self.evaluations <= 0 or self.matrices <= 0


def maximise(model, z, gtol=0.01, budget: Counter | None = None, leave: bool = True):
    """(best point with its matrix, converged) from a start z (ndim,).

    leave : a start that is far from a maximum is left for `rough_start` where that has the larger ln p
    """
    budget = budget or Counter(model, 60, 25)
    linear = model.plan.linear
    here = solve_linear(budget.with_matrix(budget.point(aside(model, within(z, linear)))), budget, linear)
    if leave and decrement(here) > FAR * len(z):
        rough = budget.with_matrix(budget.point(rough_start(model, here.z)))
        rough = solve_linear(rough, budget, linear)
        budget.left_start = rough.lnp > here.lnp
        here = rough if budget.left_start else here
    damping = 1.0
    while True:
        if decrement(here) < gtol:
            return here, True
        if budget.spent or damping > 1e8:
            return here, False
        here, damping = advance(here, damping, budget, linear)


def wall(model, z) -> np.ndarray:
    """(ndim,) that matrices of steps have beyond `model.fisher` (see `ParameterMap.wall`)."""
    return model.plan.wall(z) if hasattr(model.plan, "wall") else np.zeros(len(z))


def error_matrix(model, point: Iterate) -> np.ndarray:
    """The Fisher matrix with the prior's variances (ndim, ndim): for errors and metrics."""
    return point.matrix - np.diag(wall(model, point.z))


def within(z, linear) -> np.ndarray:
    """A start whose shapes are not in the far tails of their priors, where nothing has a slope."""
    return np.where(linear, z, np.clip(z, -START, START))


def rough_start(model, z) -> np.ndarray:
    """Round sources of median size and index at the given positions."""
    start = np.array(z)
    for i, (_, name) in enumerate(model.plan.names()):
        if name in SHAPE_COLS:
            start[i] = 0.0
    return aside(model, start)


def aside(model, z) -> np.ndarray:
    """A start that is not where shapes have no slope (see `ParameterMap.aside`)."""
    return model.plan.aside(z) if hasattr(model.plan, "aside") else z


def decrement(point: Iterate) -> float:
    """Predicted rise of ln p by an undamped step."""
    return 0.5 * float(point.gradient @ solve(point.matrix, point.gradient))


def solve(matrix, right) -> np.ndarray:
    """matrix^-1 right for a positive definite matrix; its diagonal is raised where rounding spoils that."""
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scaled = matrix / np.outer(scale, scale)
    for ridge in (0.0, 1e-10, 1e-7, 1e-4):
        try:
            factor = cho_factor(scaled + ridge * np.eye(len(scale)))
        except LinAlgError:
            continue
        return cho_solve(factor, (np.asarray(right).T / scale).T) / (
            scale if np.ndim(right) == 1 else scale[:, None]
        )
    raise LinAlgError("the Fisher matrix is not positive definite")


def solve_linear(here: Iterate, budget: Counter, linear) -> Iterate:
    """The best fluxes and backgrounds at the present shapes, exact by one solution."""
    if not linear.any() or budget.spent:
        return here
    z = here.z.copy()
    z[linear] += solve(here.matrix[np.ix_(linear, linear)], here.gradient[linear])
    there = budget.point(z)
    return budget.with_matrix(there) if there.lnp > here.lnp else here


def propose(here: Iterate, damping: float, linear) -> np.ndarray:
    """A damped step, shortened where a shape would move by more than LONGEST."""
    matrix = here.matrix + np.diag(np.where(linear, 0.0, damping))
    step = solve(matrix, here.gradient)
    longest = np.abs(step[~linear]).max(initial=0.0)
    if longest > LONGEST:
        ratio = LONGEST / longest
        more = np.where(linear, 0.0, damping + (1 / ratio - 1) * (1 + damping))
        step = solve(here.matrix + np.diag(more), here.gradient)
        longest = np.abs(step[~linear]).max(initial=0.0)
        step = step * min(1.0, LONGEST / longest)
    return step


def advance(here: Iterate, damping: float, budget: Counter, linear) -> tuple[Iterate, float]:
    """One step: the new point (or the old one), and the next damping."""
    step = propose(here, damping, linear)
    predicted = float(step @ here.gradient - 0.5 * step @ here.matrix @ step)
    there = budget.point(here.z + step)
    ratio = (there.lnp - here.lnp) / predicted
    if not ratio > FAIR and not budget.spent and np.isfinite(there.lnp):
        there = solve_linear(budget.with_matrix(there), budget, linear)
        ratio = (there.lnp - here.lnp) / predicted
    if not ratio > ACCEPT:
        return here, max(damping, 1e-2) * 8
    if there.matrix is None:
        there = budget.with_matrix(there)
    if ratio > GOOD:
        damping /= 10
    elif ratio < FAIR:
        damping *= 2
    return there, damping
