"""Arrays on the device: made, sent, read and multiplied here and nowhere else.

Memory comes from CuPy's pool, seen by the kernels as numba arrays; in numba's CUDA simulator (environment
variable NUMBA_ENABLE_CUDASIM=1) the device is this process's memory. Also asked here: whether there
is a GPU at all (`require_gpu`).
"""

from functools import cache
from importlib.util import find_spec

import numpy as np
from numba import config

from ...errors import InputError

SIMULATED = bool(config.ENABLE_CUDASIM)
CURE = 'On a machine with an NVIDIA GPU: pip install "fpho[cuda12]"; else use CPUPatchMixin (kernel: cpu)'
SMALLER = "Use smaller patches or fewer processes on this GPU (option `patches`), or kernel: cpu"


@cache
def require_gpu() -> None:
    """Stop unless CuPy, numba-cuda and a GPU are here (or numba simulates one).

    Raises
    ------
    InputError
        With what is missing, and what to install.
    """
    if SIMULATED:
        return
    missing = [name for name in ("cupy", "numba_cuda") if find_spec(name) is None]
    if missing:
        raise InputError("kernel gpu", f"{' and '.join(missing)} not installed", CURE)
    import cupy

    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise InputError("kernel gpu", f"no usable GPU ({error})", CURE) from None
    if count == 0:
        raise InputError("kernel gpu", "no GPU found", CURE)


def empty(shape, dtype):
    """Uninitialised array on the device; an axis of length 0 becomes 1, and the array zeros.

    Raises
    ------
    InputError
        Where the device's memory does not suffice.
    """
    make = "empty" if np.all(shape) else "zeros"
    shape = tuple(max(1, int(n)) for n in shape)
    if SIMULATED:
        return getattr(np, make)(shape, dtype)
    import cupy
    from numba import cuda

    try:
        return cuda.as_cuda_array(getattr(cupy, make)(shape, dtype))
    except cupy.cuda.memory.OutOfMemoryError:
        free, total = cupy.cuda.runtime.memGetInfo()
        size = np.prod(shape, dtype=float) * np.dtype(dtype).itemsize
        found = f"{size / 1e6:.0f} MB wanted, {free / 1e6:.0f} of {total / 1e6:.0f} MB free on the device"
        raise InputError("kernel gpu", found, SMALLER) from None


def write(target, values) -> None:
    """Copies a numpy array to a device array of the same shape; one without elements is left out."""
    if values.size:
        values = np.ascontiguousarray(values, target.dtype)
        if SIMULATED:
            target[...] = values
        else:
            target.copy_to_device(values)


def send(values, dtype):
    """A numpy array on the device."""
    target = empty(values.shape, dtype)
    write(target, values)
    return target


def read(array) -> np.ndarray:
    """A device array as a new numpy array."""
    return array.copy() if SIMULATED else array.copy_to_host()


def gram(matrix, columns: int) -> np.ndarray:
    """A A^t, float64 on the host, of the first `columns` columns of a float32 matrix on the device."""
    if SIMULATED:
        used = matrix[:, :columns]
        return (used @ used.T).astype(np.float64)
    import cupy

    used = cupy.asarray(matrix)[:, :columns]
    return cupy.asnumpy(used @ used.T).astype(np.float64)
