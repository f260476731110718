"""The GPU backend: the functions of `fpho.kernel` on an NVIDIA GPU, and many proposals in one launch.

Formulas: `fpho.kernel.formulas`; kernels: `kernels`, `images`; arrays: `transport`. Pixels, PSFs and
geometry of a patch are sent once and kept with the PatchArrays object; for each evaluation only the
parameters go in, and chi2 and gradient come out. Which GPU: CUDA_VISIBLE_DEVICES.

Everything that needs a GPU is imported at the first call, which raises InputError where there is none.
"""

import numpy as np

from ..arrays import PatchArrays, SourceArrays


def evaluate(patch: PatchArrays, state: SourceArrays):
    """chi2 (E,), gradient (S, B + 7), background gradient (E,), all float64; see `fpho.kernel`."""
    return evaluate_many(patch, [state])[0]


def evaluate_many(patch: PatchArrays, states) -> list:
    """`evaluate` of several states of one patch (same shapes) in one launch, or as few as fit in memory."""
    return _resident(patch).evaluate(states)


def model(patch: PatchArrays, state: SourceArrays) -> np.ndarray:
    """Model image on the tiles, background included, (T, 64) float32."""
    return _resident(patch).model(state)


def fisher(patch: PatchArrays, state: SourceArrays) -> np.ndarray:
    """J^t W J (P, P) float64, P = S (B + 7) + E: sources row by row, then the backgrounds."""
    return _resident(patch).fisher(state)


def _resident(patch: PatchArrays):
    """The patch on the device; sent at the first call."""
    from .transport import require_gpu

    require_gpu()
    from .resident import resident

    return resident(patch)
