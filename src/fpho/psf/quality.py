"""Figures of merit of a PSF mixture, measured on all samples of the effective PSF.

encircled_energy: largest difference beyond one native pixel, over the total.
point_flux, galaxy_flux: bias of the flux of a point source, and of a round exponential galaxy of
    rhalf = 2 FWHM with its shape known, measured with the mixture in white noise on an image
    drawn with the true PSF (the point source: the worst sub-pixel phase).
pixel: largest difference of a point-source pixel at any phase, over the peak.
"""

import numpy as np

from ..sersic import load_table
from .image import PSFImage, centroid, fwhm
from .mixture import evaluate

LIMITS = {"encircled_energy": 0.005, "point_flux": 0.005, "galaxy_flux": 0.003}
WANTED_PIXEL = 0.007


def figures(image: PSFImage, mixture, with_galaxy=True) -> dict:
    """Figures of merit of `mixture` (J, 6) as a description of `image`; `poor`: a limit is missed."""
    model = evaluate(mixture, *image.coordinates())
    out = {
        "n_components": float(len(mixture)),
        "fwhm": float(fwhm(image)),
        "stamp_total": float(image.total),
        "mixture_total": float(np.sum(mixture[:, 0])),
        "encircled_energy": float(_growth_error(image, model)),
        "point_flux": float(_point_bias(image, model)),
        "pixel": float(np.abs(image.data - model).max() / image.data.max()),
    }
    if with_galaxy:
        out["galaxy_flux"] = float(galaxy_bias(image, model))
    out["poor"] = bool(any(not abs(out[name]) < limit for name, limit in LIMITS.items() if name in out))
    return out


def growth(image: PSFImage, values):
    """Radius (native pixels, about the centroid) of each sample in order, and `values` summed inside."""
    y, x = np.indices(image.data.shape)
    cx, cy = centroid(image)
    radius = np.hypot(x - cx, y - cy).ravel() * image.step
    order = np.argsort(radius, kind="stable")
    return radius[order], np.cumsum(values.ravel()[order]) * image.step**2


def _growth_error(image, model):
    radius, difference = growth(image, model - image.data)
    inside = (radius >= 1) & (radius <= image.half_width)
    return np.abs(difference[inside]).max() / image.total


def _point_bias(image, model):
    """Worst flux bias of a point source over the phases that the samples hold."""
    per = max(1, round(1 / image.step))
    biases = [
        np.sum(image.data[j::per, i::per] * model[j::per, i::per]) / np.sum(model[j::per, i::per] ** 2) - 1
        for j in range(per)
        for i in range(per)
    ]
    return max(biases, key=abs)


def galaxy_bias(image: PSFImage, model, n=1.0, rhalf=2.0):
    """Flux bias of a round Sersic galaxy of `rhalf` (PSF FWHM) and index `n` with its shape known."""
    radius = rhalf * fwhm(image) / image.step
    profile, count = load_table("default").evaluate([n], [radius], [False])
    pad = int(min(8 * radius, 6 * max(image.data.shape)))
    shape = [size + pad for size in image.data.shape]
    k2 = np.fft.fftfreq(shape[0])[:, None] ** 2 + np.fft.rfftfreq(shape[1])[None] ** 2
    galaxy = np.zeros_like(k2)
    for weight, variance in profile[0, : count[0], :2]:
        galaxy += weight * np.exp(-2 * np.pi**2 * variance * k2)
    truth, fitted = (np.fft.irfft2(np.fft.rfft2(data, shape) * galaxy, shape) for data in (image.data, model))
    return np.sum(truth * fitted) / np.sum(fitted**2) - 1
