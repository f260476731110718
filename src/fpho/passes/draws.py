"""The worker of the stage `sample`: draws from the posterior of one patch."""

from pathlib import Path

from ..files import checksum
from ..results import plain, write_residuals, write_samples
from ..sampling.options import sampler_options
from .beside import shifts_beside
from .earlier import read_earlier
from .halo import own_draws
from .opening import open_patch
from .rounds import first_draws, later_draws
from .tasks import DrawsLog, PatchLog, PatchOutcome, PatchTask


def sample_patch(task: PatchTask) -> PatchOutcome:
    """Sample a patch; write its samples and residuals; rows at the medians, log."""
    first, later = sampler_options(task.config.sample)
    patch = open_patch(task, read_earlier(task, first["chains"], first["n_draws"]))
    run = {"seed": task.seed, "cores": task.cores, "checkpoint": task.checkpoint}
    if patch.earlier is None:
        model, out = first_draws(patch, first | run)
    else:
        model, out = later_draws(patch, later | run)
    out.flags |= patch.flags
    beside = shifts_beside(patch, model, out.middle(model))
    model, out, fixed = own_draws(patch, model, out)
    how = {
        "patchID": task.patch.number,
        "apertures": task.config.model.apertures,
        "widen": patch.measures_misfit,
        "structure": patch.structure,
        "shifts": beside,
        "rng": task.own_generator(),
    }
    final, _ = out.fill(task.patch.region, model.rows, fixed, model, **how)
    paths = _written(task, out, model)
    fit = DrawsLog(plain(out.summary), int(out.ncall), int(out.ncall_warmup), int(out.settings.extensions))
    sums = {path.name: checksum(path) for path in paths}
    entry = PatchLog(n_draws=int(out.n_draws), message=describe(out), sums=sums, fit=fit)
    return PatchOutcome(final, entry)


def _written(task: PatchTask, out, model) -> list[Path]:
    """Files of a patch's draws, and of its residuals where they are wanted."""
    samples, residuals = (of(task.patch.name) for of in (task.layout.samples, task.layout.residuals))
    write_samples(samples, out, model, task.config, task.identity, goes_on=task.patch.truncated)
    if not task.config.sample.residuals:
        residuals.unlink(missing_ok=True)  # of an earlier run
        return [samples]
    write_residuals(residuals, out, model)
    return [samples, residuals]


def describe(out) -> str:
    """One line about a patch's draws."""
    values = out.summary
    state = "accepted" if values.accepted else "flagged"
    text = f"R-hat {values.max_rhat:.3f}, ESS {values.min_ess:.0f}, {values.divergences} divergences"
    return f"{state}: {text}, {out.ncall} evaluations"
