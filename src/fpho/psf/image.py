"""PSF images as samples of the effective PSF: checked, normalised, convolved with the detector's pixel."""

import logging
import warnings
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError

LOG = logging.getLogger("fpho")
SMALLEST = 7  # native pixels on a side; below, the wings are lost and no aperture is left to check
FLAT = 0.5  # FWHM over the stamp's width
FAR_OFF_CENTRE = 0.5  # native pixel


@dataclass(frozen=True)
class PSFImage:
    """Samples of an effective PSF.

    data (ny, nx) float64: value per square native pixel at each sample, so that the mean of
    `data` times the stamp's area (native pixels) is `total`; `step` is the distance of samples in
    native pixels; `center` = (x, y) sample index that is the source's position.
    """

    data: np.ndarray
    step: float
    center: tuple[float, float]
    total: float
    where: str = "PSF image"
    location: tuple[float, float] | None = None  # detector (x, y), pixels

    def coordinates(self):
        """x, y (ny, nx) of the samples about the centre, native pixels."""
        y, x = np.indices(self.data.shape)
        return (x - self.center[0]) * self.step, (y - self.center[1]) * self.step

    @property
    def half_width(self) -> float:
        """Distance from the centre to the nearest edge, native pixels."""
        ny, nx = self.data.shape
        cx, cy = self.center
        return (min(cx, nx - 1 - cx, cy, ny - 1 - cy) + 0.5) * self.step


def effective_image(
    data, oversample=1, pixel_included=True, keep_total=False, center="auto", where="PSF image", location=None
) -> PSFImage:
    """Check a PSF stamp and bring it to samples of the effective PSF.

    Parameters
    ----------
    data : (ny, nx) stamp; any scale
    oversample : samples per native pixel and axis
    pixel_included : whether the detector pixel is already in it; if not, it is convolved in here
    keep_total : the stamp's sum is the fraction of the light that it holds (stpsf) and is kept;
        otherwise the stamp is normalised to 1, with a warning when its sum was not
    center : `stamp` (the middle of the array is the source's position), `centroid`, or `auto`:
        the stamp's middle unless the centroid is more than half a native pixel off

    Raises
    ------
    InputError
        For a stamp that is no PSF: not two-dimensional, too small, mostly NaN, no positive sum.
    """
    data = _finite(np.array(data, "f8"), where)
    oversample = float(oversample)
    if not oversample >= 1:
        raise InputError(
            where, f"oversample {oversample:g} is below 1", "Give samples per native pixel, 1 or more"
        )
    if min(data.shape) / oversample < SMALLEST:
        found = f"the stamp is {data.shape[1] / oversample:g} x {data.shape[0] / oversample:g} native pixels"
        raise InputError(where, found, f"Give a stamp of at least {SMALLEST} pixels that holds the wings")
    data, total = _normalise(data, keep_total, where)
    image = PSFImage(data * oversample**2, 1 / oversample, _middle(data), total, str(where), location)
    if fwhm(image) > FLAT * min(data.shape) / oversample:
        found = f"half of the peak is reached over {fwhm(image):.1f} native pixels: the stamp is flat"
        raise InputError(where, found, "Give a stamp with one star, several times wider than its FWHM")
    if not pixel_included:
        image = replace(image, data=convolve_pixel(image.data, oversample))
        if oversample < 2:
            warnings.warn(
                f"{where}: convolved with the pixel on native samples; give an oversampled image, "
                "without the pixel response native samples do not say what is between them",
                stacklevel=2,
            )
    return replace(image, center=_choose_center(image, center))


def _middle(data):
    return (data.shape[1] - 1) / 2, (data.shape[0] - 1) / 2


def _finite(data, where):
    if data.ndim != 2:
        raise InputError(where, f"an array of {data.ndim} dimensions", "Give a two-dimensional PSF image")
    bad = ~np.isfinite(data)
    if bad.mean() > 0.01 or bad[_core(data.shape)].any():
        cure = "Give a PSF image that is finite, at least in its core"
        raise InputError(where, f"{bad.sum()} of {bad.size} values are NaN or infinite", cure)
    if bad.any():
        warnings.warn(f"{where}: {bad.sum()} NaN or infinite values in the wings are set to 0", stacklevel=3)
        data[bad] = 0.0
    return data


def _core(shape):
    """Middle third of a stamp."""
    return tuple(slice(size // 3, size - size // 3) for size in shape)


def _normalise(data, keep_total, where):
    total = data.sum()
    if not total > 0:
        raise InputError(
            where, f"its sum is {total:g}", "Give a PSF image with a positive sum (background removed?)"
        )
    if keep_total and 0.5 < total <= 1.005:
        return data, float(total)
    if abs(total - 1) > 0.005:
        warnings.warn(f"{where}: the stamp's sum is {total:.6g}; it is normalised to 1", stacklevel=3)
    return data / total, 1.0


def convolve_pixel(data, oversample):
    """Convolve samples with the square detector pixel of `oversample` samples on a side.

    By the Fourier transform (sinc), which is exact for a band-limited image whatever the
    oversampling; zeros stand around the stamp.
    """
    pad = int(np.ceil(oversample)) + 1
    shape = [size + 2 * pad for size in data.shape]
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    transform = np.fft.rfft2(data, shape) * np.sinc(fy * oversample) * np.sinc(fx * oversample)
    return np.fft.irfft2(transform, shape)[: data.shape[0], : data.shape[1]]


def centroid(image: PSFImage):
    """Core centroid (x, y) as sample indices: weighted by a Gaussian of twice the core's size, iterated."""
    peak = np.unravel_index(np.argmax(image.data), image.data.shape)
    cx, cy = float(peak[1]), float(peak[0])
    sigma = 2 * max(fwhm(image) / 2.355, 0.5) / image.step
    y, x = np.indices(image.data.shape)
    for _ in range(30):
        weight = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)) * image.data
        step_x = 2 * ((weight * x).sum() / weight.sum() - cx)
        step_y = 2 * ((weight * y).sum() / weight.sum() - cy)
        cx, cy = cx + np.clip(step_x, -1, 1), cy + np.clip(step_y, -1, 1)
        if abs(step_x) + abs(step_y) < 1e-4:
            break
    return float(cx), float(cy)


def fwhm(image: PSFImage) -> float:
    """Diameter (native pixels) of the disc with the area above half the peak."""
    above = np.count_nonzero(image.data > image.data.max() / 2)
    return 2 * np.sqrt(above / np.pi) * image.step


def _choose_center(image: PSFImage, center: str):
    if center not in ("auto", "stamp", "centroid"):
        raise ValueError(f"center {center!r} is not known; use auto, stamp or centroid")
    found = centroid(image)
    off = np.hypot(found[0] - image.center[0], found[1] - image.center[1]) * image.step
    ny, nx = image.data.shape
    if off > 0.25 * min(nx, ny) * image.step:
        cure = "Cut the stamp around the star so that its wings are held on all sides"
        raise InputError(image.where, f"the PSF is {off:.1f} native pixels off the stamp's middle", cure)
    if center == "centroid":
        return found
    if center == "auto" and off > FAR_OFF_CENTRE:
        warnings.warn(
            f"{image.where}: the PSF is {off:.2f} native pixels off the stamp's middle; its centroid is "
            "taken as the source's position (psf.center: stamp keeps the middle)",
            stacklevel=3,
        )
        return found
    return image.center
