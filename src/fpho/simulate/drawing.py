"""Images of catalogs, drawn by GalSim: a referee that shares no formula with the likelihood kernel.

Everything is drawn in detector pixels. A galaxy is defined on the sky (arcsec, east and north) and
carried to pixels by the local Jacobian of the WCS at its position; the PSF is a GalSim object in detector
pixels, without the pixel's own response; GalSim convolves with the square pixel.
"""

from functools import lru_cache

import numpy as np

STEP = 1e-5  # degrees (0.036 arcsec): step of the numerical Jacobian


def draw_exposure(rows, wcs, psf, shape, noise, band, rng, background=0.0) -> np.ndarray:
    """Image of sources with noise, (ny, nx) float64, nJy per pixel.

    Parameters
    ----------
    rows : (S,) structured array of scene rows (`fpho.parameters.scene_dtype`), the truth.
    wcs : object with `world_to_pixel_values` (astropy WCS or alike), zero-indexed pixels.
    psf : GalSim object in detector pixels, flux 1, or a function of (x, y) that gives one.
    shape : (ny, nx).
    noise : sigma of the white Gaussian noise, nJy per pixel, a number or (ny, nx); 0 or None for none.
    band : name of the flux column.
    rng : numpy Generator (not used without noise).
    background : nJy per pixel, a number or (ny, nx).
    """
    image = draw_noiseless(rows, wcs, psf, shape, band) + background
    return image if noise is None else image + noise * rng.standard_normal(shape)


def draw_noiseless(rows, wcs, psf, shape, band) -> np.ndarray:
    """Image of sources without noise, (ny, nx) float64, nJy per pixel; arguments as in `draw_exposure`."""
    import galsim

    image = galsim.ImageD(galsim.BoundsI(0, shape[1] - 1, 0, shape[0] - 1), init_value=0.0)
    for row in np.atleast_1d(rows):
        x, y = map(float, wcs.world_to_pixel_values(row["ra"], row["dec"]))
        local_psf = psf(x, y) if callable(psf) else psf
        light = source_in_pixels(row, wcs, local_psf).withFlux(float(row[band]))
        centre = galsim.PositionD(x, y)
        light.drawImage(image=image, center=centre, scale=1.0, add_to_image=True)
    return image.array.copy()


def source_in_pixels(row, wcs, psf, profile=None):
    """GalSim object, flux 1, in pixels: the source through the PSF, without the pixel's response.

    profile : GalSim object on the sky (arcsec) in place of the row's Sersic profile.
    """
    import galsim

    if row["is_point"] or row["rhalf"] <= 0:
        return psf
    galaxy = profile or sky_profile(
        float(row["sersic"]), float(row["rhalf"]), float(row["q"]) ** 2, float(row["pa"])
    )
    return galsim.Convolve(jacobian(wcs, row["ra"], row["dec"]).profileToImage(galaxy).withFlux(1.0), psf)


@lru_cache(maxsize=512)
def sky_profile(sersic: float, rhalf: float, axis_ratio: float, pa: float):
    """GalSim Sersic profile on the sky: rhalf circularised (arcsec), pa in rad from east (x) to north (y)."""
    import galsim

    profile = galsim.Sersic(n=sersic, half_light_radius=rhalf, gsparams=_accuracy(sersic))
    return profile.shear(q=axis_ratio, beta=pa * galsim.radians)


def _accuracy(sersic: float):
    """Steep profiles have far wings: let less of them fold back into the image."""
    import galsim

    return galsim.GSParams(folding_threshold=2e-3 if sersic > 2 else 1e-3, maximum_fft_size=16384)


def jacobian(wcs, ra: float, dec: float):
    """GalSim WCS from pixels (x, y) to the local sky (east, north) in arcsec, at (ra, dec) in degrees."""
    return jacobian_at(pixel_matrices(wcs, ra, dec))


def jacobian_at(matrix):
    """GalSim WCS of d(x, y) / d(east, north), (2, 2), pixels per arcsec."""
    import galsim

    (dudx, dudy), (dvdx, dvdy) = np.linalg.inv(matrix)
    return galsim.JacobianWCS(dudx, dudy, dvdx, dvdy)


def pixel_matrices(wcs, ra, dec) -> np.ndarray:
    """d(x, y) / d(east, north) at places, (..., 2, 2), pixels per arcsec.

    Central differences of the WCS on the sky: no analytic formula in common with `fpho.geometry`.
    """
    dra = STEP / np.cos(np.radians(dec))
    east = np.subtract(*(_pixel(wcs, ra + s * dra, dec) for s in (1, -1)))
    north = np.subtract(*(_pixel(wcs, ra, dec + s * STEP) for s in (1, -1)))
    return np.moveaxis(np.stack([east, north], axis=-1), 0, -2) / (2 * STEP * 3600)


def _pixel(wcs, ra, dec) -> np.ndarray:
    return np.array(wcs.world_to_pixel_values(ra, dec), dtype="f8")


def signal_to_noise(row, wcs, psf, shape, noise: float, band: str) -> float:
    """S/N of the flux of one source with known shape and position: sqrt(sum(model^2)) / noise."""
    return float(np.sqrt(np.sum(draw_noiseless(row, wcs, psf, shape, band) ** 2)) / noise)
