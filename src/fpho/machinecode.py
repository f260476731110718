"""Functions that numba compiles on first use; the machine code is kept on disk for later processes.

Numba's own cache looks for its folder, and tries to write there, when a function is defined, and fills all
tables that a compiler needs before it loads machine code, which needs none of them. Both are most of what a
new process with a short task spends on compiled code; the cache here leaves both for when they are needed.

Numba also passes over the package's own folder where it cannot write there: an image of a container, or an
installation that many users share, would compile again what was compiled into it. Here it is read.

And numba keeps machine code until the file of its function changes, though functions of other files may be
part of it; here until anything changes that is.
"""

import hashlib
import os
from contextlib import suppress
from functools import cache, partial
from types import ModuleType

from numba import njit
from numba.core import config
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.dispatcher import Dispatcher
from numba.core.runtime import rtsys


def compiled(function=None, *, stamp: str | None = None, **options):
    """`function` compiled on first use, with `options` of `numba.njit`; also a decorator without arguments.

    stamp : the code is compiled anew when this changes; None: when a file does whose functions it calls.
    """
    if function is None:
        return lambda function: compiled(function, stamp=stamp, **options)
    made = njit(**options)(function)
    made._cache = LateCache(function, stamp)
    return made


def stamp_of(function) -> str:
    """Hash of the files of a function and of all compiled ones that it calls, their options and numbers."""
    digest, numbers = hashlib.sha256(), {}
    found = [function]
    for one in found:
        for name, value in _named(one):
            inner = getattr(value, "py_func" if isinstance(value, Dispatcher) else "_defn", None)
            if inner is not None and inner not in found:
                found.append(inner)
                numbers[one.__module__, name] = _options(value)
            elif isinstance(value, (bool, int, float, complex, str, tuple)):
                numbers[one.__module__, name] = repr(value)
    for path in sorted({one.__code__.co_filename for one in found}):
        digest.update(_content(path))
    digest.update(repr(sorted(numbers.items())).encode())
    return digest.hexdigest()


def _options(function) -> str:
    """Those of a compiled function, in an order that does not change from process to process."""
    options = getattr(function, "targetoptions", {})
    return repr(
        sorted((name, sorted(x) if isinstance(x, (set, frozenset)) else x) for name, x in options.items())
    )


def _named(function):
    """Pairs (name, what it stands for) of all that a function, or a module that it names, calls by a name."""
    names, known = function.__code__.co_names, function.__globals__
    for name in names:
        value = known.get(name)
        yield name, value
        if isinstance(value, ModuleType):
            yield from ((f"{name}.{part}", vars(value)[part]) for part in names if part in vars(value))


@cache
def _content(path: str) -> bytes:
    """A file of code; nothing where it was never on disk."""
    with suppress(OSError), open(path, "rb") as file:
        return file.read()
    return b""


def on_disk(function) -> bool:
    """Whether there is code of a compiled function for this processor, made from the present sources.

    A cache in a home directory is shared by all machines of a cluster.
    """
    here = function.targetctx.codegen().magic_tuple()
    return any(
        key[1] == here for file in function._cache.files for key in _readable(file, file._load_index, ())
    )


def _readable(file: IndexDataCacheFile, read, otherwise):
    """`read()` of a file of the cache; `otherwise` where that speaks of classes that are gone.

    An older version's does. Such a file is removed: numba would stop at it when it writes.
    """
    try:
        return read()
    except (AttributeError, ImportError):
        with suppress(OSError):
            os.unlink(file._index_path)
        return otherwise


class LateCache(FunctionCache):
    """Numba's cache of a function, found when it is first asked for.

    files : what is read, in this order: numba's own choice, into which is written; the package's folder
    """

    def __init__(self, function, stamp: str | None):
        self._function, self._stamp = function, stamp

    def __getattr__(self, name):
        """What numba's own cache sets when it is made: the first look for any of it makes it."""
        if "files" in self.__dict__ or name.startswith("__"):
            raise AttributeError(name)
        super().__init__(self._function)
        self._cache_file._source_stamp = self._stamp or stamp_of(self._function)
        self.files = [self._cache_file]
        package = os.path.join(os.path.dirname(self._function.__code__.co_filename), "__pycache__")
        if (
            package != self._cache_path and not config.CACHE_DIR
        ):  # a folder that the user names is all there is
            stamp = self._cache_file._source_stamp
            self.files.append(IndexDataCacheFile(package, self._impl.filename_base, stamp))
        return getattr(self, name)

    def load_overload(self, sig, target_context):
        """Machine code of a signature, or None. It needs numba's memory management, and no compiler."""
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def _load_overload(self, sig, target_context):
        if not self._enabled:
            return None
        key = self._index_key(sig, target_context.codegen())
        found = (_readable(file, partial(file.load, key), None) for file in self.files)
        code = next((code for code in found if code is not None), None)
        return None if code is None else self._impl.rebuild(target_context, code)
