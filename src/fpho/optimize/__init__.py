"""The maximum of the posterior, with its Fisher matrix."""

import time
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..results import optimum_rows
from ..showing import html_table
from . import bfgs, newton
from .newton import Counter

__all__ = ["Optimum", "run_opt"]

MATRICES = 25
POOR = 2.0
METHODS = ("newton", "bfgs")


@dataclass(frozen=True)
class Optimum:
    """The best point found; `matrix` is J^t W J + curvature of the prior, in z."""

    z: np.ndarray  # (ndim,)
    q: np.ndarray  # (P,)
    lnp: float
    gradient: np.ndarray  # (ndim,)
    matrix: np.ndarray  # (ndim, ndim)
    converged: bool
    ncall: int
    wall_time: float  # seconds

    def __repr__(self) -> str:
        state = "converged" if self.converged else "not converged"
        size = f"{len(self.z)} coordinates, {self.ncall} evaluations"
        return f"<Optimum: ln p {self.lnp:.2f}, {size}, {state}>"

    def _repr_html_(self) -> str:
        return html_table(repr(self), {"seconds": self.wall_time})

    @property
    def covariance(self) -> np.ndarray:
        """Inverse of `matrix` (ndim, ndim)."""
        covariance = newton.solve(self.matrix, np.eye(len(self.z)))
        return 0.5 * (covariance + covariance.T)

    def fill(self, region, active, fixed, model, bounds=None, patchID=None):
        """(final scene rows with flux errors and flags, covariance of z), as `Result.fill` gives."""
        return optimum_rows(model, self, active), self.covariance


def run_opt(
    model,
    q,
    gtol: float = 0.01,
    method: str = "newton",
    max_iterations: int = 60,
    use_gradients: bool = True,
    linear_optimize: bool = True,
    add_barriers: bool = False,
    restart: bool = True,
) -> tuple[Optimum, dict]:
    """Maximum of the posterior from a vector q.

    Parameters
    ----------
    model : `Posterior`
    gtol : converged when an undamped step is predicted to raise ln p by less
    method : `newton` (Levenberg-Marquardt on the Fisher matrix) or `bfgs`
    max_iterations : most evaluations of one start
    use_gradients, add_barriers : bfgs only: exact gradients; walls at the bounds
    linear_optimize : fluxes solved exactly at the end (newton does that at every step)
    restart : if the search does not converge, search again from round sources with median shapes; or from q
        itself if it was left for these, also where what was found is no fit (flat priors have medians that
        are far from all galaxies)

    Returns
    -------
    optimum, info (dict: converged, message, ncall, n_fisher, restarted, decrement, wall_time)
    """
    if method not in METHODS:
        raise InputError("optimize.method", f"{method!r} is not known", f"Use one of {', '.join(METHODS)}")
    began = time.perf_counter()
    options = {
        "use_gradients": use_gradients,
        "add_barriers": add_barriers,
        "linear_optimize": linear_optimize,
    }
    z = model.transform.inverse_transform(np.asarray(q, "f8"))
    search = _Search(model, gtol, method, max_iterations, options)
    best, converged = search(z)
    restarted = restart and not (converged and (search.kept_start or plausible(model, best)))
    if restarted:
        other, success = search(newton.rough_start(model, z) if search.kept_start else z, leave=False)
        if other.lnp > best.lnp:
            best, converged = other, success
    optimum = Optimum(
        z=best.z,
        q=model.transform.transform(best.z),
        lnp=best.lnp,
        gradient=best.gradient,
        matrix=newton.error_matrix(model, best),
        converged=converged,
        ncall=search.evaluations,
        wall_time=time.perf_counter() - began,
    )
    return optimum, search.info(optimum, newton.decrement(best), restarted)


def plausible(model, point) -> bool:
    """Whether a maximum is a fit: less than POOR in chi-square for a pixel, prior included."""
    return -2 * point.lnp < POOR * model.n_pix.sum()


class _Search:
    """One or two searches with their counts."""

    def __init__(self, model, gtol, method, max_iterations, options):
        self.model, self.gtol, self.method = model, gtol, method
        self.max_iterations, self.options = max_iterations, options
        self.evaluations = self.matrices = 0
        self.kept_start = True  # of the last search

    def __call__(self, z, leave: bool = True):
        budget = Counter(self.model, self.max_iterations, MATRICES)
        if self.method == "newton":
            best, converged = newton.maximise(self.model, z, self.gtol, budget, leave)
        else:
            best, converged = bfgs.maximise(self.model, z, self.gtol, budget, **self.options)
        self.evaluations += self.max_iterations - budget.evaluations
        self.matrices += MATRICES - budget.matrices
        self.kept_start = not budget.left_start
        return best, converged

    def info(self, optimum: Optimum, rise: float, restarted: bool) -> dict:
        message = "converged" if optimum.converged else "stopped: evaluations or step control exhausted"
        return {
            "converged": optimum.converged,
            "message": message,
            "ncall": self.evaluations,
            "n_fisher": self.matrices,
            "restarted": restarted,
            "decrement": rise,
            "wall_time": optimum.wall_time,
        }
