"""BFGS (scipy) in coordinates scaled by the Fisher matrix's diagonal at the start."""

import numpy as np

from .newton import Counter, solve_linear

WALL_AT = 4.0  # shape coordinates beyond which barriers rise: 3e-5 of the range from a bound
STEEPNESS = 1e3


def maximise(model, z, gtol, budget: Counter, use_gradients=True, add_barriers=False, linear_optimize=True):
    """(best point with its matrix, converged) from a start z (ndim,)."""
    from scipy.optimize import minimize  # not imported where Newton's method does

    start = budget.with_matrix(budget.point(z))
    scale = 1 / np.sqrt(np.diag(start.matrix))

    def cost(x):
        point = budget.point(x * scale)
        value, slope = barriers(model.plan, x * scale) if add_barriers else (0.0, 0.0)
        return value - point.lnp, (slope - point.gradient) * scale

    if use_gradients:
        options = {"maxiter": max(1, budget.evaluations), "gtol": np.sqrt(gtol / model.ndim)}
        answer = minimize(cost, start.z / scale, jac=True, method="BFGS", options=options)
    else:
        options = {"maxiter": max(1, budget.evaluations), "gtol": np.sqrt(gtol / model.ndim), "eps": 1e-3}
        answer = minimize(lambda x: cost(x)[0], start.z / scale, method="BFGS", options=options)
    best = budget.with_matrix(budget.point(answer.x * scale))
    if linear_optimize:
        best = solve_linear(best, budget, model.plan.linear)
    return best, bool(answer.success)


def barriers(plan, z) -> tuple[float, np.ndarray]:
    """Quadratic walls at the flux bounds (nJy) and at the ends of the shapes' ranges; value and slope."""
    centre, half = np.zeros(plan.ndim), np.full(plan.ndim, WALL_AT)
    fluxes = plan.index[:, : plan.n_bands]
    free = fluxes >= 0
    unit = plan.unit[:, : plan.n_bands][free]
    centre[fluxes[free]] = plan.flux_prior[..., 1][free] / unit
    half[fluxes[free]] = plan.flux_prior[..., 2][free] / unit
    half[plan.sky_index :] = np.inf
    over = np.maximum(np.abs(z - centre) - half, 0)
    return 0.5 * STEEPNESS * float(over @ over), STEEPNESS * over * np.sign(z - centre)
