"""Memory on the device and the way there: made, sent, read and multiplied here and nowhere else.

Memory comes from CuPy's pool; in numba's CUDA simulator (environment variable NUMBA_ENABLE_CUDASIM=1) the
device is this process's memory. Also asked here: whether there is a GPU at all (`require_gpu`).
"""

from functools import cache, partial
from importlib.util import find_spec
from time import perf_counter

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


@cache
def cupy_here():
    """CuPy, after the question whether it can be used."""
    require_gpu()
    import cupy

    return cupy


def name_of_device() -> str:
    """The GPU's name."""
    if SIMULATED:
        return "numba's CUDA simulator"
    runtime = cupy_here().cuda.runtime
    return runtime.getDeviceProperties(runtime.getDevice())["name"].decode()


class NoMemory(InputError):
    """The device's memory does not suffice."""


class Stream:
    """A queue of copies and kernels on the device, in order; other queues are not waited for."""

    def __init__(self):
        self.handle = None if SIMULATED else cupy_here().cuda.Stream(non_blocking=True)

    def sending(self, values, memory: "Memory", start: int):
        """Function that copies a host array to byte `start` on; unchanged until `wait` where it is pinned."""
        if SIMULATED:
            here = memory.raw[start : start + values.nbytes]
            return partial(np.copyto, here, values.reshape(-1).view(np.uint8))
        return self._copying(memory.address + start, values.ctypes.data, values.nbytes, "HostToDevice")

    def reading(self, memory: "Memory", start: int, target):
        """Function that copies to a host array from byte `start` on; complete after `wait`."""
        if SIMULATED:
            here = memory.raw[start : start + target.nbytes]
            return partial(np.copyto, target.reshape(-1).view(np.uint8), here)
        return self._copying(target.ctypes.data, memory.address + start, target.nbytes, "DeviceToHost")

    def send(self, values, memory: "Memory", start: int) -> None:
        """Copies a host array to byte `start` on."""
        self.sending(values, memory, start)()

    def read(self, memory: "Memory", start: int, target) -> None:
        """Copies to a host array from byte `start` on."""
        self.reading(memory, start, target)()

    def move(self, source: "Memory", target: "Memory", size: int) -> None:
        """Copies the first bytes of a memory to another."""
        if SIMULATED:
            target.raw[:size] = source.raw[:size]
        else:
            self._copying(target.address, source.address, size, "DeviceToDevice")()

    def _copying(self, target: int, source: int, size: int, kind: str):
        runtime = cupy_here().cuda.runtime
        direction = getattr(runtime, f"memcpy{kind}")
        return partial(runtime.memcpyAsync, target, source, size, direction, self.handle.ptr)

    def wait(self) -> None:
        """Until all that was put into the queue is done."""
        if not SIMULATED:
            self.handle.synchronize()

    def mark(self):
        """A point in time of the queue, for `seconds`."""
        return perf_counter() if SIMULATED else self.handle.record()

    @staticmethod
    def seconds(before, after) -> float:
        """Time between two marks that have been passed."""
        return after - before if SIMULATED else cupy_here().cuda.get_elapsed_time(before, after) / 1e3

    def captured(self, functions):
        """What functions put into the queue, as a CUDA graph: not done now, but at each `replay`."""
        if SIMULATED:
            return functions
        runtime = cupy_here().cuda.runtime
        self.handle.begin_capture(runtime.streamCaptureModeThreadLocal)
        try:
            for function in functions:
                function()
        finally:
            graph = self.handle.end_capture()
        return graph

    def replay(self, graph) -> None:
        """Puts a graph into the queue."""
        if SIMULATED:
            for function in graph:
                function()
        else:
            graph.launch(self.handle)

    def gram(self, memory: "Memory", start: int, shape: tuple, columns: int) -> np.ndarray:
        """A A^t, float64, of the first columns of a float32 matrix of a shape that begins at byte `start`."""
        if SIMULATED:
            used = memory.raw[start:].view(np.float32)[: shape[0] * shape[1]].reshape(shape)[:, :columns]
            return (used @ used.T).astype(np.float64)
        cupy = cupy_here()
        with self.handle:
            used = cupy.ndarray(shape, cupy.float32, memory.raw + start)[:, :columns]
            return cupy.asnumpy(used @ used.T).astype(np.float64)


class Memory:
    """Uninitialised bytes on the device, of a stream.

    Raises
    ------
    NoMemory
        With sizes and what helps.
    """

    def __init__(self, size: int, stream: Stream):
        self.size, self.raw = size, allocate(size, stream)
        self.address = 0 if SIMULATED else self.raw.ptr

    def seen_as(self, kind: str) -> np.ndarray:
        """All of it as a flat array (simulator)."""
        return self.raw[: self.size // 8 * 8].view(kind)


def allocate(size: int, stream: Stream):
    """Bytes on the device; in the simulator bits that are no number and no index."""
    if SIMULATED:
        return np.full(size, 255, np.uint8)
    cupy = cupy_here()
    try:
        with stream.handle:
            return cupy.cuda.alloc(size)
    except cupy.cuda.memory.OutOfMemoryError:
        free, total = cupy.cuda.runtime.memGetInfo()
        found = f"{size / 1e6:.0f} MB wanted, {free / 1e6:.0f} of {total / 1e6:.0f} MB free on the device"
        raise NoMemory("kernel gpu", found, SMALLER) from None


def pinned(size: int) -> np.ndarray:
    """Bytes on the host that the device copies from and to by itself."""
    if SIMULATED:
        return np.zeros(size, np.uint8)
    return np.frombuffer(cupy_here().cuda.alloc_pinned_memory(size), np.uint8, size)
