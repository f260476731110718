"""Whether the GPU can be used: asked in one place."""

from importlib.util import find_spec

from ..errors import InputError

CURE = 'On a machine with an NVIDIA GPU: pip install "fpho[cuda12]"; else use CPUPatchMixin (kernel: cpu)'


def require_gpu() -> None:
    """Stop unless CuPy, numba-cuda and a GPU are here.

    Raises
    ------
    InputError
        With what is missing, and what to install.
    """
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
