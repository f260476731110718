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
ALIASED = 0.08  # see `aliased`; a Gaussian of 1.65 samples per FWHM
NEGATIVE = (0.02, 0.25)  # light of negative pixels over the stamp's sum: said, refused
EDGE = 0.02  # mean of the outermost pixels over the peak, beyond which the stamp is cut off
KEPT = {True: 0.5, "stated": 0.8}  # smallest sums that are taken for the fraction of the light in the stamp


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
    pixel_scale: float | None = (
        None  # arcsec per native pixel by the file's own header; None: it says nothing
    )

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
    oversample : samples per native pixel and axis; below 1 where samples are coarser than the image's pixels
    pixel_included : whether the detector pixel is already in it; if not, it is convolved in here
    keep_total : True: a sum of 0.5 to 1 is the fraction of the light that the stamp holds (stpsf) and is
        kept; `stated`: one of 0.8 to 1, with a warning. Other stamps are normalised to 1, with a warning
        when their sum was not 1
    center : `stamp` (the middle of the array is the source's position), `centroid`, or `auto`:
        the stamp's middle unless the centroid is more than half a native pixel off

    Raises
    ------
    InputError
        For a stamp that is no PSF: not two-dimensional, too small, too coarse, mostly NaN, deeply negative,
        no positive sum.
    """
    data = _finite(np.array(data, "f8"), where)
    oversample = float(oversample)
    if not 0 < oversample < np.inf:
        raise InputError(where, f"oversample is {oversample:g}", "Give samples per native pixel, above 0")
    if min(data.shape) / oversample < SMALLEST:
        found = f"the stamp is {data.shape[1] / oversample:g} x {data.shape[0] / oversample:g} native pixels"
        raise InputError(where, found, f"Give a stamp of at least {SMALLEST} pixels that holds the wings")
    data, total = _normalise(data, keep_total, where)
    image = PSFImage(data * oversample**2, 1 / oversample, _middle(data), total, str(where), location)
    _check_light(image)
    if not pixel_included:
        image = replace(image, data=convolve_pixel(image.data, oversample))
        if oversample < 2:
            warnings.warn(
                f"{where}: convolved with the pixel on native samples; give an oversampled image, "
                "without the pixel response native samples do not say what is between them",
                stacklevel=2,
            )
    return replace(image, center=_choose_center(image, center))


def _check_light(image: PSFImage) -> None:
    """Stop for a flat, coarse or deeply negative stamp; warn where the wings are cut or below the sky."""
    data, width = image.data, fwhm(image)
    if width > FLAT * min(data.shape) * image.step:
        found = f"half of the peak is reached over {width:.1f} native pixels: the stamp is flat"
        raise InputError(image.where, found, "Give a stamp with one star, several times wider than its FWHM")
    if image.step > 1 and aliased(image) > ALIASED:
        found = f"samples {image.step:g} native pixels apart are too coarse to interpolate between them"
        raise InputError(image.where, found, "Give a PSF image with 2 samples per FWHM or more")
    negative = -data[data < 0].sum() / data.sum()
    if negative > NEGATIVE[1]:
        found = f"negative pixels hold {100 * negative:.0f}% of the stamp's sum"
        raise InputError(image.where, found, "Give a PSF image whose background is subtracted, no more")
    if negative > NEGATIVE[0]:
        text = f"{image.where}: negative pixels hold {100 * negative:.1f}% of the stamp's sum"
        warnings.warn(f"{text}: is too much background subtracted?", stacklevel=3)
    edge = np.concatenate([data[[0, -1]].ravel(), data[:, [0, -1]].ravel()]).mean() / data.max()
    if edge > EDGE:
        text = f"{image.where}: the outermost pixels hold {100 * edge:.1f}% of the peak"
        warnings.warn(f"{text}: the wings are cut off, or a background is left in it", stacklevel=3)


def _middle(data):
    return (data.shape[1] - 1) / 2, (data.shape[0] - 1) / 2


def _finite(data, where):
    if data.ndim != 2:
        found = f"an array of {data.ndim} dimensions, {' x '.join(map(str, data.shape))}"
        cure = "Give a two-dimensional PSF image; a cube of PSFs with their positions is `format: gridded`"
        raise InputError(where, found, cure)
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
    if keep_total is True and KEPT[True] < total <= 1.005:
        return data, float(total)
    if keep_total == "stated" and KEPT["stated"] <= total < 0.995:
        warnings.warn(
            f"{where}: the stamp's sum is {total:.6g}; taken for the fraction of the light in the stamp",
            stacklevel=3,
        )
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


def aliased(image: PSFImage) -> float:
    """Transform of the samples near their highest frequency over that at zero: what they leave unknown.

    0.03 for a Gaussian of 2 samples per FWHM, which can be interpolated; above 0.1 it cannot.
    """
    fy, fx = np.fft.fftfreq(image.data.shape[0])[:, None], np.fft.fftfreq(image.data.shape[1])[None]
    size = np.abs(np.fft.fft2(image.data)) / abs(image.data.sum())
    strips = [(abs(a) > 0.45) & (abs(b) < 0.1) for a, b in ((fx, fy), (fy, fx))]
    return float(max(size[strip].mean() if strip.any() else 0.0 for strip in strips))


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
    corner = tuple(size // 2 for size in (nx, ny))
    if center == "auto" and corner != image.center and _is_at(found, corner):
        warnings.warn(
            f"{image.where}: {nx} x {ny} samples, the PSF is centred on sample {corner}, not between; "
            "that is taken as the source's position (psf.center: stamp keeps the middle)",
            stacklevel=3,
        )
        return tuple(map(float, corner))
    return image.center


def _is_at(found, place) -> bool:
    """Whether a centroid is at a sample, to a tenth of it."""
    return max(abs(f - p) for f, p in zip(found, place, strict=True)) < 0.1
