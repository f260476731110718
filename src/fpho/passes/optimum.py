"""The worker of the stages `optimize` and `reoptimize`: the maximum of the posterior of one patch."""

import logging

from ..results import optimum_apertures, optimum_rows
from ..results.structure import telling
from .opening import open_patch
from .search import find_optimum
from .tasks import OptimumLog, PatchLog, PatchOutcome, PatchTask

log = logging.getLogger("fpho")


def optimize_patch(task: PatchTask) -> PatchOutcome:
    """Optimum of a patch's active sources: rows with flux errors and flags, log."""
    patch = open_patch(task)
    found = find_optimum(patch, task.config.optimize)
    model, optimum = found.model, found.optimum
    rows = optimum_rows(model, optimum, task.active)
    rows["flags"] |= patch.flags
    fit = OptimumLog(
        **found.how,
        lnp=float(optimum.lnp),
        exposures=tuple(model.exposures),
        chi2=tuple(map(float, model.chi2(optimum.q))),
        n_pix=tuple(map(int, model.n_pix)),
        flux_precision=tuple(found.precision.tolist()),
        structure=() if found.left is None else telling(found.left),
        apertures=optimum_apertures(model, optimum, task.config.model.apertures).plain(),
    )
    log.info("patch %d: ln p %.2f after %d evaluations", task.patch.index, optimum.lnp, found.how["ncall"])
    return PatchOutcome(rows, PatchLog(fit=fit, blur=patch.blur))
