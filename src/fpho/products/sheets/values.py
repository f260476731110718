"""What a sheet shows, as values: figures are made from these alone."""

from dataclasses import dataclass, field

import numpy as np

from ..picture import Picture


@dataclass(frozen=True)
class SourceView:
    """A cut-out around a source in one image.

    own : (ny, nx), the model of this source alone, nJy per pixel; `picture.model` holds all sources.
    """

    picture: Picture
    own: np.ndarray

    @property
    def others(self) -> np.ndarray:
        """The model of all other sources, (ny, nx)."""
        return self.picture.model - self.own

    @property
    def cleaned(self) -> np.ndarray:
        """Data less all other sources, (ny, nx); where masked, the source's own model."""
        return np.where(self.picture.good, self.picture.data - self.others, self.own)


@dataclass(frozen=True)
class Sheet:
    """One source.

    name : as titles have it. row : scene row at the medians of its draws. bands : in the order of the run.
    views : by band, the image that shows the source best; bands without any are absent.
    images : by band, how many images have the source.
    near : scene rows of all sources on the cut-outs.
    draws : structured (N,), chain after chain, N may be 0. chains : how many.
    psf_width : by band, FWHM of the PSF in arcsec.
    truth : structured row of true values, where they are known.
    """

    name: str
    row: np.void
    bands: list[str]
    views: dict[str, SourceView]
    images: dict[str, int]
    near: np.ndarray
    draws: np.ndarray
    chains: int
    patch: int
    rhat: float = np.nan
    ess: float = np.nan
    chi2: float = np.nan
    psf_width: dict[str, float] = field(default_factory=dict)
    truth: np.void | None = None
