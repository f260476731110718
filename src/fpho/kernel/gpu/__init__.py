"""The GPU backend: the functions of `fpho.kernel` on an NVIDIA GPU, many proposals in one set of launches.

Formulas: `fpho.kernel.formulas`; kernels: `kernels`, `adding`, `images`; memories and table: `layout`;
launches: `compiling`, `lane`; batches: `batch`. Pixels, PSFs and geometry of a patch are sent once
(`resident`) and kept with the PatchArrays object; for each evaluation only the parameters go in, and chi2
and gradient come out. Which GPU: CUDA_VISIBLE_DEVICES.

Everything that needs a GPU is imported at the first call, which raises InputError where there is none.
"""

from functools import cache

import numpy as np

from ..arrays import PatchArrays, SourceArrays


def evaluate(patch: PatchArrays, state: SourceArrays):
    """chi2 (E,), gradient (S, B + 7), background gradient (E,), all float64; see `fpho.kernel`."""
    return evaluate_batch([(patch, [state])])[0][0]


def evaluate_many(patch: PatchArrays, states) -> list:
    """`evaluate` of several states of one patch (same shapes)."""
    return evaluate_batch([(patch, states)])[0]


def chi_squares(patch: PatchArrays, states: SourceArrays) -> np.ndarray:
    """chi2 of several states of one patch, all exposures together (W,); see `fpho.kernel`."""
    each = [states[w] for w in range(len(states.sources))]
    return np.array([chi2.sum() for chi2, _, _ in evaluate_many(patch, each)])


def evaluate_batch(work) -> list:
    """`evaluate` of several states of each of several patches, in as few sets of launches as is quick.

    work : list of (patch, states); results in the same order, a list for each patch.
    """
    return _evaluator()().evaluate(work)


def model(patch: PatchArrays, state: SourceArrays) -> np.ndarray:
    """Model image on the tiles, background included, (T, 64) float32."""
    return _evaluator()().model(patch, state)


def models(patch: PatchArrays, states: SourceArrays) -> np.ndarray:
    """`model` of several states of one patch, (W, T, 64) float32; see `fpho.kernel`."""
    return np.stack([model(patch, states[w]) for w in range(len(states.sources))])


def fisher(patch: PatchArrays, state: SourceArrays) -> np.ndarray:
    """J^t W J (P, P) float64, P = S (B + 7) + E: sources row by row, then the backgrounds."""
    return _evaluator()().fisher(patch, state)


@cache
def _evaluator():
    """The function that gives this process's evaluator, once there is a GPU."""
    from .transport import require_gpu

    require_gpu()
    from .batch import evaluator

    return evaluator
