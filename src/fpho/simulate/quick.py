"""The light of many sources through one PSF image: as `effective` draws it, in a tenth of the time.

Most of that time is the Fourier transform of the PSF, interpolated anew for each source. Here it is made once
for each size of stamp; GalSim gives it, and that of each galaxy, and numpy multiplies and transforms back.
"""

import numpy as np

from .drawing import jacobian_at, pixel_matrices, sky_profile
from .effective import REACH, psf_object

SIZES = tuple(n << k for k in range(3, 10) for n in (8, 10, 12, 14))  # of stamps: quick to transform
MOST = 4096  # pixels of a stamp


class Drawer:
    """Stamps of sources in one image, nJy per pixel.

    Parameters
    ----------
    psf : `fpho.psf.PSFImage`. wcs : of the image. scale : arcsec per pixel. shape : (ny, nx)
    """

    def __init__(self, psf, wcs, scale: float, shape):
        self.psf, self.wcs, self.scale, self.shape = psf_object(psf), wcs, scale, shape
        self.half_width = psf.half_width
        self.fine = int(np.ceil(self.psf.maxk / np.pi - 1e-9))  # samples of a pixel that lose nothing
        self._of_size: dict[int, np.ndarray] = {}

    def stamps(self, rows, band: str, profiles=None):
        """Yield (s, place, light) of the sources (S,) that reach the image; place : (rows, columns) of it.

        profiles : GalSim objects on the sky (arcsec), flux 1, in place of the Sersic profile of each row, or
        None.
        """
        if len(rows) == 0:
            return
        places = np.stack(self.wcs.world_to_pixel_values(rows["ra"], rows["dec"]), axis=1)
        matrices = pixel_matrices(self.wcs, rows["ra"], rows["dec"])
        reach = self.half_width + REACH * rows["rhalf"] / self.scale + 3
        (ny, nx), (x, y) = self.shape, places.T
        near = (x > -reach) & (y > -reach) & (x < nx - 1 + reach) & (y < ny - 1 + reach)
        for s in np.flatnonzero(near):
            galaxy = self._galaxy(rows[s], matrices[s], profiles[s] if profiles else None)
            low, light = self._stamp(galaxy, places[s], reach[s])
            place, part = self._on_image(low, light.shape[0])
            if light[part].size:
                yield int(s), place, light[part] * float(rows[band][s])

    def _galaxy(self, row, matrix, profile):
        """GalSim object in pixels, or None for a point."""
        if row["is_point"] or row["rhalf"] <= 0:
            return None
        shape = float(row["sersic"]), float(row["rhalf"]), float(row["q"]) ** 2, float(row["pa"])
        return jacobian_at(matrix).profileToImage(profile or sky_profile(*shape)).withFlux(1.0)

    def _stamp(self, galaxy, xy, reach: float):
        """(x and y of its first pixel, light (n, n) of flux 1)."""
        wide = (
            0.0 if galaxy is None else 2 * np.pi / galaxy.stepk
        )  # what is beyond folds back: as GalSim allows
        size = _size(max(2 * reach, wide + 2 * self.half_width))
        low = np.round(xy).astype(int) - size // 2
        light = self._transform(size) * self._phase(xy - low, size)
        if galaxy is not None:
            light = light * self._drawn(galaxy, size)
        return low, np.fft.irfft2(light)[:: self.fine, :: self.fine] * self.fine**2

    def _transform(self, size: int) -> np.ndarray:
        """Of the PSF, (fine * size, fine * size / 2 + 1)."""
        if size not in self._of_size:
            self._of_size[size] = self._drawn(self.psf, size)
        return self._of_size[size]

    def _drawn(self, thing, size: int) -> np.ndarray:
        import galsim

        n = self.fine * size
        image = galsim.ImageCD(galsim.BoundsI(0, n // 2, -n // 2, n // 2 - 1), scale=2 * np.pi / size)
        thing.drawKImage(image=image, recenter=False)
        return np.fft.ifftshift(image.array, axes=0)

    def _phase(self, xy, size: int) -> np.ndarray:
        """Of a source at (x, y) from the stamp's first pixel."""
        n = self.fine * size
        kx, ky = 2 * np.pi * self.fine * np.fft.rfftfreq(n), 2 * np.pi * self.fine * np.fft.fftfreq(n)
        return np.exp(-1j * ky * xy[1])[:, None] * np.exp(-1j * kx * xy[0])

    def _on_image(self, low, size: int):
        """((rows, columns) of the image, the same of the stamp)."""
        limits = [
            (max(0, at), max(0, min(most, at + size))) for at, most in zip(low[::-1], self.shape, strict=True)
        ]
        place = tuple(slice(*limit) for limit in limits)
        inside = tuple(
            slice(first - at, max(first, last) - at)
            for (first, last), at in zip(limits, low[::-1], strict=True)
        )
        return place, inside


def _size(least: float) -> int:
    return next((size for size in SIZES if size >= least), MOST)
