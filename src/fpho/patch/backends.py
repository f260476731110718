"""Whether the GPU can be used: asked in one place, `fpho.kernel.gpu.transport`."""


def require_gpu() -> None:
    """Stop unless CuPy, numba-cuda and a GPU are here: InputError with what to install."""
    from ..kernel.gpu.transport import require_gpu

    require_gpu()
