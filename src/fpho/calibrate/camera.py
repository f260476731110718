"""Images of the trials: two bands with PSFs of their own, noise, and the PSF mixtures that a fit is given.

The truth is drawn by GalSim through the PSF's image; the fit sees the mixture that `fpho.psf` makes of that
image, as with real data.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..config import Calibrate, Config
from ..images import Exposure
from ..parameters import scene_dtype
from ..psf import PSFStore, fit_mixture, write_store
from ..psf.build import as_group, whole
from ..simulate import draw_noiseless, make_wcs, moffat_psf, optical_psf, psf_from_image, psf_image

REFERENCE = (53.16, -27.79)  # degrees
OVERSAMPLE = 4
HALF_WIDTH = 1.5  # arcsec, of a PSF image
ROTATION = (12.0, -31.0, 75.0, 140.0)  # degrees, of the bands' images
OPTICS = {
    "moffat": lambda scale: moffat_psf(0.13, scale, beta=3.2, e1=0.03, e2=-0.02),
    "optical": lambda scale: optical_psf(1.2, 2.4, scale, jitter=0.03, coma1=0.02, astig2=-0.02),
}


@dataclass(frozen=True)
class StampCamera:
    """One band: its PSF as a GalSim object in pixels, the WCS, noise in nJy per pixel."""

    band: str
    psf: object
    wcs: object
    shape: tuple[int, int]
    noise: float

    def noiseless(self, rows) -> np.ndarray:
        """Image (ny, nx) of scene rows, nJy per pixel."""
        return draw_noiseless(rows, self.wcs, self.psf, self.shape, self.band)

    def expose(self, rows, rng) -> Exposure:
        """An exposure of scene rows with noise."""
        image = self.noise * rng.standard_normal(self.shape)
        if len(rows):
            image = image + self.noiseless(rows)
        return Exposure(
            id=self.band,
            band=self.band,
            kind="exposure",
            data=image.astype("f4"),
            ierr=np.full(self.shape, 1 / self.noise, "f4"),
            wcs=self.wcs,
            header=self.wcs.to_header(),
        )


def bands_of(config: Config) -> tuple[str, ...]:
    """Names of the bands: their number and PSF."""
    return _names(config.calibrate)


def _names(options: Calibrate) -> tuple[str, ...]:
    return tuple(f"B{i + 1}_{name}" for i, name in enumerate(options.psf))


def cameras(config: Config) -> tuple[StampCamera, ...]:
    """The bands' cameras, made once per process."""
    return _cameras(config.calibrate.model_dump_json())


@lru_cache(maxsize=2)
def _cameras(text: str) -> tuple[StampCamera, ...]:
    options = Calibrate.model_validate_json(text)
    made = []
    for i, band in enumerate(_names(options)):
        scale = options.pixel_scale[i]
        shift = (0.013 * i, -0.021 * i)
        shape = (options.size, options.size)
        wcs = make_wcs(*REFERENCE, scale, shape, ROTATION[i % len(ROTATION)], shift)
        psf = psf_from_image(_stamp(options.psf[i], scale), OVERSAMPLE)
        made.append(StampCamera(band, psf, wcs, shape, options.noise))
    return tuple(made)


def _stamp(name: str, scale: float) -> np.ndarray:
    """Image of a PSF without the pixel response, OVERSAMPLE samples per pixel."""
    return psf_image(OPTICS[name](scale), OVERSAMPLE, 2 * int(HALF_WIDTH / scale * OVERSAMPLE) + 1, False)


def make_store(config: Config, path) -> PSFStore:
    """Fit a mixture to the PSF image of each band and write the store, with what the mixtures leave."""
    options, groups = config.calibrate, {}
    for i, band in enumerate(bands_of(config)):
        stamp = _stamp(options.psf[i], options.pixel_scale[i])
        fit = fit_mixture(
            stamp,
            config.psf.n_components,
            config.psf.max_components,
            oversample=OVERSAMPLE,
            pixel_included=False,
        )
        groups[band] = as_group([whole(fit) if config.psf.remainder else fit])
    write_store(path, groups)
    return PSFStore(path)


def unit_snr(config: Config) -> np.ndarray:
    """S/N in each band (B,), per nJy, of a source of median size and index."""
    rows = np.zeros(1, scene_dtype(bands_of(config)))
    rows["ra"], rows["dec"] = REFERENCE
    rows["q"], rows["sersic"], rows["rhalf"] = 0.8, 1.5, 0.3
    for band in bands_of(config):
        rows[band] = 1.0
    return snr_of(rows, config)[0]


def snr_of(rows, config: Config) -> np.ndarray:
    """S/N (S, B) of the flux of each source alone, its shape and position known."""
    return np.array(
        [
            [np.sqrt(np.sum(camera.noiseless(row) ** 2)) / camera.noise for camera in cameras(config)]
            for row in np.split(rows, len(rows))
        ]
    )
