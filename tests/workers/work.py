"""Work for pools: some of it kills its own process."""

import os
import signal
import time
from pathlib import Path

import numpy as np
from scipy.linalg import qr
from threadpoolctl import threadpool_info

from fpho.errors import InputError
from fpho.workers import mapped


def square(x):
    return x * x


def process(_):
    time.sleep(0.05)
    return os.getpid()


def once(path, x, fault):
    """Fails the first time, by the fault that is asked for."""
    try:
        Path(path).touch(exist_ok=False)
    except FileExistsError:
        return x
    return always(x, fault)


def always(x, fault):
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "leaves":
        os._exit(3)
    raise {"memory": MemoryError(), "disk": OSError(28, "No space left on device"), "input": wrong()}[fault]


def counted(folder, x):
    Path(folder, f"{x}").touch()
    return always(x, "disk")


def wrong():
    return InputError("a.fits", "is not there", "Give it")


def broken(x):
    raise LookupError(lambda: x)  # no process border lets that through


def nested(x):
    return mapped(square, [(x,), (x + 1,)], 2)


def sleeping(folder, x):
    Path(folder, f"{os.getpid()}").touch()
    time.sleep(60)


def sleeping_below(folder, x):
    return mapped(sleeping, [(folder, x), (folder, x + 1)], 2)


def decompositions(n: int) -> tuple[bytes, set[int]]:
    """An inverse by numpy and a QR decomposition by scipy; the threads that their libraries may take."""
    a = np.random.default_rng(n).standard_normal((n, 3 * n))
    found = np.linalg.inv(a @ a.T).tobytes() + qr(a, mode="r", pivoting=True)[0].tobytes()
    return found, {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}
