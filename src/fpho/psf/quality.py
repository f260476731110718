"""Figures of merit of a PSF mixture, measured in two dimensions on all samples of the effective PSF.

pixel: largest difference of a point-source pixel at any phase, over the peak.
quadrant: largest difference of the light in a quadrant, of the stamp or of a ring of it, over the total.
ring: the same of whole rings (edges at 1, 2, 4, ... FWHM).
centroid: shift (native pixels) of a point source that is fitted with the mixture.
encircled_energy: largest difference beyond one native pixel, over the total.
point_flux, galaxy_flux_half, galaxy_flux_1, galaxy_flux_2: bias of the flux of a point source, and of round
    exponential galaxies of rhalf = 0.5, 1 and 2 FWHM with their shapes known, measured with the mixture in
    white noise on an image drawn with the true PSF (the point source: the worst sub-pixel phase).
"""

import numpy as np

from ..sersic import load_table
from .image import PSFImage, aliased, centroid, fwhm
from .mixture import evaluate
from .remainder import INTERPOLATED, resampled

GALAXIES = {"galaxy_flux_half": 0.5, "galaxy_flux_1": 1.0, "galaxy_flux_2": 2.0}  # rhalf over the FWHM
CORE = 3.0  # FWHM
LIMITS = {
    "encircled_energy": 0.005,
    "point_flux": 0.005,
    "galaxy_flux_half": 0.005,
    "galaxy_flux_1": 0.004,
    "galaxy_flux_2": 0.003,
    "pixel": 0.04,
    "quadrant": 0.01,
    "ring": 0.01,
    "centroid": 0.05,
}
FIRST_ORDER = 5.0  # times LIMITS where the remainder is taken off the data: what it errs by is a part of it
WANTED = {
    "encircled_energy": 0.0035,
    "point_flux": 0.0025,
    "galaxy_flux_half": 0.0025,
    "galaxy_flux_1": 0.002,
    "galaxy_flux_2": 0.0015,
    "pixel": 0.025,
    "quadrant": 0.008,
    "ring": 0.005,
    "centroid": 0.03,
}  # the fewest components that reach these are taken; the rest is the remainder's


def figures(image: PSFImage, mixture) -> dict:
    """Figures of merit of `mixture` (J, 6) as a description of `image`; `poor`: a limit is missed."""
    model = evaluate(mixture, *image.coordinates())
    quadrant, ring = _light_errors(image, model)
    out = {
        "n_components": float(len(mixture)),
        "fwhm": float(fwhm(image)),
        "stamp_total": float(image.total),
        "mixture_total": float(np.sum(mixture[:, 0])),
        "encircled_energy": float(_growth_error(image, model)),
        "point_flux": float(_point_bias(image, model)),
        "pixel": float(_pixel_error(image, mixture, model)),
        "quadrant": float(quadrant),
        "ring": float(ring),
        "centroid": float(_centroid_shift(image, model)),
    }
    out |= {name: float(galaxy_bias(image, model, rhalf=size)) for name, size in GALAXIES.items()}
    out["poor"] = misses(out)
    return out


def misses(quality, remainder: bool = False) -> bool:
    """Whether a limit is missed, by a mixture alone or with its remainder taken off the data.

    A remainder R is taken off at values that are right to a part d of themselves (an error of the flux, of
    the size or position over the PSF's): d R is left. At d = 0.2, a source of S/N 5, mixtures that are wrong
    by FIRST_ORDER times the limits leave what the limits allow, below the noise of such a source.
    """
    factor = FIRST_ORDER if remainder else 1.0
    return any(not abs(quality[name]) < factor * limit for name, limit in LIMITS.items())


def _pixel_error(image, mixture, model):
    """Largest error over the peak on the samples, of native stamps' cores also half-way between them.

    What the samples leave unknown there is not held against the mixture.
    """
    peak, unknown = image.data.max(), aliased(image)
    worst = np.abs(image.data - model).max() / peak
    if image.step <= 0.51 or unknown > INTERPOLATED:
        return worst
    x, y = image.coordinates()
    rows, columns = (np.abs(axis) < CORE * fwhm(image) for axis in (y[:, 0], x[0]))
    core, x, y = image.data[np.ix_(rows, columns)], x[0, columns], y[rows, 0]
    fine = np.meshgrid(*(axis[0] + image.step / 2 * np.arange(2 * len(axis)) for axis in (x, y)))
    between = np.abs(resampled(core, 2) - evaluate(mixture, *fine)).max() / peak
    return max(worst, between - unknown)


def _light_errors(image, model):
    """(quadrant, ring): largest errors of the light in quadrants of rings and of the stamp, and in rings."""
    x, y = image.coordinates()
    radius, turn = np.hypot(x, y), np.arctan2(y, x) / (2 * np.pi)
    edges = fwhm(image) * 2.0 ** np.arange(0, np.ceil(np.log2(radius.max() / fwhm(image))))
    ring = np.searchsorted(edges, radius.ravel(), side="right")
    light = (image.data - model).ravel() * image.step**2 / image.total
    rings = np.bincount(ring, light)
    worst = 0.0
    for offset in (0.0, 0.125):  # quadrants between the axes, and about them
        quadrant = np.floor((turn.ravel() + offset) * 4).astype(int) % 4
        parts = np.bincount(4 * ring + quadrant, light, 4 * len(rings)).reshape(-1, 4)
        worst = max(worst, abs(parts).max(), abs(parts.sum(axis=0)).max())
    return worst, abs(rings).max()


def _centroid_shift(image, model):
    """Shift (native pixels) that a least-squares fit of position and flux with the mixture finds."""
    transform = np.fft.fft2(model)
    waves = [2j * np.pi * np.fft.fftfreq(size, image.step) for size in model.shape]
    slopes = [np.fft.ifft2(transform * wave).real for wave in (waves[0][:, None], waves[1][None])]
    basis = np.stack([part.ravel() for part in (model, *slopes)], axis=1)
    solution = np.linalg.lstsq(basis, (image.data - model).ravel(), rcond=None)[0]
    return np.hypot(*solution[1:])


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
