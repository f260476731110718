"""Galaxies that no Sersic profile describes: bulge, disc, arms and knots of star formation, by GalSim.

The same structure in all bands, so that total flux, colours and the half-light radius have one truth.
"""

import numpy as np

DISC = 0.8  # mean share of the light that is not the bulge's
CLUMPED = (0.15, 0.45)  # share of the disc's light in knots and arms
ARMS, WINDING = 2, 1.6  # number, radians per disc scale length
N_KNOTS, N_ARM = 8, 24
KNOT = 0.12  # sigma of a knot over the half-light radius


def clumpy_galaxy(rhalf: float, axis_ratio: float, pa: float, rng):
    """(GalSim object on the sky, flux 1; its circularised half-light radius in arcsec).

    Parameters
    ----------
    rhalf : of the smooth disc, arcsec. pa : rad from east to north.
    """
    import galsim

    bulge_share = float(np.clip(rng.beta(1.5, 1.5 * DISC / (1 - DISC)), 0.02, 0.6))
    clumped = rng.uniform(*CLUMPED)
    disc = galsim.Sersic(n=1.0, half_light_radius=rhalf)
    bulge = galsim.Sersic(n=4.0, half_light_radius=0.25 * rhalf)
    places = np.concatenate([_knots(rng), _arms(rng)]) * rhalf
    weights = rng.exponential(size=len(places))
    dot = galsim.Gaussian(sigma=KNOT * rhalf)
    clumps = galsim.Add(
        [dot.shift(*map(float, xy)) * float(w) for xy, w in zip(places, weights / weights.sum(), strict=True)]
    )
    smooth = disc * (1 - clumped) + clumps * clumped
    face_on = bulge * bulge_share + smooth * (1 - bulge_share)
    galaxy = face_on.withFlux(1.0).shear(q=axis_ratio, beta=pa * galsim.radians)
    shares = bulge_share, (1 - bulge_share) * (1 - clumped), (1 - bulge_share) * clumped
    return galaxy, half_light_radius(shares, bulge, disc, places, weights, KNOT * rhalf)


def _knots(rng) -> np.ndarray:
    """Places (N, 2) of an exponential disc, in half-light radii."""
    radius, angle = rng.gamma(2.0, 1 / 1.678, N_KNOTS), rng.uniform(0, 2 * np.pi, N_KNOTS)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _arms(rng) -> np.ndarray:
    """Places (N, 2) along spiral arms, in half-light radii."""
    radius = rng.uniform(0.3, 2.2, N_ARM)
    start = 2 * np.pi / ARMS * rng.integers(ARMS, size=N_ARM) + rng.uniform(0, 2 * np.pi)
    angle = start + WINDING * np.log(radius / 0.3) + rng.normal(0, 0.12, N_ARM)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def half_light_radius(shares, bulge, disc, places, weights, sigma: float) -> float:
    """Of the circle about the origin that holds half of the light; the shear that follows keeps its area.

    shares : of bulge, disc and clumps. places (N, 2), weights (N,), sigma : of the clumps' Gaussians.
    """
    from scipy.optimize import brentq
    from scipy.stats import ncx2

    distance2 = np.sum(places**2, axis=1) / sigma**2

    def inside(radius):  # a round Gaussian within a circle beside it: a non-central chi-square
        clumps = np.average(ncx2.cdf(radius**2 / sigma**2, 2, distance2), weights=weights)
        smooth = [profile.calculateIntegratedFlux(radius) for profile in (bulge, disc)]
        return float(np.dot(shares, [*smooth, clumps]))

    size = disc.half_light_radius
    return float(brentq(lambda radius: inside(radius) - 0.5, 0.01 * size, 10 * size, xtol=1e-4 * size))
