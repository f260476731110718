"""An effective PSF from stars: a mixture and what it leaves, fitted to the pixels of all of them at once.

The effective PSF (Anderson & King 2000, PASP 112, 1360) P(u, v), pixel response included, is what a star of
flux 1 at (x0, y0) shows in a pixel at (x0 + u, y0 + v). Stars at many sub-pixel places in dithered exposures
sample it more finely than one image does. P = M + R: M a mixture of round Gaussians of given widths, with
positive amplitudes, for the wings, where single pixels say little; R cubic B-splines on a grid finer than a
pixel, under a prior of values near zero, in parts of M, that are alike within a third of the PSF's width:
telescopes show nothing finer. Stars' fluxes and places and the PSF are improved in turns.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import linalg, optimize, sparse
from scipy.sparse.linalg import LinearOperator, cg

from .image import PSFImage
from .mixture import evaluate, gaussians
from .shining import MODEL_ERROR, shining
from .splines import Square, basis

NARROWEST, WIDER = 0.35, 1.5  # sigma of the narrowest component over the FWHM, and of the next over one's
WIDEST = 0.75  # and of the widest over the square's half-width: wider ones would take up the sky
LOOSE = 0.6  # prior sigma of the remainder: as a part of the mixture there,
LEAST = 0.03  # and of its peak, falling beyond a FWHM as wings do, r^-3
NUGGET = 1e-4  # of the prior's covariance
ALIKE = 0.375  # FWHMs over which values of the remainder are alike
ROUNDS, MIXTURE_ROUNDS = 6, 3
PSF_ERROR = 0.003  # of a star's light in a pixel, added to its noise: bright stars do not rule alone
MIXTURE_ERROR = 0.1  # the same for the mixture alone: its core is wrong and must not rule its wings
CONSERVED = 1e-3  # how well a star's light is the same at all places within a pixel
CLIP = 6.0  # sigma of a pixel that is no star's
CLEANINGS = 2  # how often light of others is looked for
OVERSAMPLE = 4  # samples per pixel of the image that is made
WINGS, REACH = 0.5, 4.0  # half-widths of the square: where its wings begin, and where they end
FOLDS = 3  # parts that stars are left out in


@dataclass(frozen=True)
class Stamps:
    """Pixels around stars: each row one star in one exposure.

    x, y : (N, P) pixels from a guess of the star's place. data : (N, P) nJy, sky taken off. ierr : (N, P), 0
    where not used. star : (N,) which star.
    """

    x: np.ndarray
    y: np.ndarray
    data: np.ndarray
    ierr: np.ndarray
    star: np.ndarray

    def only(self, which) -> "Stamps":
        """Some of the rows."""
        return Stamps(*(getattr(self, name)[which] for name in ("x", "y", "data", "ierr", "star")))


@dataclass(frozen=True)
class Empirical:
    """A PSF and the stars that made it.

    mixture : (J, 6). coefficients : of the remainder's splines on `square`. flux : (N,) nJy within it.
    place : (N, 2) pixels from the guesses. chi2 : (N,) per pixel.
    """

    mixture: np.ndarray
    coefficients: np.ndarray
    square: Square
    flux: np.ndarray
    place: np.ndarray
    chi2: np.ndarray

    def values(self, u, v) -> np.ndarray:
        """P at offsets (...) from the source, pixels; 0 beyond the edge."""
        inside = self.square.inside(u, v)
        out = np.zeros(np.shape(u))
        out[inside] = evaluate(self.mixture, u[inside], v[inside])
        out[inside] += basis(u[inside], v[inside], self.square) @ self.coefficients
        return out

    @property
    def half(self) -> float:
        """Pixels to the edge."""
        return self.square.half

    @cached_property
    def inside(self) -> float:
        """Part of a star's light within the square: the rest by the law of its wings.

        Beyond the rings a telescope's PSF falls as r^-3 on the mean (light beyond r as 1 / r); what is seen
        in the outer half of the square says how much that is, out to REACH times its half-width.
        """
        axis = np.arange(-REACH * self.half + 0.25, REACH * self.half, 0.5)
        law = np.maximum(np.hypot(*np.meshgrid(axis, axis)), 1.0)
        within = law < REACH * self.half
        law = law**-3.0 * 0.5**2
        u, v = (values[within] for values in np.meshgrid(axis, axis))
        law, seen = law[within], self.square.inside(u, v)
        ring = (np.hypot(u, v) > WINGS * self.half) & (np.hypot(u, v) < self.half)
        light = np.sum(self.values(u[ring], v[ring])) * 0.5**2
        return 1 / (1 + max(0.0, light) * law[~seen].sum() / law[ring].sum())

    def image(self, where: str = "stars") -> PSFImage:
        """Samples of the PSF, for the fit of mixtures that stores hold."""
        n = int(self.half * OVERSAMPLE) - 1
        axis = np.arange(-n, n + 1) / OVERSAMPLE
        data = self.values(*np.meshgrid(axis, axis))
        data *= self.inside / (data.sum() / OVERSAMPLE**2)
        return PSFImage(data, 1 / OVERSAMPLE, (float(n), float(n)), self.inside, where)


def fit_stars(stamps: Stamps, fwhm: float, rounds: int = ROUNDS) -> Empirical:
    """The effective PSF of stars (N stamps), improved in `rounds`.

    fwhm : a guess, pixels
    """
    square = Square.around(float(np.abs(stamps.x).max()) - 1.0, fwhm)
    mixture = _grid(fwhm, square.half)
    now = Empirical(mixture, np.zeros(len(square.knots) ** 2), square, *_start(stamps))
    for number in range(rounds):
        now = _stars(now, stamps, steps=2)
        if number < MIXTURE_ROUNDS:  # then what is left is the remainder's
            now = _mixture(now, stamps)
        if number:
            now = _remainder(now, stamps, fwhm)
        now = _normalised(now)
    return _stars(now, stamps, steps=2)


def without_others(stamps: Stamps, fwhm: float) -> Stamps:
    """Stamps less the pixels where something else shines, which is no part of the PSF that the stars share.

    A faint galaxy beside a star is seen in no single pixel, but its light is as much as that of the PSF's
    wings. It shows in Gaussian means of what a first fit leaves. Dark ones go as well: the mean is kept.
    """
    for _ in range(CLEANINGS):
        now = fit_stars(stamps, fwhm, MIXTURE_ROUNDS)
        stamps = replace(stamps, ierr=np.where(_others(now, stamps), 0.0, stamps.ierr))
    return stamps


def _others(now: Empirical, stamps: Stamps) -> np.ndarray:
    """Pixels (N, P) where something else shines."""
    light = now.flux[:, None] * now.values(*_offsets(now, stamps))
    square = (len(light), *2 * [int(np.sqrt(light.shape[1]))])
    values = (part.reshape(square) for part in (stamps.data - light, stamps.ierr, light))
    return np.array([shining(*one) for one in zip(*values, strict=True)]).reshape(stamps.ierr.shape)


def left_out(stamps: Stamps, fwhm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stars judged by a PSF that was made without them.

    Returns chi-square per pixel (N,), the light within a third of the stamp over the fitted star's (N,), and
    the error of that by the noise of the pixels (N,).
    """
    chi2, ratio, error = np.full((3, len(stamps.star)), np.nan)
    names = np.unique(stamps.star)
    for part in range(min(FOLDS, len(names))):
        out = np.isin(stamps.star, names[part::FOLDS])
        made = fit_stars(stamps.only(~out), fwhm)
        rest = stamps.only(out)
        start = replace(made, flux=_start(rest)[0], place=np.zeros((out.sum(), 2)), chi2=np.zeros(out.sum()))
        judged = _stars(start, rest, steps=4)
        chi2[out] = judged.chi2
        ratio[out], error[out] = _aperture_ratio(judged, rest, made.half / 3)
    return chi2, ratio, error


