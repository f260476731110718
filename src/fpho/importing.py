"""Imports of much at once, and other work that makes much and throws little away."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW = 200_000  # containers that are made before they are looked through; Python's own number is 700 or 2000


@contextmanager
def without_collections() -> Iterator[None]:
    """While much is imported, nothing of it is garbage: looking for that takes up to a fifth of the time."""
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wanted:
            gc.enable()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """In the block, garbage is looked for less often: a first fit spends a tenth of its time on that else."""
    before = gc.get_threshold()
    if before[0]:  # 0: the user has switched it off
        gc.set_threshold(max(before[0], NEW), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
