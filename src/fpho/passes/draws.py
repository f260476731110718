"""The worker of the stage `sample`: draws from the posterior of one patch."""

import logging

from ..files import checksum
from ..results import plain, write_residuals, write_samples
from ..sampling import run_lmc
from ..sampling.options import run_options
from .gibbs import gibbs_round
from .halo import alone, own_draws, with_halo
from .opening import open_patch, patch_flags
from .tasks import DrawsLog, PatchLog, PatchOutcome, PatchTask

log = logging.getLogger("fpho")


def sample_patch(task: PatchTask) -> PatchOutcome:
    """Sample a patch; write its samples and residuals; rows at the medians, covariance in z, log."""
    number, n, fixed = task.patch.index, len(task.active), task.fixed
    goes_on = task.patch.previous >= 0 and task.layout.samples(task.patch.previous).is_file()
    patcher, model, out = gibbs_round(task) if goes_on else first_draws(with_halo(task))
    out.flags |= patch_flags(patcher, task)
    active = model.rows[:n]
    if len(task.halo):
        out, fixed = own_draws(out, model, n, fixed)
        model = alone(patcher, model, n, fixed, task.config)
    final, covs = out.fill(
        task.patch.region, active, fixed, model, patchID=number, apertures=task.config.model.apertures
    )
    paths = [task.layout.samples(number), task.layout.residuals(number)]
    write_samples(paths[0], out, model, task.config, task.identity)
    write_residuals(paths[1], out, model)
    fit = DrawsLog(plain(out.summary), int(out.ncall), int(out.ncall_warmup), int(out.settings.extensions))
    sums = {path.name: checksum(path) for path in paths}
    entry = PatchLog(n_draws=int(out.n_draws), message=describe(out), sums=sums, fit=fit)
    return PatchOutcome(final, entry, covs)


def first_draws(task: PatchTask):
    """(patcher, model, result) of a patch."""
    options = task.config.sample
    patcher, model, q = open_patch(task, options)
    out, _, _ = run_lmc(
        model, q, seed=task.seed, cores=task.cores, checkpoint=task.checkpoint, **run_options(options)
    )
    return patcher, model, out


def describe(out) -> str:
    """One line about a patch's draws."""
    values = out.summary
    state = "accepted" if values.accepted else "flagged"
    text = f"R-hat {values.max_rhat:.3f}, ESS {values.min_ess:.0f}, {values.divergences} divergences"
    return f"{state}: {text}, {out.ncall} evaluations"
