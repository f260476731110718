"""The optimum of a patch: of all its sources, halo included, and then of its own among them."""

from dataclasses import dataclass, replace

import numpy as np

from ..config import Optimize
from ..linear import flux_precisions
from ..optimize import Optimum, run_opt
from ..optimize.volume import ShapesAlone
from ..results import Patterns, patterns, widened_optimum
from ..results.shifts import shaken_optimum
from .beside import shifts_beside
from .halo import own_optimum
from .opening import OpenPatch

SEARCH = ("gtol", "method", "max_iterations", "use_gradients", "linear_optimize", "add_barriers")  # options


@dataclass(frozen=True)
class PatchOptimum:
    """The optimum of a patch's own sources, their errors wide by all that is uncertain beside them."""

    model: object  # `Posterior` of the own sources, the halo at its optimum
    optimum: Optimum
    factors: np.ndarray  # (S,) by which variances grew for what the models leave of the data
    left: Patterns | None  # what the models leave, where it is measured
    precision: np.ndarray  # (B, S, S) nJy^-2, other parameters held
    how: dict  # see `fpho.run_opt`


def find_optimum(patch: OpenPatch, options: Optimize) -> PatchOptimum:
    """The optimum of all sources of a patch, and of its own among them.

    Under the population's prior, which speaks of all that is faint, fluxes are integrated out: see
    `optimize.volume`.
    """
    model, q = patch.begin()
    target = model
    if model.population is not None:
        target = ShapesAlone(model, model.transform.inverse_transform(q))
    optimum, how = run_opt(target, q, **{name: getattr(options, name) for name in SEARCH})
    optimum = replace(optimum, lnp=model.lnprob(optimum.z))
    precision = flux_precisions(model, optimum.q, patch.n_own)
    beside = shifts_beside(patch, model, optimum.z)
    model, optimum = own_optimum(patch, model, optimum)
    factors, left = np.ones(patch.n_own), None
    if patch.measures_misfit:
        left = patterns(model, optimum.q)
        factors = left.factors()
        optimum = widened_optimum(model, optimum, factors)
    optimum = shaken_optimum(optimum, beside)
    return PatchOptimum(model, optimum, factors, left, precision, how)
