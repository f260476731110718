"""What a PSF fit compares: samples (coarse far out), encircled energy, and flux seen through galaxies."""

from dataclasses import dataclass

import numpy as np

from .image import PSFImage, centroid, fwhm

GALAXY_SIGMAS = (0.0, 0.5, 1.0, 2.0, 4.0)  # widths of Gaussian sources over the PSF's FWHM
N_APERTURES = 40
SHIFT = 20.0  # so that 1e-4 in flux weighs as much as 0.002 FWHM in position
UNDERSAMPLED = 2.5  # FWHM in native pixels below which each sub-pixel phase is looked at


@dataclass(frozen=True)
class PixelSamples:
    """Points of the effective PSF in native pixels, sorted by radius; P points, A apertures, G sources."""

    x: np.ndarray  # (P,)
    y: np.ndarray  # (P,)
    value: np.ndarray  # (P,) per square pixel
    area: np.ndarray  # (P,) square pixels that the point stands for
    ends: np.ndarray  # (A,) aperture a holds points[: ends[a]]
    sources: np.ndarray  # (G, P) weights whose sum with (image - mixture) is a flux bias
    sectors: np.ndarray  # (Q, P) square pixels of each point in quadrants of rings
    total: float
    fwhm: float
    step: float
    half_width: float


def take(image: PSFImage) -> PixelSamples:
    """Samples of an image: all of them in the core, means of square blocks far out."""
    width = fwhm(image)
    maps = [image.data, *_source_maps(image, width), *_phase_maps(image, width)]
    x, y = image.coordinates()
    cx, cy = ((c - m) * image.step for c, m in zip(centroid(image), image.center, strict=True))
    levels = _levels(np.maximum(abs(x - cx), abs(y - cy)), width, image.step)
    points = np.concatenate(
        [_blocks([x, y, *maps], levels, level) for level in range(levels.max() + 1)], axis=1
    )
    radius = np.hypot(points[1] - cx, points[2] - cy)
    order = np.argsort(radius, kind="stable")
    points, radius = points[:, order], radius[order]
    apertures = np.geomspace(max(0.5, image.step), image.half_width, N_APERTURES)
    area = points[0] * image.step**2
    return PixelSamples(
        points[1],
        points[2],
        points[3],
        area,
        np.unique(np.searchsorted(radius, apertures)),
        points[4:] * area,
        _sectors(points[1], points[2], width) * area,
        image.total,
        width,
        image.step,
        image.half_width,
    )


def _sectors(x, y, width):
    """(Q, P) whether points are in quadrants (between the axes, about them) of rings at 1, 2, 4, ... FWHM."""
    radius, turn = np.hypot(x, y), np.arctan2(y, x) / (2 * np.pi)
    ring = np.clip(np.log2(np.maximum(radius / width, 0.1)).astype(int) + (radius >= width), 0, None)
    parts = [np.floor((turn + offset) * 4).astype(int) % 4 for offset in (0.0, 0.125)]
    return np.array(
        [(ring == r) & (part == k) for r in range(ring.max() + 1) for part in parts for k in range(4)], "f8"
    )


def _levels(distance, width, step):
    """Block size of each sample, as a power of 2 of the step: small against radius and FWHM."""
    size = np.where(distance < 3.5 * width, step, distance / 7)
    return np.clip(np.log2(size / step).astype(int), 0, 6)


def _blocks(fields, levels, level):
    """Rows (count, means of fields) of the blocks at one level; a block takes its coarsest corner's level."""
    b = 2**level
    ny, nx = levels.shape
    pad = ((0, -ny % b), (0, -nx % b))
    top = 2 ** levels.max()
    full = ((0, -ny % top), (0, -nx % top))
    coarse = np.pad(levels, full, constant_values=99)
    # a block of size b is used if its own parent (2 b) is too coarse for some sample and itself is not
    finest = _reduce(coarse, b, np.min)
    parent = (
        np.repeat(np.repeat(_reduce(coarse, 2 * b, np.min), 2, 0), 2, 1) if b < top else np.zeros_like(finest)
    )
    use = (finest >= level) & ((parent < level + 1) if b < top else True)
    use = use[: -(-ny // b), : -(-nx // b)]
    count = _reduce(np.pad(np.ones_like(fields[0]), pad), b, np.sum)[: use.shape[0], : use.shape[1]]
    rows = [_reduce(np.pad(f, pad), b, np.sum) / count for f in fields]
    return np.stack([count[use], *(row[use] for row in rows)])


def _reduce(a, b, how):
    if a.shape[0] % b or a.shape[1] % b:
        a = np.pad(a, ((0, -a.shape[0] % b), (0, -a.shape[1] % b)), mode="edge")
    return how(a.reshape(a.shape[0] // b, b, a.shape[1] // b, b), axis=(1, 3))


def _phase_maps(image: PSFImage, width):
    """For each sub-pixel phase the weights whose sum with (image - mixture) is a point source's flux bias.

    Only where phases differ: for images that are finer than the pixel, of a PSF that is not wide.
    """
    per = round(1 / image.step)
    if per < 2 or width > UNDERSAMPLED:
        return
    for j in range(per):
        for i in range(per):
            phase = np.zeros_like(image.data)
            phase[j::per, i::per] = image.data[j::per, i::per]
            yield phase / (np.sum(phase**2) * image.step**2)


def _source_maps(image: PSFImage, width):
    """Image convolved twice with each source's Gaussian, over the convolved image's square sum.

    The flux of a source measured with the mixture m on the true image t, given its shape, is
    biased by <g m, g (t - m)> / <g m, g m>, that is by <g g t, t - m> / <g t, g t> to first order; its
    position likewise, with derivatives of g t for g t (here a shift of `SHIFT` FWHM counts as 1).
    """
    ny, nx = image.data.shape
    largest = GALAXY_SIGMAS[-1] * width / image.step
    shape = [int(size + 4 * largest) for size in (ny, nx)]
    ky, kx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    k2 = ky**2 + kx**2
    transform = np.fft.rfft2(image.data, shape)
    for sigma in np.asarray(GALAXY_SIGMAS) * width / image.step:
        smear = np.exp(-2 * np.pi**2 * sigma**2 * k2)
        power = np.sum(np.fft.irfft2(transform * smear, shape) ** 2) * image.step**2
        yield np.fft.irfft2(transform * smear**2, shape)[:ny, :nx] / power
        for k in (ky, kx):
            slope = 2j * np.pi * k / image.step
            power = np.sum(np.fft.irfft2(transform * smear * slope, shape) ** 2) * image.step**2
            yield np.fft.irfft2(transform * smear**2 * slope, shape)[:ny, :nx] / (power * SHIFT * width)
