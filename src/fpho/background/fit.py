"""Residual background of an exposure: a constant or a plane, robust against sources, with its uncertainty.

Pixels that the model or a peak in the smoothed residual says to be a source's are left out, the rest is
clipped. Sources that were fitted on top of a sky that nobody subtracted have taken up part of it in their
wings, so the model of all sources is fitted along with the sky, with one factor. All cuts on residuals are
symmetric, since cutting only bright pixels would bias the sky low. The uncertainty is the larger of the
formal one and that from sums over blocks of pixels (a sandwich estimate, White 1980, Econometrica 48, 817,
with blocks as clusters), which knows correlated noise and source residuals.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, special

from ..geometry import pixel_scale
from ..robust import mad_std
from .table import DTYPE

MODEL_LEVELS = (0.2, 0.4, 0.8)  # sigma per pixel: sky is where the model is fainter than that
ENOUGH_SKY = 0.25  # the lowest level that leaves this fraction of good pixels as sky is taken
MIN_SKY_PIXELS = 100
WINGS = 0.5  # prior sigma of the correction to the model's wings, as a part of them
CLIP = 3.5  # sigma, of pixels and of the smoothed residual
SMOOTHING = 2.0  # pixels, sigma
BLOCKS = (8, 16, 32)  # pixels on a side
MIN_BLOCKS = 9
ROUNDS = 6


@dataclass(frozen=True)
class Sky:
    """Background of an exposure: constant + x_slope (x - x_ref) + y_slope (y - y_ref), nJy per pixel."""

    exposure: str
    band: str
    kind: str
    pixel_area: float  # arcsec^2
    constant: float
    error: float  # of the constant; NaN where nothing could be fitted
    significance: float  # of the constant, or of the whole plane, in sigma
    x_ref: float
    y_ref: float
    x_slope: float = 0.0
    y_slope: float = 0.0
    n_sky: int = 0  # pixels used


def fit_background(exposure, model: np.ndarray, mode: str = "constant", covered=None) -> Sky:
    """Background of `exposure` given the model (ny, nx) of all its sources; `mode` constant or plane.

    covered : (ny, nx) bool, more pixels that are no sky, as long as enough others are left

    Where no blank sky is left, the result is zero with unknown error, and a warning says so.
    """
    ny, nx = exposure.data.shape
    x_ref, y_ref = (nx - 1) / 2, (ny - 1) / 2
    area = pixel_scale(exposure.wcs, exposure.data.shape) ** 2
    name = exposure.id, exposure.band, exposure.kind, area
    residual = exposure.data.astype("f8") - model
    ierr = exposure.ierr.astype("f8")
    basis = Basis(mode == "plane", np.arange(nx) - x_ref, np.arange(ny) - y_ref, model)
    n_sky = basis.size - 1  # the wings are last
    sky = sky_pixels(model, ierr)
    if covered is not None and np.count_nonzero(sky & ~covered) >= ENOUGH_SKY * np.count_nonzero(ierr > 0):
        sky = sky & ~covered
    if sky.sum() < MIN_SKY_PIXELS:
        cure = "set background.mode: in_fit to fit it together with the sources"
        warnings.warn(f"{exposure.id}: no blank sky, its background is taken as zero; {cure}", stacklevel=2)
        return Sky(*name, 0.0, np.nan, 0.0, x_ref, y_ref)
    values, used = _clipped_fit(residual, ierr, basis, sky)
    covariance = _covariance(_left(residual, basis.image(values)), ierr, basis, used)
    values, covariance = values[:n_sky], covariance[:n_sky, :n_sky]
    slopes = tuple(float(value) for value in values[1:])
    return Sky(
        *name,
        float(values[0]),
        float(np.sqrt(covariance[0, 0])),
        _significance(values, covariance),
        x_ref,
        y_ref,
        *slopes,
        n_sky=int(used.sum()),
    )


def sky_pixels(model: np.ndarray, ierr: np.ndarray) -> np.ndarray:
    """Good pixels (ny, nx) bool where the sources' model is faint against the noise."""
    good = ierr > 0
    level = np.abs(model) * ierr
    for threshold in MODEL_LEVELS:
        sky = good & (level < threshold)
        if sky.sum() >= ENOUGH_SKY * good.sum():
            break
    return sky


def sky_table(skies, nsigma: float, per: str = "exposure") -> np.ndarray:
    """Table of backgrounds (E,), structured as `DTYPE`, from the `Sky` of each exposure.

    With `per` = band, the exposures of one band and kind share one surface brightness (their weighted mean).
    Used is what is significant by `nsigma`.
    """
    table = np.zeros(len(skies), DTYPE)
    for row, sky in zip(table, skies, strict=True):
        for name in DTYPE.names[:-1]:
            row[name] = getattr(sky, name)
    if per == "band":
        _share(table, skies)
    table["used"] = np.isfinite(table["error"]) & (table["significance"] >= nsigma)
    return table


