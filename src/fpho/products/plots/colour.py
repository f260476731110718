"""One colour picture of up to three bands: data, model, residual."""

import numpy as np

from ...geometry import pixel_scale
from ..picture import Picture
from .marks import compass_and_scale, mark_sources
from .sky import sky_axes
from .style import RESIDUAL_RANGE, WIDEST, figure, headline, hide_axes, short

BLACK = -1.0  # S/N per pixel that is shown as black, so that the sky is dark grey and its noise is seen
STRETCH, SOFTENING = 8.0, 6.0  # of Lupton et al. (2004): linear in the sky, white at some 200 sigma


def plot_colour(path, pictures: list[Picture], rows) -> None:
    """Data and model of a field in colour with one stretch, and the residual about grey.

    pictures : one for each band, blue to red; the first, middle and last are used, on the grid of
    the first, each in units of its noise. Of two bands the mean is green.
    """
    pictures = [picture.thinned(WIDEST) for picture in pictures]
    grid = pictures[0]
    ny, nx = shape = grid.data.shape
    with figure(path, 12.0, 3.8 * ny / nx + 1.0) as fig:
        places = fig.add_gridspec(1, 3)
        axes = [
            sky_axes(fig, places[0], grid.wcs, shape),
            *(fig.add_subplot(place) for place in list(places)[1:]),
        ]
        axes[0].imshow(colours(layers_of(pictures, "data", grid)))
        axes[1].imshow(colours(layers_of(pictures, "model", grid)))
        axes[2].imshow(about_grey(layers_of(pictures, "residual", grid)))
        names = (
            "data",
            "model, half-light ellipses",
            f"residual: black −{RESIDUAL_RANGE:g}, grey 0, white +{RESIDUAL_RANGE:g} sigma",
        )
        for axis, name in zip(axes, names, strict=True):
            axis.set_title(name)
            axis.set(xlim=(-0.5, nx - 0.5), ylim=(-0.5, ny - 0.5))
        for axis in axes[1:]:
            hide_axes(axis)
        compass_and_scale(axes[0], grid.wcs, shape, colour="white")
        mark_sources(axes[1], rows, grid.wcs, shape, labels=False, colour="0.85")
        headline(fig, f"red, green, blue: {', '.join(map(short, _names(pictures)))}")


def colours(layers: np.ndarray) -> np.ndarray:
    """RGB (ny, nx, 3) of S/N maps by astropy's stretch of the mean, which keeps hues (Lupton et al. 2004)."""
    from astropy.visualization import make_lupton_rgb

    return make_lupton_rgb(*np.nan_to_num(layers), minimum=BLACK, stretch=STRETCH, Q=SOFTENING)


def about_grey(layers: np.ndarray) -> np.ndarray:
    """RGB (ny, nx, 3) in [0, 1] of residuals in sigma: grey where there is none."""
    return np.clip(0.5 + np.moveaxis(np.nan_to_num(layers), 0, -1) / (2 * RESIDUAL_RANGE), 0, 1)


def _names(pictures) -> list[str]:
    """Bands of red, green and blue."""
    bands = [picture.band for picture in pictures]
    return [bands[-1], bands[len(bands) // 2] if len(bands) > 2 else "their mean", bands[0]]


def layers_of(pictures, name: str, grid: Picture) -> np.ndarray:
    """Red, green and blue in S/N, (3, ny, nx)."""
    first, last = (_layer(picture, name, grid) for picture in (pictures[0], pictures[-1]))
    middle = pictures[len(pictures) // 2]
    green = _layer(middle, name, grid) if len(pictures) > 2 else 0.5 * (first + last)
    return np.stack([last, green, first])


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
