"""Everything compiled for this processor, as when an image of a container is built.

    python -m fpho.notebook.warm

A galaxy and a star of a few pixels are fitted and thrown away: what is compiled for them numba keeps on disk,
in the folder of the package where that can be written, else in the cache of the user.
"""

import numpy as np
from astropy.table import Table

from .fitting import fit

SIZE, WIDTH = 25, 1.5  # pixels: side of the image, sigma of the PSF


def compile_all() -> None:
    """Fit and draw once, with all kinds of sources and a sky in the fit."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    psf = np.exp(-0.5 * (x**2 + y**2) / WIDTH**2) / (2 * np.pi * WIDTH**2)
    sources = Table({"x": [8.0, 16.0], "y": [8.0, 16.0], "type": ["sersic", "point"]})
    image = 1000 * (np.roll(psf, (-4, -4), (0, 1)) + np.roll(psf, (4, 4), (0, 1)))
    few = {"error": 1.0, "pixel_scale": 0.1, "sources": sources, "draws": 8, "chains": 2, "progress": False}
    fit(image, psf, background="in_fit", **few)


if __name__ == "__main__":
    compile_all()
