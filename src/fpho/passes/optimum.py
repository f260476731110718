"""The worker of the stages `optimize` and `reoptimize`: the maximum of the posterior of one patch."""

import logging

from ..optimize import run_opt
from ..results import optimum_apertures, optimum_rows
from .halo import alone, flux_precisions, own_optimum, with_halo
from .opening import blur_of, open_patch, patch_flags
from .tasks import OptimumLog, PatchLog, PatchOutcome, PatchTask

log = logging.getLogger("fpho")


def optimize_patch(task: PatchTask) -> PatchOutcome:
    """Optimum of a patch's active sources: rows with flux errors and flags, covariance in z, log."""
    options = task.config.optimize
    n = len(task.active)
    patcher, model, q = open_patch(with_halo(task), options)
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
    precision = flux_precisions(model, optimum.q, n)
    if len(task.halo):
        optimum, fixed = own_optimum(optimum, model, n, task.fixed)
        model = alone(patcher, model, n, fixed, task.config)
    rows = optimum_rows(model, optimum, task.active)
    rows["flags"] |= patch_flags(patcher, task)
    chi2, n_pix = model.chi2(optimum.q), model.n_pix
    fit = OptimumLog(
        **info,
        lnp=float(optimum.lnp),
        exposures=tuple(model.exposures),
        chi2=tuple(map(float, chi2)),
        n_pix=tuple(map(int, n_pix)),
        flux_precision=tuple(precision.tolist()),
        apertures=optimum_apertures(model, optimum, task.config.model.apertures).plain(),
    )
    log.info("patch %d: ln p %.2f after %d evaluations", task.patch.index, optimum.lnp, info["ncall"])
    return PatchOutcome(rows, PatchLog(fit=fit, blur=blur_of(patcher, task)), optimum.covariance)