@dataclass(frozen=True)
class Basis:
    """What is fitted, P images: a constant, for a plane the slopes along x (nx,) and y (ny,), the model."""

    plane: bool
    x: np.ndarray
    y: np.ndarray
    model: np.ndarray  # (ny, nx)

    @property
    def size(self) -> int:
        """Images that are fitted, P."""
        return 4 if self.plane else 2

    def times(self, image):
        """An image (ny, nx) times each of the basis, one after the other."""
        yield image
        if self.plane:
            yield image * self.x
            yield image * self.y[:, None]
        yield image * self.model

    def sums(self, image) -> np.ndarray:
        """(P,) sums of an image (ny, nx) times each of the basis."""
        along_x, along_y = image.sum(axis=0), image.sum(axis=1)
        slopes = [along_x @ self.x, along_y @ self.y] if self.plane else []
        return np.array([along_x.sum(), *slopes, np.vdot(image, self.model)])

    def image(self, values) -> np.ndarray:
        """(ny, nx) of coefficients (P,)."""
        out = values[-1] * self.model
        out += values[0] + (values[2] * self.y[:, None] if self.plane else 0.0)
        if self.plane:
            out += values[1] * self.x
        return out


def _clipped_fit(residual, ierr, basis: Basis, sky):
    """Coefficients (P,) and the pixels (ny, nx) bool that were used."""
    used, spread = sky, _spread(sky)
    for _ in range(ROUNDS):
        values = np.linalg.solve(*_normal(residual, ierr, basis, used))
        scaled = _left(residual, basis.image(values))
        scaled *= ierr
        smooth = ndimage.gaussian_filter(np.where(sky, scaled, 0.0), SMOOTHING, mode="constant")
        smooth /= spread
        kept = sky & _within(scaled, sky) & _within(smooth, sky)
        if kept.sum() < MIN_SKY_PIXELS or np.array_equal(kept, used):
            break
        used = kept
    return values, used


def _left(residual, image):
    """What an image leaves of a residual, in its place: a wide field has room for few of them."""
    return np.subtract(residual, image, out=image)


def _normal(residual, ierr, basis: Basis, used):
    """Matrix (P, P) and right side (P,) of the fit, with the prior of the wings' factor."""
    weight = np.where(used, ierr**2, 0.0)
    prior = np.zeros(basis.size)
    prior[-1] = WINGS**-2
    matrix = np.stack([basis.sums(image) for image in basis.times(weight)])
    return 0.5 * (matrix + matrix.T) + np.diag(prior), basis.sums(weight * residual)


def _within(values, sky):
    """Where values (ny, nx) lie within CLIP robust standard deviations of zero."""
    return np.abs(values) < CLIP * mad_std(values[sky], about=0.0)


def _spread(sky):
    """Root of the share of sky pixels around each pixel: the noise of what is smoothed over these."""
    weight = ndimage.gaussian_filter(sky.astype("f8"), SMOOTHING, mode="constant")
    return np.sqrt(np.maximum(weight, 1e-3))


def _covariance(left, ierr, basis: Basis, used):
    """Covariance (P, P) of the coefficients, from what is `left` (ny, nx) after the fit."""
    matrix, _ = _normal(left, ierr, basis, used)
    inverse = np.linalg.inv(matrix)
    scatter = np.std(left[used] * ierr[used])
    best = inverse * max(1.0, scatter) ** 2
    score = np.where(used, left * ierr**2, 0.0)
    sums = [_blocks(image, BLOCKS[0]) for image in basis.times(score)]  # of each block, side BLOCKS[0]
    counts = _blocks(used.astype("i4"), BLOCKS[0])
    for side in BLOCKS:
        total = np.stack([_blocks(some, side // BLOCKS[0]).ravel() for some in sums], axis=-1)
        n_blocks = int(np.sum(_blocks(counts, side // BLOCKS[0]) > 0))
        if n_blocks >= MIN_BLOCKS:
            sandwich = inverse @ (total.T @ total) @ inverse * n_blocks / (n_blocks - len(matrix))
            best = sandwich if sandwich[0, 0] > best[0, 0] else best
    return best


def _blocks(image, side: int):
    """Sums over blocks of side x side pixels, smaller ones at the far edges."""
    rows = np.add.reduceat(image, np.arange(0, image.shape[0], side), axis=0)
    return np.add.reduceat(rows, np.arange(0, image.shape[1], side), axis=1)


def _significance(values, covariance) -> float:
    """Sigma of a normal deviate as improbable as these coefficients are under no background."""
    chi2 = float(values @ np.linalg.solve(covariance, values))
    if len(values) == 1 or chi2 > 1000:
        return float(np.sqrt(chi2))
    return -float(special.ndtri(special.chdtrc(len(values), chi2) / 2))


def _share(table, skies) -> None:
    areas = np.array([sky.pixel_area for sky in skies])
    groups = np.array([f"{sky.band}/{sky.kind}" for sky in skies])
    for group in np.unique(groups):
        inside = groups == group
        known = inside & np.isfinite(table["error"])
        if not known.any():
            continue
        brightness, error = (table[name][known] / areas[known] for name in ("constant", "error"))
        mean, sigma = _weighted_mean(brightness, error)  # nJy per arcsec^2
        table["constant"][inside], table["error"][inside] = mean * areas[inside], sigma * areas[inside]
        table["significance"][inside] = abs(mean) / sigma


def _weighted_mean(values, errors):
    """Mean and its error, widened where the values disagree by more than their errors."""
    weight = errors**-2.0
    mean = np.sum(weight * values) / np.sum(weight)
    chi2 = np.sum(weight * (values - mean) ** 2)
    return mean, np.sqrt(max(1.0, chi2 / max(1, len(values) - 1)) / np.sum(weight))
