"""Options of the section `sample`, as keywords of `run_lmc` and `gibbs_update`."""

from ..config import Sample
from .rules import Limits


def limits_of(options: Sample) -> Limits:
    """What is asked of a patch."""
    return Limits(options.max_rhat, options.min_ess, options.max_extensions, options.evaluations)


def draws_per_chain(options: Sample) -> int:
    """Draws that each chain keeps, so that all chains together reach `target_niter` as well."""
    wanted = options.target_niter or 0
    return max(options.sampling_draws, -(-wanted // options.chains))


def update_options(options: Sample) -> dict:
    """Keywords of `gibbs_update`."""
    names = ("warmup", "max_treedepth", "checkpoint_seconds")
    return {name: getattr(options, name) for name in names} | {"limits": limits_of(options)}


def run_options(options: Sample) -> dict:
    """Keywords of `run_lmc`."""
    return update_options(options) | {
        "n_draws": draws_per_chain(options),
        "full": options.full_cov,
        "chains": options.chains,
        "sampler": options.sampler,
    }
