"""An exposure with its model: what the image files and the plots are made of."""

from dataclasses import dataclass

import numpy as np

from ..images import ShiftedWCS
from ..images.wcs import ThinnedWCS


@dataclass(frozen=True)
class Picture:
    """Data and model of one exposure, (ny, nx), nJy per pixel, background subtracted.

    `ierr` is 1 / sigma, 0 where masked.
    """

    id: str
    band: str
    kind: str
    data: np.ndarray
    model: np.ndarray
    ierr: np.ndarray
    wcs: object
    header: object = None

    @property
    def good(self) -> np.ndarray:
        """Pixels that are not masked, (ny, nx) bool."""
        return self.ierr > 0

    @property
    def noise(self) -> float:
        """Typical sigma of a pixel, nJy."""
        return float(1 / np.median(self.ierr[self.good])) if self.good.any() else 1.0

    @property
    def shown(self) -> np.ndarray:
        """Data with NaN where masked."""
        return np.where(self.good, self.data, np.nan)

    @property
    def residual(self) -> np.ndarray:
        """Data - model, nJy per pixel, NaN where masked."""
        return np.where(self.good, self.data - self.model, np.nan)

    @property
    def pull(self) -> np.ndarray:
        """(data - model) / sigma, NaN where masked."""
        return np.where(self.good, (self.data - self.model) * self.ierr, np.nan)

    def thinned(self, most: int) -> "Picture":
        """Itself, or every n-th pixel where a side has more than `most`, as figures show it."""
        step = -(-max(self.data.shape) // most)
        if step == 1:
            return self
        layers = (layer[::step, ::step].copy() for layer in (self.data, self.model, self.ierr))
        return Picture(self.id, self.band, self.kind, *layers, ThinnedWCS(self.wcs, step))

    def cut(self, centre, half_width: float) -> "Picture":
        """The part within `half_width` pixels of `centre` = (x, y), with its WCS moved along."""
        ny, nx = self.data.shape
        x0, y0 = (max(int(np.floor(c - half_width)), 0) for c in centre)
        x1, y1 = (min(int(np.ceil(c + half_width)) + 1, n) for c, n in zip(centre, (nx, ny), strict=True))
        part = np.s_[y0 : max(y1, y0), x0 : max(x1, x0)]
        return Picture(
            self.id,
            self.band,
            self.kind,
            self.data[part].copy(),
            self.model[part].copy(),
            self.ierr[part].copy(),
            ShiftedWCS(self.wcs, (-x0, -y0)),
        )
