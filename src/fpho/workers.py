"""The one pool of processes: work done by several, of which none outlives its parent.

Each worker has a pipe of its own, so there is no lock or queue that a killed process could leave behind. A
worker's death is seen at once and costs its own work alone, which is done once more, in a new process and by
itself; the same for a worker that ran out of memory or could not write. What fails again for such a reason
is a `MachineError`; any other exception is the caller's and is raised as it is.
"""

import atexit
import ctypes
import logging
import os
import pickle
import signal
import sys
import traceback
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing import connection, get_context, parent_process
from types import ModuleType

from .faults import MACHINE, Lost, end_with, trouble, words_of

log = logging.getLogger("fpho")
ONE_THREAD = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
MOST_FAULTS = 2  # of the machine, per worker, before all work stops
UNSENDABLE = (pickle.PickleError, AttributeError, ImportError, LookupError, TypeError, ValueError)
PR_SET_PDEATHSIG = 1


@contextmanager
def linear_algebra_alone():
    """A context, or decorator: this process's linear algebra takes one thread; several round otherwise.

    So results are the same in a worker, which has one thread, and in a process that has all of them.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller():
    import scipy.linalg  # noqa: F401  (brings a library of its own, which must be there to be found)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def mapped(function, work: Iterable[tuple], cores: int, **options) -> list:
    """Results of `function(*arguments)` for each of several tuples of arguments, in order; see `results`."""
    work = list(work)
    found = dict(results(function, work, cores, **options))
    return [found[key] for key in range(len(work))]


def results(
    function, work: Iterable[tuple], cores: int, *, names=None, preload=()
) -> Iterator[tuple[int, object]]:
    """(place in `work`, result) of each tuple of arguments, as they are done by up to `cores` processes.

    With one core, or one piece of work, all is done in this process, to the last bit as a worker does it.

    Parameters
    ----------
    names : of the pieces of work, for messages
    preload : modules that all workers need, imported once for all

    Raises
    ------
    MachineError
        If a piece of work was lost, or met a fault of the machine, twice, or many pieces were.
    Exception
        What `function` raises otherwise; the other workers are stopped then.
    """
    work = list(work)
    names = names or [f"part {key}" for key in range(len(work))]
    if cores <= 1 or len(work) <= 1:
        for key, arguments in enumerate(work):
            yield key, _here(function, arguments, names[key])
        return
    again = {}
    for key, done, value in _shared(function, dict(enumerate(work)), cores, preload):
        if done:
            yield key, value
        else:
            again[key] = work[key]
            if len(again) > MOST_FAULTS * cores:
                raise trouble(names[key], value)  # this is no single piece's fault
            log.warning("%s: %s; it is done once more", names[key], words_of(value))
    for key, arguments in again.items():
        for _, done, value in _shared(function, {key: arguments}, 1, preload):
            if not done:
                raise trouble(names[key], value)
            yield key, value


@linear_algebra_alone()
def _here(function, arguments, name: str):
    try:
        return function(*arguments)
    except MACHINE as error:
        log.warning("%s: %s; it is done once more", name, words_of(error))
    try:
        return function(*arguments)
    except MACHINE as error:
        raise trouble(name, error) from None


def _shared(function, waiting: dict, cores: int, preload) -> Iterator[tuple[int, bool, object]]:
    """(key, whether it was done, result or fault) from workers, each with one piece of work at a time."""
    os.environ.update(ONE_THREAD)
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, *preload])
    left, busy = list(waiting.items())[::-1], {}
    idle = [_Worker(context) for _ in range(min(cores, len(left)))]
    try:
        while left or busy:
            while left and idle:
                worker = idle.pop()
                key, arguments = left.pop()
                worker.give(key, function, arguments)
                busy[worker.pipe] = worker
            for pipe in connection.wait(list(busy)):
                worker = busy.pop(pipe)
                done, value = worker.take()
                if isinstance(value, Lost):
                    worker.stop()
                    idle += [_Worker(context)] if left else []
                else:
                    idle.append(worker)
                if not done and not isinstance(value, (*MACHINE, Lost)):
                    raise value
                yield worker.key, done, value
    finally:
        for worker in [*idle, *busy.values()]:
            worker.stop()


class _Worker:
    """A process, the pipe to it, and the key of what it does."""

    def __init__(self, context):
        self.pipe, there = context.Pipe()
        self.process = context.Process(target=_serve, args=(there,))
        with _without_main():
            self.process.start()
        there.close()
        self.key = None
        _alive.add(self)

    def give(self, key, function, arguments) -> None:
        self.key = key
        try:
            self.pipe.send((function, arguments))
        except (BrokenPipeError, ConnectionResetError):
            log.debug("a worker died before its work began")  # `take` finds the pipe closed

    def take(self) -> tuple[bool, object]:
        """(whether it was done, result or fault)."""
        try:
            return self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return False, Lost(self.process.exitcode)

    def stop(self) -> None:
        """End it at once: it is idle, or what it does is not wanted any more."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


@contextmanager
def _without_main():
    """A process that starts here does not run the user's script: one without a guard would start it again."""
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


_alive: weakref.WeakSet[_Worker] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """Also where a generator of results was never closed: Python would wait for its workers for ever."""
    for worker in list(_alive):
        worker.process.kill()


def _serve(pipe) -> None:
    """Do what comes through the pipe until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to deal with
    end_with_parent()
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        pipe.send_bytes(_answer(function, arguments))


def _answer(function, arguments) -> bytes:
    try:
        return pickle.dumps((True, function(*arguments)))
    except Exception as error:
        error.add_note(f"in a worker process:\n{traceback.format_exc()}")
        try:
            answer = pickle.dumps((False, error))
            pickle.loads(answer)
        except UNSENDABLE:
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
        return answer


def end_with_parent() -> None:
    """This process ends when the one that uses it does, also by SIGKILL, or when the fork server does."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    end_with(parent_process().join)
