"""The kernels as compiled code, and their launches.

numba-cuda compiles a kernel to PTX, kept on the disk; the driver, called through CuPy, loads and starts it.
All kernels take the same two memories, as arrays that numba knows by seven words each; so the words of all
arguments are written when the memories change, and a launch is one call of the driver (numba's own way
through seven arrays takes some ten times as long). In numba's CUDA simulator kernels are called as they are.
"""

import hashlib
import re
import sys
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numba import config

from ...errors import InputError
from ...files import write_text
from ..compiled import STAMP, source_stamp
from .layout import THREADS, LaunchMemory, PatchMemory
from .transport import SIMULATED, Memory, Stream, cupy_here

ARRAY_WORDS = 7  # of an array in numba: two unused, elements, bytes of each, address, length, stride
SCALARS = 3  # most numbers that a kernel takes after the memories
# Blocks that shall fit on a multiprocessor together; limits the registers of a thread.
BLOCKS_AT_ONCE = {"evaluate": 5, "draw": 5, "finish": 4}
WORDS = ARRAY_WORDS * (len(PatchMemory._fields) + len(LaunchMemory._fields)) + SCALARS


def signature(scalars: int) -> tuple:
    """Numba's types of the arguments of a kernel."""
    from numba import types
    from numba.np.numpy_support import from_dtype

    def record(kind):
        scalars = [from_dtype(np.dtype(name)) for name in kind._fields]
        return types.NamedTuple([types.Array(scalar, 1, "C") for scalar in scalars], kind)

    return record(PatchMemory), record(LaunchMemory), *[types.int64] * scalars


def ptx_of(kernel, scalars: int, capability: tuple, line_numbers: bool = False) -> tuple[str, str]:
    """PTX of a kernel for a compute capability, and its name there."""
    from numba import cuda

    bounds = THREADS, BLOCKS_AT_ONCE.get(kernel.__name__, 1)
    ptx, _ = cuda.compile(
        kernel.py_func, signature(scalars), device=False, cc=capability, abi="numba", output="ptx",
        lineinfo=line_numbers, launch_bounds=bounds,
    )  # fmt: skip
    name, given = re.search(r"\.visible \.entry (\w+)\(([^)]*)\)", ptx).groups()
    expected = WORDS - SCALARS + scalars
    if re.findall(r"\.param \.(\w+)", given) != ["u64"] * expected:
        cure = "Install a release of numba-cuda that fpho was tested with (0.30), or use kernel: cpu"
        raise InputError("kernel gpu", "numba-cuda passes arrays in a way that is not known", cure)
    return ptx, name


def stored(kernel, scalars: int, capability: tuple) -> tuple[str, str]:
    """`ptx_of`, from the disk where it has been made before: six seconds in every worker process otherwise.

    The file is named by all that PTX is made of, and stands where numba keeps what it compiles: beside the
    code, or in the folder of NUMBA_CACHE_DIR. Where neither can be written, PTX is made each time.
    """
    folder = Path(config.CACHE_DIR) if config.CACHE_DIR else Path(__file__).parent / "__pycache__"
    path = folder / f"{kernel.__name__}-{digest(scalars, capability)}.ptx"
    try:
        name, _, ptx = path.read_text().partition("\n")
    except OSError:
        ptx, name = ptx_of(kernel, scalars, capability)
        try:
            write_text(path, f"{name}\n{ptx}")
        except OSError:
            pass
    return ptx, name


def digest(scalars: int, capability: tuple) -> str:
    """Of the code of the kernels, what compiles it, and for what."""
    made_by = sys.version, *(version(name) for name in ("numba-cuda", "numba", "numpy"))
    sources = STAMP, source_stamp(Path(__file__).parent)
    text = repr((made_by, sources, scalars, capability, BLOCKS_AT_ONCE))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def loaded(kernel, scalars: int):
    """(module, address) of a kernel on the device of this process."""
    cupy = cupy_here()
    capability = cupy.cuda.Device().compute_capability
    ptx, name = stored(kernel, scalars, (int(capability[:-1]), int(capability[-1])))
    module = cupy.cuda.function.Module()
    try:
        module.load(ptx.encode() + b"\0")
    except cupy.cuda.driver.CUDADriverError as error:
        cure = "The driver may be older than the CUDA packages: install fpho[cuda12] instead of fpho[cuda13]"
        raise InputError("kernel gpu", f"the driver refuses compiled code ({error})", cure) from None
    return module, cupy.cuda.driver.moduleGetFunction(module.ptr, name)


class Launcher:
    """Starts kernels on a stream, with two memories as their arguments."""

    def __init__(self, stream: Stream):
        self._stream, self._memories, self._arguments = stream, None, None
        self._words = np.zeros(WORDS, np.uint64)
        self._pointers = self._words.ctypes.data + 8 * np.arange(WORDS, dtype=np.uint64)
        self._address = self._pointers.ctypes.data

    def use(self, patches: Memory, work: Memory) -> bool:
        """Kernels started from now on work on these; whether they are others than before."""
        if self._memories == (patches, work):
            return False
        self._memories = patches, work
        kinds = [(patches, name) for name in PatchMemory._fields]
        kinds += [(work, name) for name in LaunchMemory._fields]
        if SIMULATED:
            arrays = [memory.seen_as(kind) for memory, kind in kinds]
            at = len(PatchMemory._fields)
            self._arguments = PatchMemory(*arrays[:at]), LaunchMemory(*arrays[at:])
        else:
            words = [word for memory, kind in kinds for word in _words(memory, kind)]
            self._words[: len(words)] = words
        return True

    def forget(self) -> None:
        """Lets go of the memories, which can then be freed."""
        self._memories = self._arguments = None

    def starting(self, kernel, blocks: int, threads: int, scalars: int = 0):
        """Function that starts a kernel on the memories as they are then; does nothing without blocks."""
        if not blocks:
            return _nothing
        if SIMULATED:
            return lambda *numbers: kernel[blocks, threads](*self._arguments, *numbers)
        start, handle = cupy_here().cuda.driver.launchKernel, loaded(kernel, scalars)[1]
        stream = self._stream.handle.ptr
        return partial(start, handle, blocks, 1, 1, threads, 1, 1, 0, stream, self._address, 0)

    def __call__(self, kernel, blocks: int, threads: int, *scalars) -> None:
        """Starts a kernel."""
        start = self.starting(kernel, blocks, threads, len(scalars))
        if SIMULATED:
            start(*scalars)
        else:
            self._words[WORDS - SCALARS : WORDS - SCALARS + len(scalars)] = scalars
            start()


def _nothing(*_) -> None:
    """A launch of no blocks."""


def _words(memory: Memory, kind: str) -> tuple:
    """The words of an array of a memory's elements of one type."""
    itemsize = np.dtype(kind).itemsize
    n = memory.size // itemsize
    return 0, 0, n, itemsize, memory.address, n, itemsize
