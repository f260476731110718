"""Options of the section `sample`, as keywords of `run_lmc` and `gibbs_update`."""

from ..config import Sample
from .rules import Limits


def sampler_options(options: Sample) -> tuple[dict, dict]:
    """Keywords of `run_lmc`, and those of `gibbs_update`, which has as many draws as it is given.

    Each chain keeps so many draws that all chains together reach `target_niter` as well.
    """
    least = -(-(options.target_niter or 0) // options.chains)
    both = {
        "warmup": options.warmup,
        "max_treedepth": options.max_treedepth,
        "checkpoint_seconds": options.checkpoint_seconds,
        "limits": Limits(options.max_rhat, options.min_ess, options.max_extensions, options.evaluations),
    }
    first = {
        "n_draws": max(options.sampling_draws, least),
        "chains": options.chains,
        "full": options.full_cov,
        "sampler": options.sampler,
    }
    return both | first, both