def _start(stamps: Stamps):
    """(fluxes, places, chi-squares) to begin with: sums, and centroids of the inner pixels."""
    flux = np.maximum(stamps.data.sum(axis=1), 1e-30)
    near = np.where(np.hypot(stamps.x, stamps.y) < 2.5, np.maximum(stamps.data, 0), 0)
    weight = np.maximum(near.sum(axis=1), 1e-30)
    place = np.stack([(near * stamps.x).sum(axis=1), (near * stamps.y).sum(axis=1)], axis=1) / weight[:, None]
    return flux, place, np.ones(len(flux))


def _offsets(now: Empirical, stamps: Stamps):
    """u, v (N, P) of all pixels from their stars."""
    return stamps.x - now.place[:, :1], stamps.y - now.place[:, 1:]


def _weights(now: Empirical, stamps: Stamps, model, error: float = PSF_ERROR) -> np.ndarray:
    """Inverse variance (N, P) of pixels, less by an `error` of the PSF there; 0 of what is no star's."""
    light = now.flux[:, None] * model
    with np.errstate(divide="ignore"):
        variance = np.where(stamps.ierr > 0, stamps.ierr**-2.0, np.inf) + (error * light) ** 2
    off = (stamps.data - light) ** 2 > (CLIP**2 * variance + (MODEL_ERROR * light) ** 2)
    return np.where(off, 0.0, 1 / variance)


