"""How the CPU kernel is compiled: one place for numba's options, and a cache that follows all sources.

Numba keeps compiled code until the file of the outermost function changes; code inlined from the
other files of this folder would stay behind. The stamp below changes with any of them.
"""

import hashlib
from pathlib import Path

from numba.core.caching import NullCache

from .. import machinecode

FUSED = {
    "contract",
    "nsz",
}  # multiplications and additions may be fused; infinities and NaN keep their meaning


def source_stamp(folder: Path = Path(__file__).parent) -> str:
    """Hash of the sources of this folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


STAMP = source_stamp()
_inner: list = []  # all functions but those that make arrays, which Python calls


def compiled(function, *, flags=False, arrays=False, inline=False):
    """`function` compiled on first use, cached on disk, running without the interpreter's lock.

    flags: of fast-math. arrays: the function makes arrays; without, numba's reference counts are left
    out (in the inner functions counting costs more than a row of pixels). inline: into every caller.
    """
    options = {} if arrays else {"_nrt": False}
    if inline:
        options["forceinline"] = True
    made = machinecode.compiled(
        function, stamp=STAMP, nogil=True, error_model="numpy", fastmath=flags, **options
    )
    if not arrays:
        _inner.append(made)
    return made


def outermost_alone() -> None:
    """In a process that compiles for the disk alone: inner functions get no form that Python can call.

    That takes a fifth of the time. They are not kept either; a process that calls one (a test) compiles it.
    """
    for function in _inner:
        function.targetoptions.update(no_cpython_wrapper=True, no_cfunc_wrapper=True)
        function._cache = NullCache()


def fused(function):
    """Formulas of numbers or vectors, in the order written: part of the loop that they stand in."""
    return compiled(function, flags=FUSED, inline=True)


def lean(function):
    """Compiled code with all operations as written."""
    return compiled(function)


def entry(function):
    """Compiled function that makes arrays."""
    return compiled(function, arrays=True)
