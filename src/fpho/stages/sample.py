"""The worker of the stage `sample`: draws from the posterior of one patch."""

import logging

from ..results import write_residuals, write_samples
from ..sampling import run_lmc
from ..sampling.rules import Limits
from .fitting import open_patch, patch_flags
from .tasks import PatchOutcome, PatchTask

log = logging.getLogger("fpho")


def sample_patch(task: PatchTask) -> PatchOutcome:
    """Sample a patch; write its samples and residuals; rows at the medians, covariance in z, log."""
    options, number = task.config.sample, task.patch.index
    patcher, model, q = open_patch(task, options)
    out, step, stats = run_lmc(
        model,
        q,
        n_draws=draws_per_chain(options),
        warmup=options.warmup,
        full=options.full_cov,
        max_treedepth=options.max_treedepth,
        chains=options.chains,
        seed=task.seed,
        cores=task.cores,
        sampler=options.sampler,
        limits=Limits(options.max_rhat, options.min_ess, options.max_extensions),
        checkpoint=task.checkpoint,
        checkpoint_seconds=options.checkpoint_seconds,
    )
    out.flags |= patch_flags(patcher, task)
    final, covs = out.fill(
        task.patch.region, task.active, task.fixed, model, step=step, stats=stats, patchID=number
    )
    paths = [task.layout.samples(number), task.layout.residuals(number)]
    write_samples(paths[0], out, model, task.config)
    write_residuals(paths[1], out, model)
    entry = {
        "n_draws": out.n_draws,
        "summary": out.summary,
        "ncall": out.ncall,
        "ncall_warmup": out.ncall_warmup,
        "extensions": out.settings["extensions"],
        "files": [str(path) for path in paths],
        "message": describe(out),
    }
    return PatchOutcome(final, entry, covs)


def draws_per_chain(options) -> int:
    """Draws that each chain keeps, so that all chains together reach `target_niter` as well."""
    wanted = options.target_niter or 0
    return max(options.sampling_draws, -(-wanted // options.chains))


def describe(out) -> str:
    """One line about a patch's draws."""
    values = out.summary
    text = f"R-hat {values['max_rhat']:.3f}, ESS {min(values['min_bulk_ess'], values['min_tail_ess']):.0f}"
    state = "accepted" if values["accepted"] else "flagged"
    return f"{state}: {text}, {values['divergences']} divergences, {out.ncall} evaluations"
