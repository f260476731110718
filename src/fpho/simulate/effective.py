"""Sources drawn through the image of an effective PSF (`fpho.psf.PSFImage`), as a user gives it."""

import numpy as np

from .drawing import source_in_pixels

REACH = 15.0  # half-light radii beyond the PSF's own half-width that are drawn


def psf_object(image):
    """GalSim object in detector pixels of a `PSFImage`, pixel response in it, flux = the stamp's total.

    Draw with `draw_effective`. The position of the source in the stamp is kept.
    """
    import galsim

    ny, nx = image.data.shape
    shift = (image.center[0] - (nx - 1) / 2, image.center[1] - (ny - 1) / 2)
    return galsim.InterpolatedImage(
        galsim.Image(np.ascontiguousarray(image.data, "f8")),
        scale=image.step,
        flux=image.total,
        x_interpolant="lanczos7",
        normalization="sb",
        offset=shift,
    )


def draw_effective(image, row, wcs, psf, half_width: float, band: str, scale: float) -> None:
    """Add a source to `image` (ny, nx) in nJy per pixel, in place.

    Parameters
    ----------
    row : scene row. wcs : of the image. psf : as `psf_object` gives it.
    half_width : of the PSF's stamp, pixels. scale : arcsec per pixel.
    """
    place, light = effective_stamp(image.shape, row, wcs, psf, half_width, float(row[band]), scale)
    if light is not None:
        image[place] += light


def effective_stamp(shape, row, wcs, psf, half_width: float, flux: float, scale: float, profile=None):
    """((rows, columns) of an image of `shape`, light (ny, nx) there in nJy per pixel); light None outside.

    Parameters as those of `draw_effective`; profile : GalSim object on the sky (arcsec), flux 1, in place of
    the Sersic profile of `row`.
    """
    import galsim

    x, y = map(float, wcs.world_to_pixel_values(row["ra"], row["dec"]))
    half = int(np.ceil(half_width + REACH * row["rhalf"] / scale)) + 2
    ny, nx = shape
    low = max(0, round(x) - half), max(0, round(y) - half)
    high = min(nx, round(x) + half + 1), min(ny, round(y) + half + 1)
    place = slice(low[1], high[1]), slice(low[0], high[0])
    if low[0] >= high[0] or low[1] >= high[1]:
        return place, None
    stamp = galsim.ImageD(galsim.BoundsI(low[0], high[0] - 1, low[1], high[1] - 1), init_value=0.0)
    light = source_in_pixels(row, wcs, psf, profile).withFlux(flux * psf.flux)
    light.drawImage(image=stamp, center=galsim.PositionD(x, y), scale=1.0, method="no_pixel")
    return place, stamp.array
