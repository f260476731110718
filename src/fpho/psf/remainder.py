"""What a mixture leaves of a PSF: R = P - M, and its image under a source made of Gaussians.

A source S of flux f is f S*M + f S*R. The kernel draws the first term; the second is drawn here, from the
samples of R: S is a sum of Gaussians, so its transform is known, and S*R is a product of transforms. Between
samples the PSF image P is band-limited; M is not, so P is put on a grid finer than its narrowest component
before M is taken off.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .image import PSFImage, aliased
from .mixture import evaluate
from .spectrum import gaussian_spectrum

FINE = 0.85  # sigma of the narrowest component between samples: its transform is negligible beyond
INTERPOLATED = 0.1  # `aliased` of images that have nothing to say between their samples
BOXES = (24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)  # native pixels, sides of images
NARROW = 1e-3  # transform of a source below which its image is not wanted
RINGS = 64
EMPTY = 2e-4  # of the largest value of the transform: frequencies that are left out
BEYOND = 1e-4  # light of the mixture that is left out far from the stamp
MARGIN = 3.0  # of a source's typical sigma, around its image


@dataclass(frozen=True)
class Remainder:
    """R of one PSF at one detector location.

    values : (ny, nx) float32, P - M per square native pixel; `step`, `center` as in `PSFImage`
    mixture : (J, 6) M; beyond the stamp P is 0 and R is -M
    """

    values: np.ndarray
    step: float
    center: tuple[float, float]
    mixture: np.ndarray

    @cached_property
    def fine(self):
        """R on a fine grid, its step, and the positions x, y of its columns and rows (native pixels)."""
        factor = int(np.ceil(self.step / (FINE * np.sqrt(_least(self.mixture[:, 3:]).min()))))
        step = self.step / factor
        ny, nx = self.values.shape
        x, y = (np.arange(nx) - self.center[0]) * self.step, (np.arange(ny) - self.center[1]) * self.step
        if factor == 1:
            values = self.values.astype("f8")
        else:
            psf = self.values + evaluate(self.mixture, *np.meshgrid(x, y))
            x, y = x[0] + np.arange(nx * factor) * step, y[0] + np.arange(ny * factor) * step
            values = resampled(psf, factor) - evaluate(self.mixture, *np.meshgrid(x, y))
        return self._padded(values, step, x, y)

    def _padded(self, values, step, x, y):
        """With -M around the stamp, out to where hardly any of M's light is left."""
        radius = np.arange(0.0, 2000.0)
        widest = self.mixture[:, 3:5].max(axis=1)
        beyond = abs(self.mixture[:, 0]) @ np.exp(-(radius**2) / (2 * widest[:, None]))
        wanted = radius[np.argmax(beyond < BEYOND)] if beyond[-1] < BEYOND else radius[-1]
        n = max(0, int(np.ceil((wanted - min(-x[0], x[-1], -y[0], y[-1])) / step)))
        x, y = (np.arange(-n, len(axis) + n) * step + axis[0] for axis in (x, y))
        out = -evaluate(self.mixture, *np.meshgrid(x, y)) if n else values
        out[n : n + values.shape[0], n : n + values.shape[1]] = values
        return out, step, x, y

    @cached_property
    def reach(self):
        """Radii (N,) in native pixels, ascending, and the largest |R| beyond each of them (N,)."""
        values, _, x, y = self.fine
        radius = np.maximum(abs(x)[None], abs(y)[:, None])
        edges = np.linspace(0, radius.max(), 200)
        ring = np.searchsorted(edges, radius.ravel(), side="right") - 1
        largest = np.zeros(len(edges))
        np.maximum.at(largest, ring, abs(values).ravel())
        return edges, np.maximum.accumulate(largest[::-1])[::-1]

    @cached_property
    def by_frequency(self):
        """Rings of frequency (1 / pixel), and the sum of |transform| in each: bounds of |S*R|."""
        box = BOXES[2]
        u, v, transform = self.transform(box)
        ring = np.minimum(np.hypot(u[None], v[:, None]) * RINGS / 2, RINGS - 1).astype(int)
        twice = np.where(u > 0, 2, 1)
        size = np.bincount(ring.ravel(), (abs(transform) * twice).ravel(), RINGS) / box**2
        return np.arange(RINGS) * 2 / RINGS, size

    def transform(self, box: int):
        """u (U,) >= 0, v (V,) in 1 / pixel, multiples of 1 / box, and the transform (V, U) of R within a box.

        A box smaller than R cuts it at half its side. Frequencies beyond those of R are left out.
        """
        known = self.__dict__.setdefault("_transforms", {})
        if box not in known:
            values, step, x, y = self.fine
            keep_x, keep_y = abs(x) < box / 2, abs(y) < box / 2
            n = int(box / (2 * step))
            part = czt_2d(values[np.ix_(keep_y, keep_x)], step / box, n)
            size = abs(part)
            wanted = (
                np.maximum(size.max(axis=0), np.maximum(size[n:], size[n::-1]).max(axis=1))
                > EMPTY * size.max()
            )
            m = int(np.flatnonzero(wanted)[-1])
            u, v, part = np.arange(m + 1) / box, np.arange(-m, m + 1) / box, part[n - m : n + m + 1, : m + 1]
            phase = _wave(u, x[keep_x][0])[None] * _wave(v, y[keep_y][0])[:, None]
            known[box] = u, v, (part * phase * step**2).astype("c8")
        return known[box]

    def side(self, amplitude, covariance, ignored: float) -> int:
        """Side (native pixels) of the `image` of a source in which S*R is above `ignored`; 0: nowhere."""
        flux = abs(amplitude).sum()
        if not 0 < flux < np.inf or self._bound(amplitude, covariance) < ignored:
            return 0
        edges, largest = self.reach
        radius = edges[np.argmax(flux * largest <= ignored)] if flux * largest[-1] <= ignored else edges[-1]
        size = np.sqrt(np.maximum(covariance[:, 0], covariance[:, 1]))
        wanted = 2 * (radius + MARGIN * (abs(amplitude) @ size) / flux + 4)
        return next((side for side in BOXES if side >= wanted), BOXES[-1])

    def image(self, amplitude, covariance, offset, side: int) -> np.ndarray:
        """S*R on native pixels, (side, side), the source at (side // 2, side // 2) + offset.

        Parameters
        ----------
        amplitude : (K,) of the source's Gaussians, its flux in them
        covariance : (K, 3) xx, yy, xy of them, square pixels; zero for a point
        offset : (x, y) of the source from the middle pixel
        """
        u, v, transform = self.transform(side)
        n, middle = _cut(u, amplitude, covariance), len(v) // 2
        rows = slice(middle - n, middle + n + 1)
        u, v, part = u[: n + 1], v[rows], transform[rows, : n + 1]
        x, y = np.asarray(offset, "f8") + side // 2
        source = gaussian_spectrum(*(np.asarray(of, "f8") for of in (amplitude, covariance)), n, n, 1 / side)
        spectrum = part * source * _wave(u, x)[None] * _wave(v, y)[:, None]
        spectrum[:, 1:] *= 2
        return _to_pixels(spectrum, side) / side**2

    def _bound(self, amplitude, covariance) -> float:
        """No pixel of |S*R| is above it."""
        u, size = self.by_frequency
        return float(size @ (abs(amplitude) @ np.exp(-2 * np.pi**2 * _least(covariance)[:, None] * u**2)))


