"""Where sampling starts: the optimum, and the metric there."""

import warnings
from dataclasses import dataclass

import numpy as np

from ..optimize.newton import Counter, decrement, error_matrix, maximise, solve

NEAR = 0.1  # rise of ln p that a step may promise where a given point still counts as the optimum


@dataclass(frozen=True)
class Start:
    """Where sampling starts: the optimum and the metric there."""

    z: np.ndarray  # (ndim,)
    lnp: float
    cov: np.ndarray  # (ndim, ndim) or (ndim,)
    spread: np.ndarray | None  # (ndim,) sd that the Fisher matrix predicts
    adapt: bool
    ncall: int


def find_start(model, q, z_cov, full, adapt) -> Start:
    """Optimum and metric for a vector q."""
    z = model.transform.inverse_transform(q) if hasattr(model, "transform") else np.array(q, "f8")
    z_cov = _usable(z_cov, len(z))
    if not hasattr(model, "fisher") or (adapt and z_cov is None):
        cov = np.eye(len(z)) if z_cov is None else z_cov
        blind = z_cov is None or adapt
        return Start(z, model.lnprob_and_grad(z)[0], _metric(cov, full), np.sqrt(np.diag(cov)), blind, 1)
    budget = Counter(model, 60, 25)
    point = budget.with_matrix(budget.point(z))
    if z_cov is None and decrement(point) > NEAR:
        point, _ = maximise(model, z, budget=budget)
    fisher = solve(error_matrix(model, point), np.eye(len(z)))
    fisher = 0.5 * (fisher + fisher.T)
    cov = fisher if z_cov is None else z_cov
    return Start(
        point.z, point.lnp, _metric(cov, full), np.sqrt(np.diag(fisher)), adapt, 60 - budget.evaluations
    )


def parameter_names(model) -> list[str]:
    """Names of the coordinates for summaries: column and source."""
    if not hasattr(model, "plan"):
        return [f"z{i}" for i in range(model.ndim)]
    ids = [str(name) or str(k) for k, name in enumerate(model.rows["id"])]
    return [f"{column}[{ids[s]}]" if s >= 0 else column for s, column in model.plan.names()]


def _metric(cov, full) -> np.ndarray:
    return cov if full else np.diag(cov).copy()


def _usable(z_cov, n: int):
    """A covariance of the right size, or None."""
    if z_cov is None:
        return None
    z_cov = np.asarray(z_cov, "f8")
    if z_cov.shape != (n, n):
        warnings.warn(
            f"z_cov of shape {z_cov.shape} does not fit {n} coordinates: the Fisher matrix is used",
            stacklevel=4,
        )
        return None
    return z_cov
