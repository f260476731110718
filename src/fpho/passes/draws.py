"""The worker of the stage `sample`: draws from the posterior of one patch."""

from ..hdf5 import content_of
from ..records import digest_of
from ..results import fill_residuals, fill_samples, plain
from ..sampling.options import sampler_options
from .beside import shifts_beside
from .earlier import read_earlier
from .halo import own_draws
from .opening import open_patch
from .rounds import first_draws, later_draws
from .tasks import DrawsLog, PatchLog, PatchOutcome, PatchTask


def sample_patch(task: PatchTask) -> PatchOutcome:
    """Sample a patch: rows at the medians, log, samples and residuals."""
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
    contents = _contents(task, out, model)
    fit = DrawsLog(plain(out.summary), int(out.ncall), int(out.ncall_warmup), int(out.settings.extensions))
    sums = {kind: digest_of(content) for kind, content in contents.items()}
    entry = PatchLog(n_draws=int(out.n_draws), message=describe(out), sums=sums, fit=fit)
    return PatchOutcome(final, entry, contents)


def _contents(task: PatchTask, out, model) -> dict[str, bytes]:
    """What is kept of a patch's draws, and of its residuals where they are wanted, in HDF5."""
    more = {"task": task.identity, "goes_on": task.patch.truncated}
    contents = {"samples": content_of(lambda file: fill_samples(file, out, model, task.config, **more))}
    if task.config.sample.residuals:
        contents["residuals"] = content_of(lambda file: fill_residuals(file, out, model))
    return contents


def describe(out) -> str:
    """One line about a patch's draws."""
    values = out.summary
    state = "accepted" if values.accepted else "flagged"
    text = f"R-hat {values.max_rhat:.3f}, ESS {values.min_ess:.0f}, {values.divergences} divergences"
    return f"{state}: {text}, {out.ncall} evaluations"
