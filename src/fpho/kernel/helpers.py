"""Threads that wait for work of this process: handing it over takes a tenth of an executor's time."""

import os
import threading
from queue import SimpleQueue

_of_process: dict = {}


def together(n: int, function) -> None:
    """`function()` on n threads at once, this one among them; returns when all have, raises what one raised.

    Those that start late, since other calls keep the helpers busy, must find that nothing is left to be done.
    """
    if n <= 1:
        return function()
    jobs, done = _jobs(n - 1), SimpleQueue()
    for _ in range(n - 1):
        jobs.put((function, done))
    try:
        function()
    finally:
        errors = [done.get() for _ in range(n - 1)]
    for error in errors:
        if error is not None:
            raise error


def _jobs(n: int) -> SimpleQueue:
    """The queue of this process's helpers, at least n of them; a forked child makes its own."""
    jobs, threads = _of_process.setdefault(os.getpid(), (SimpleQueue(), []))
    while len(threads) < n:
        threads.append(threading.Thread(target=_serve, args=(jobs,), name="fpho-kernel", daemon=True))
        threads[-1].start()
    return jobs


def _serve(jobs: SimpleQueue) -> None:
    """A helper's life."""
    while True:
        function, done = jobs.get()
        try:
            function()
        except BaseException as error:
            done.put(error)
        else:
            done.put(None)
        del function  # with all arrays that it holds
