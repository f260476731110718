"""How well an image is fitted."""

import numpy as np

from .picture import Picture


def image_chi2(picture: Picture) -> float:
    """Mean squared residual in sigma^2 over the good pixels of an image."""
    return float(np.nanmean(picture.pull**2)) if picture.good.any() else np.nan
