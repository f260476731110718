"""Functions that numba compiles on first use; the machine code is kept on disk for later processes.

Numba's own cache looks for its folder, and tries to write there, when a function is defined, and fills all
tables that a compiler needs before it loads machine code, which needs none of them. Both are most of what a
new process with a short task spends on compiled code; the cache here leaves both for when they are needed.
"""

from numba import njit
from numba.core.caching import FunctionCache
from numba.core.runtime import rtsys


def compiled(function=None, *, stamp: str | None = None, **options):
    """`function` compiled on first use, with `options` of `numba.njit`; also a decorator without arguments.

    stamp : the code is compiled anew when this changes; None: when the file of the function does.
    """
    if function is None:
        return lambda function: compiled(function, stamp=stamp, **options)
    made = njit(**options)(function)
    made._cache = LateCache(function, stamp)
    return made


class LateCache(FunctionCache):
    """Numba's cache of a function, found when it is first asked for."""

    def __init__(self, function, stamp: str | None):
        self._function, self._stamp = function, stamp

    def __getattr__(self, name):
        """What numba's own cache sets when it is made: the first look for any of it makes it."""
        if "_cache_file" in self.__dict__ or name.startswith("__"):
            raise AttributeError(name)
        super().__init__(self._function)
        if self._stamp is not None:
            self._cache_file._source_stamp = self._stamp
        return getattr(self, name)

    def load_overload(self, sig, target_context):
        """Machine code of a signature, or None. It needs numba's memory management, and no compiler."""
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)