def _stars(now: Empirical, stamps: Stamps, steps: int) -> Empirical:
    """Fluxes and places of the stars by Gauss-Newton steps, and how well each is described."""
    step = 0.02
    for _ in range(steps):
        u, v = _offsets(now, stamps)
        model = now.values(u, v)
        by_x = (now.values(u + step, v) - now.values(u - step, v)) / (2 * step)
        by_y = (now.values(u, v + step) - now.values(u, v - step)) / (2 * step)
        weight = _weights(now, stamps, model)
        rows = np.stack([model, -now.flux[:, None] * by_x, -now.flux[:, None] * by_y], axis=1)  # (N, 3, P)
        matrix = np.einsum("nip,np,njp->nij", rows, weight, rows)
        residual = stamps.data - now.flux[:, None] * model
        side = np.einsum("nip,np,np->ni", rows, weight, residual)
        matrix += np.eye(3) * (1e-12 + 1e-10 * np.trace(matrix, axis1=1, axis2=2)[:, None, None])
        covariance = np.linalg.inv(matrix)
        change = np.einsum("nij,nj->ni", covariance, side)
        flux = _shared(now.flux + change[:, 0], covariance[:, 0, 0], stamps.star)
        moved = flux - now.flux - change[:, 0]  # by the other exposures of the star: its place follows
        shift = change[:, 1:] + covariance[:, 1:, 0] / covariance[:, :1, 0] * moved[:, None]
        place = now.place + np.clip(shift, -0.3, 0.3)
        count = np.maximum((weight > 0).sum(axis=1), 1)
        chi2 = np.sum(weight * residual**2, axis=1) / count
        now = replace(now, flux=np.maximum(flux, 1e-30), place=place, chi2=chi2)
    return now


def _shared(flux, variance, star) -> np.ndarray:
    """One flux for each star, the weighted mean of its stamps' (N,): dithered exposures see the same light.

    Free fluxes would leave P undetermined by a factor that depends on the place within a pixel.
    """
    _, which = np.unique(star, return_inverse=True)
    mean = np.bincount(which, flux / variance) / np.bincount(which, 1 / variance)
    return mean[which]


def _mixture(now: Empirical, stamps: Stamps) -> Empirical:
    """The amplitudes of the mixture fitted to all pixels, by non-negative least squares: there is one answer.

    Lawson & Hanson 1974, Solving Least Squares Problems. A fit of widths, too, ends in one of many minima,
    and they differ by 1% of the light, in the wings.
    """
    u, v = _offsets(now, stamps)
    weight = _weights(now, stamps, now.values(u, v), MIXTURE_ERROR)
    used = (weight > 0) & now.square.inside(u, v)
    flux = np.broadcast_to(now.flux[:, None], used.shape)[used]
    rows, _ = gaussians(now.mixture, u[used], v[used])
    scale = weight[used] * flux**2
    products, side = (rows * scale) @ rows.T, rows @ (scale * stamps.data[used] / flux)
    root = linalg.cholesky(products + 1e-12 * np.trace(products) * np.eye(len(products)))
    mixture = now.mixture.copy()
    mixture[:, 0], _ = optimize.nnls(root, linalg.solve_triangular(root, side, trans=1))
    return replace(now, mixture=mixture)