def remainder_of(image: PSFImage, mixture) -> Remainder | None:
    """The remainder of a mixture (J, 6) of an image; None for samples that cannot be interpolated."""
    if aliased(image) > INTERPOLATED:
        return None
    values = (image.data - evaluate(mixture, *image.coordinates())).astype("f4")
    return Remainder(values, image.step, image.center, mixture)


def czt_2d(values, spacing: float, n: int):
    """Sum of values (M, N) times exp(-2 pi i (v m + u n)) at u = 0 ... n, v = -n ... n times `spacing`."""
    period = round(1 / spacing)  # samples in a box: a whole number, unless a PSF's step is an odd one
    if abs(period * spacing - 1) < 1e-9 and max(*values.shape, 2 * n) <= period:
        along_x = np.fft.fft(values.astype("f8"), period, axis=1)[:, : n + 1]
        return np.fft.fft(along_x, period, axis=0)[np.arange(-n, n + 1) % period]
    from scipy.signal import czt  # half a second to import

    wave = np.exp(-2j * np.pi * spacing)
    along_x = czt(values, n + 1, wave, 1.0, axis=1)
    return czt(along_x, 2 * n + 1, wave, np.exp(-2j * np.pi * spacing * n), axis=0)


def _wave(frequency, x):
    return np.exp(-2j * np.pi * frequency * x)


def _least(covariance):
    """Smaller eigenvalue (K,) of covariances (K, 3) xx, yy, xy."""
    half, difference = covariance[:, :2].mean(axis=1), covariance[:, 0] - covariance[:, 1]
    return np.maximum(half - np.hypot(difference / 2, covariance[:, 2]), 0)


def _cut(u, amplitude, covariance) -> int:
    """Index of the frequency beyond which the source's transform is negligible."""
    level = abs(amplitude) @ np.exp(-2 * np.pi**2 * _least(covariance)[:, None] * u**2)
    return int(np.count_nonzero(level > NARROW * level[0])) - 1


def _to_pixels(spectrum, box: int):
    """Image (box, box) of a spectrum at v = -n ... n, u = 0 ... m times 1 / box; folded in beyond 1/2."""
    n_v, n_u = spectrum.shape
    rows = np.zeros((box, n_u), complex)
    for start in range(0, n_v, box):  # row i holds v = i - n
        block = spectrum[start : start + box]
        rows[: len(block)] += block
    columns = np.zeros((box, box), complex)
    for start in range(0, n_u, box):
        block = rows[:, start : start + box]
        columns[:, : block.shape[1]] += block
    first = np.exp(-2j * np.pi * ((n_v // 2) % box) * np.arange(box) / box)[:, None]
    return np.real(np.fft.ifft2(columns) * first) * box**2


def resampled(values, factor: int):
    """Values (ny, nx) on a grid finer by `factor`, band-limited, the first sample kept; zeros around it."""
    shape = [size + 16 for size in values.shape]
    shape = [size + size % 2 for size in shape]
    spectrum = np.fft.fftshift(np.fft.fft2(values, shape))
    pad = [((factor - 1) * size // 2, (factor - 1) * size - (factor - 1) * size // 2) for size in shape]
    fine = np.fft.ifft2(np.fft.ifftshift(np.pad(spectrum, pad))).real * factor**2
    return fine[: values.shape[0] * factor, : values.shape[1] * factor]
