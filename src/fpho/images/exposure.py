"""One image in memory: calibrated pixels, their inverse errors, and where they lie on the sky."""

from dataclasses import dataclass

import numpy as np

from ..geometry import tile_pixels
from ..showing import html_table


@dataclass(frozen=True)
class Exposure:
    """An image in nJy per pixel; pixels are zero-indexed, x = FITS axis 1."""

    id: str
    band: str
    kind: str  # `mosaic` or `exposure`
    data: np.ndarray  # (ny, nx) float32, finite; 0 where masked
    ierr: np.ndarray  # (ny, nx) float32, 1 / sigma (nJy^-1); 0 where masked
    wcs: object  # world_to_pixel_values and pixel_to_world_values, degrees
    header: object  # FITS header with the WCS, for products
    psf: str = ""  # key in the PSF store; empty: the exposure's id, then its band
    noise_scale: float = 1.0  # factor by which the given uncertainties have been multiplied
    noise_slope: float = 0.0  # and the power of the scale by which noise grows besides, see `noise.py`
    wcs_bytes: bytes = b""  # file with the exact WCS where the header cannot hold it, see `wcs.py`

    def __repr__(self) -> str:
        ny, nx = self.data.shape
        good = np.count_nonzero(self.ierr) / max(1, self.ierr.size)
        return f"<Exposure {self.id}: {self.kind} in {self.band}, {nx} x {ny} pixels, {good:.1%} good>"

    def _repr_html_(self) -> str:
        noise = 1 / np.median(self.ierr[self.ierr > 0]) if np.any(self.ierr) else np.nan
        psf = self.psf or "by its id or band"
        return html_table(repr(self), {"noise of a pixel (nJy)": float(noise), "PSF": psf})


@dataclass(frozen=True)
class ExposureTiles:
    """Tiles of 8 x 8 pixels of one exposure; pixel p stands at x = tile_x + p % 8, y = tile_y + p // 8."""

    id: str
    band: str
    wcs: object
    psf: str
    data: np.ndarray  # (T, 64) float32, nJy per pixel
    ierr: np.ndarray  # (T, 64) float32, 1 / sigma (nJy^-1); 0 where masked, padded or outside the region
    tile_x: np.ndarray  # (T,) int32, multiples of 8
    tile_y: np.ndarray  # (T,) int32
    noise_slope: float = 0.0

    @property
    def pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """(x, y), each (T, 64) int: positions of all pixels, padding included."""
        return tile_pixels(self.tile_x, self.tile_y)


def tile_image(image: np.ndarray) -> np.ndarray:
    """(ny, nx) to tiles (T, 64), padded with zeros, row by row of tiles from pixel (0, 0)."""
    ny, nx = image.shape
    padded = np.pad(image, ((0, -ny % 8), (0, -nx % 8)))
    blocks = padded.reshape(padded.shape[0] // 8, 8, padded.shape[1] // 8, 8)
    return np.ascontiguousarray(blocks.transpose(0, 2, 1, 3)).reshape(-1, 64)


def untile_image(tiles: np.ndarray, shape) -> np.ndarray:
    """All tiles (T, 64) of an image back to (ny, nx)."""
    high = [-(-n // 8) for n in shape]
    image = tiles.reshape(high[0], high[1], 8, 8).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(image.reshape(high[0] * 8, high[1] * 8)[: shape[0], : shape[1]])
