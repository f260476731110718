"""One colour picture of up to three bands: data, model, residual."""

import numpy as np

from ...geometry import pixel_scale
from ..picture import Picture
from .marks import compass_and_scale, mark_sources
from .style import figure, hide_axes, short

SOFTENING = 3.0  # S/N per pixel where the stretch turns from linear to logarithmic
WHITE = 60.0  # S/N per pixel that is shown at full intensity
BLACK = -1.5  # S/N per pixel that is shown as black


def plot_colour(path, pictures: list[Picture], rows) -> None:
    """Data, model and residual of a field in colour.

    pictures : one for each band, blue to red; the first, middle and last are used, on the grid of
    the first, each in units of its noise.
    """
    chosen = [pictures[0], pictures[len(pictures) // 2], pictures[-1]]
    grid = chosen[0]
    ny, nx = shape = grid.data.shape
    with figure(path, 11.4, 3.8 * ny / nx + 0.3) as fig:
        for axis, name in zip(fig.subplots(1, 3), ("data", "model", "residual"), strict=True):
            layers = np.stack([_layer(p, name, grid) for p in chosen[::-1]], axis=-1)
            axis.imshow(colours(layers), origin="lower")
            axis.set_title(name)
            hide_axes(axis)
            if name == "data":
                compass_and_scale(axis, grid.wcs, shape, colour="white")
            if name == "model":
                mark_sources(axis, rows, grid.wcs, shape, labels=False, colour="0.85")
        fig.suptitle("red, green, blue: " + ", ".join(short(p.band) for p in chosen[::-1]), fontsize=9)


def colours(layers: np.ndarray) -> np.ndarray:
    """RGB in [0, 1] from S/N maps (ny, nx, 3): one stretch of the mean, hues kept (Lupton et al. 2004)."""
    layers = np.nan_to_num(layers) - BLACK
    mean = np.maximum(layers.mean(axis=-1, keepdims=True), 1e-6)
    bright = np.arcsinh(mean / SOFTENING) / np.arcsinh((WHITE - BLACK) / SOFTENING)
    rgb = np.maximum(layers, 0) * bright / mean
    return rgb / np.maximum(rgb.max(axis=-1, keepdims=True), 1.0)


def _layer(picture: Picture, name: str, grid: Picture) -> np.ndarray:
    """An image in S/N per pixel of the grid, sampled at the grid's pixels (bilinear; for display only)."""
    from scipy.ndimage import map_coordinates

    values = {"data": picture.data, "model": picture.model, "residual": picture.data - picture.model}[name]
    values = np.where(picture.good | (name == "model"), values, 0.0) / picture.noise
    if picture is grid:
        return values
    y, x = np.indices(grid.data.shape)
    place = picture.wcs.world_to_pixel_values(*grid.wcs.pixel_to_world_values(x, y))
    ratio = pixel_scale(grid.wcs, grid.data.shape) / pixel_scale(picture.wcs, picture.data.shape)
    return ratio * map_coordinates(values, place[::-1], order=1, cval=0.0)