def _remainder(now: Empirical, stamps: Stamps, fwhm: float) -> Empirical:
    """Coefficients of the splines: linear least squares with the prior.

    The prior's covariance is D (K x K) D: sigmas D, and K of exp(-d^2 / 2 (ALIKE fwhm)^2) along each axis.
    It is solved for z in coefficients = D (L x L) z, K = L L^T, whose prior is the unit normal distribution.
    """
    u, v = _offsets(now, stamps)
    weight = _weights(now, stamps, now.values(u, v))
    used = (weight > 0) & now.square.inside(u, v)
    flux = np.broadcast_to(now.flux[:, None], used.shape)[used]
    target = stamps.data[used] / flux - evaluate(now.mixture, u[used], v[used])
    rows = basis(u[used], v[used], now.square)
    weighted = sparse.diags_array(weight[used] * flux**2) @ rows
    products, side = (rows.T @ weighted).tocsr(), weighted.T @ target
    whole, light = _conserved(now)
    axis = now.square.knots
    u, v = np.meshgrid(axis, axis)
    there = evaluate(now.mixture, u, v)
    sigma = LOOSE * there + LEAST * there.max() * (1 + (u**2 + v**2) / fwhm**2) ** -1.5
    covariance = np.exp(-0.5 * ((axis[:, None] - axis) / (ALIKE * fwhm)) ** 2) + NUGGET * np.eye(len(axis))
    root = linalg.cholesky(covariance, lower=True)

    def coefficients(z):
        return (sigma * (root @ z.reshape(sigma.shape) @ root.T)).ravel()

    def back(c):
        return (root.T @ (sigma * c.reshape(sigma.shape)) @ root).ravel()

    def times(z):
        c = coefficients(z)
        return back(products @ c + whole.T @ (whole @ c) / CONSERVED**2) + z

    matrix = LinearOperator((sigma.size,) * 2, times)
    found, _ = cg(matrix, back(side + whole.T @ light / CONSERVED**2), rtol=1e-4, maxiter=300)
    return replace(now, coefficients=coefficients(found))


def _conserved(now: Empirical):
    """(Sums (36, K^2) of the splines over all pixels, what they have to be (36,)), by place in a pixel.

    With the pixel response in it, a star shows the same light in all pixels wherever it falls on one: sums
    less their mean are 0. How much light it is, the stars' fluxes say.
    """
    n = int(now.half)
    pixels = np.arange(-n, n + 1)
    rows, light = [], []
    for dy in (np.arange(6) + 0.5) / 6 - 0.5:
        for dx in (np.arange(6) + 0.5) / 6 - 0.5:
            u, v = (values.ravel() for values in np.meshgrid(pixels - dx, pixels - dy))
            inside = now.square.inside(u, v)
            rows.append(basis(u[inside], v[inside], now.square).sum(axis=0))
            light.append(evaluate(now.mixture, u[inside], v[inside]).sum())
    return np.array(rows) - np.mean(rows, axis=0), np.mean(light) - np.array(light)


def _normalised(now: Empirical) -> Empirical:
    """The PSF's light within the square made 1."""
    axis = np.arange(-now.half + 0.125, now.half, 0.25)
    u, v = np.meshgrid(axis, axis)
    values = now.values(u, v)
    total = values.sum() * 0.25**2
    mixture = now.mixture.copy()
    mixture[:, 0] /= total
    return replace(now, mixture=mixture, coefficients=now.coefficients / total, flux=now.flux * total)


def _aperture_ratio(now: Empirical, stamps: Stamps, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Light of pixels within `radius` over that of the stars' models there (N,), and its error (N,)."""
    u, v = _offsets(now, stamps)
    inside = (np.hypot(u, v) < radius) & (stamps.ierr > 0)
    light = now.flux * np.sum(now.values(u, v) * inside, axis=1)
    with np.errstate(divide="ignore"):
        noise = np.sqrt(np.sum(np.where(inside, stamps.ierr**-2.0, 0.0), axis=1))
    return np.sum(stamps.data * inside, axis=1) / light, noise / light


def _grid(fwhm: float, half: float) -> np.ndarray:
    """Round Gaussians (J, 6) of all widths from the core's to those of a sky, amplitudes falling."""
    count = 1 + int(np.log(WIDEST * half / (NARROWEST * fwhm)) / np.log(WIDER))
    sigma, zero = NARROWEST * fwhm * WIDER ** np.arange(count), np.zeros(count)
    amplitude = 0.5 ** np.arange(1, count + 1)
    return np.stack([amplitude, zero, zero, sigma**2, sigma**2, zero], axis=1)
