"""What an image of a container compiles when it is built is all that a fit needs later."""

import os
import subprocess
import sys

from fpho.notebook.warm import compile_all

from ..conftest import TOP

FIT = """
import fpho
from tests.notebook.scenes import FLUX, NOISE, SCALE, galaxy
cuts = {band: galaxy(band) for band in FLUX}
images, psfs = ({band: getattr(one, name) for band, one in cuts.items()} for name in ("image", "psf"))
fpho.fit(images, psfs, NOISE, pixel_scale=SCALE, draws=8, chains=2, progress=False)
"""


def test_nothing_is_left_to_compile():
    """For two bands of other pixels, with detection and draws all compiled code is loaded from the disk."""
    compile_all()
    env = {**os.environ, "NUMBA_DEBUG_CACHE": "1"}
    done = subprocess.run([sys.executable, "-c", FIT], cwd=TOP, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("[cache]")]
    assert sum("data loaded" in line for line in lines) >= 13
    assert [line for line in lines if "saved" in line] == []
