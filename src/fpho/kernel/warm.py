"""Compiled code comes from the disk, also in the process that would be the first to compile it.

A process that has just compiled holds other copies of the inner functions than one that loads the
outermost ones from the cache; the two round differently in the last digits of float32 sums. So a run
whose cache is empty lets another process compile, and loads like all others: same inputs, same bits.

    python -m fpho.kernel.warm      compiles everything for this processor
"""

import atexit
import logging
import subprocess
import sys

import numpy as np

from ..importing import seldom_collected
from ..machinecode import on_disk
from .arrays import PatchArrays, SourceArrays

log = logging.getLogger("fpho")


def fill_cache(functions) -> None:
    """See that compiled `functions` (dispatchers of numba) are on disk; compile in another process if not."""
    if all(on_disk(function) for function in functions):
        return
    start()
    if not _started:  # another process has just done it
        return
    with _started.pop() as process:
        words = process.communicate()[1]
    if process.returncode:
        log.warning("the compiled likelihood cannot be kept on disk: %s", words.strip()[-300:])


_started: list[subprocess.Popen] = []


def start() -> None:
    """Begin to compile in another process, if that is needed, while this one does something else."""
    from . import cpu

    if _started or all(on_disk(function) for function in cpu.ENTRIES):
        return
    log.info("compiling the likelihood for this processor; once, a minute or so")
    command = [sys.executable, "-m", "fpho.kernel.warm"]
    _started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))


@atexit.register
def _stop() -> None:
    for process in _started:
        process.kill()


def smallest_scene() -> tuple[PatchArrays, SourceArrays]:
    """One source, one tile, one Gaussian."""
    one = np.ones((1, 1))
    patch = PatchArrays(
        data=np.zeros((1, 64), "f4"),
        weight=np.ones((1, 64), "f4"),
        tile_x=np.zeros(1, "i4"),
        tile_y=np.zeros(1, "i4"),
        exposure_start=np.array([0, 1], "i8"),
        band=np.zeros(1, "i4"),
        position=np.full((1, 1, 2), 3.5),
        scale=np.eye(2)[None, None],
        gain=one,
        psf_index=np.zeros((1, 1), "i4"),
        psf=np.array([[[1.0, 0, 0, 1, 1, 0]]]),
        psf_count=np.ones(1, "i4"),
    )
    sources = np.array([[1.0, 0, 0, 1, 1, 0, 1, 1]])
    profile = np.array([[[1.0, 1, 0, 0, 0, 0]]])
    return patch, SourceArrays(sources, profile, np.ones(1, "i4"), np.zeros(1))


if __name__ == "__main__":
    from . import cpu

    cpu.compile_here()
    scene = smallest_scene()
    with seldom_collected():
        cpu.evaluate(*scene), cpu.chi_squares(scene[0], scene[1][None]), cpu.fisher(*scene)
