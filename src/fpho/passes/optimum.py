"""The worker of the stages `optimize` and `reoptimize`: the maximum of the posterior of one patch."""

import logging

from ..optimize import run_opt
from ..results import misfit, optimum_apertures, optimum_rows, widened_optimum
from .halo import flux_precisions, own_optimum
from .opening import open_patch
from .tasks import OptimumLog, PatchLog, PatchOutcome, PatchTask

log = logging.getLogger("fpho")


def optimize_patch(task: PatchTask) -> PatchOutcome:
    """Optimum of a patch's active sources: rows with flux errors and flags, covariance in z, log."""
    options, patch = task.config.optimize, open_patch(task)
    model, q = patch.begin()
    optimum, info = run_opt(
        model,
        q,
        gtol=options.gtol,
        method=options.method,
        max_iterations=options.max_iterations,
        use_gradients=options.use_gradients,
        linear_optimize=options.linear_optimize,
        add_barriers=options.add_barriers,
    )
    precision = flux_precisions(model, optimum.q, patch.n_own)
    model, optimum = own_optimum(patch, model, optimum)
    if patch.measures_misfit:
        optimum = widened_optimum(model, optimum, misfit(model, optimum.q))
    rows = optimum_rows(model, optimum, task.active)
    rows["flags"] |= patch.flags
    fit = OptimumLog(
        **info,
        lnp=float(optimum.lnp),
        exposures=tuple(model.exposures),
        chi2=tuple(map(float, model.chi2(optimum.q))),
        n_pix=tuple(map(int, model.n_pix)),
        flux_precision=tuple(precision.tolist()),
        apertures=optimum_apertures(model, optimum, task.config.model.apertures).plain(),
    )
    log.info("patch %d: ln p %.2f after %d evaluations", task.patch.index, optimum.lnp, info["ncall"])
    return PatchOutcome(rows, PatchLog(fit=fit, blur=patch.blur), optimum.covariance)
