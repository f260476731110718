"""The exact Sersic profile (untruncated, unit flux, half-light radius 1) in one dimension.

Sersic (1963); normalisation by the incomplete gamma function, b_n exact
(Ciotti & Bertin 1999 give its expansion). Radii are in units of the half-light radius.
"""

import numpy as np
from scipy.special import gamma, gammainc, gammaincc, gammainccinv, gammaincinv, i0e

GAUSSIAN_SIGMA = 1 / np.sqrt(2 * np.log(2))  # sigma / rhalf of the profile with n = 0.5


def b_n(n):
    """The constant that makes r = 1 the half-light radius: P(2n, b) = 1/2."""
    return gammaincinv(2 * np.asarray(n, "f8"), 0.5)


def curve_of_growth(radius, n):
    """Fraction of the flux inside `radius` (half-light radii)."""
    return gammainc(2 * n, b_n(n) * np.asarray(radius, "f8") ** (1 / n))


def radius_of(share, n):
    """Radius (half-light radii) that holds a share of the flux: the inverse of `curve_of_growth`."""
    n = np.asarray(n, "f8")
    return (gammaincinv(2 * n, share) / b_n(n)) ** n


def information_beyond(radius, n):
    """Part of the squared S/N of a flux, in white noise, that lies beyond `radius` (half-light radii)."""
    n = np.asarray(n, "f8")
    return gammaincc(2 * n, 2 * b_n(n) * np.asarray(radius, "f8") ** (1 / n))


def radius_of_information(share, n):
    """Radius (half-light radii) beyond which that part lies: the inverse of `information_beyond`."""
    n = np.asarray(n, "f8")
    return (gammainccinv(2 * n, share) / (2 * b_n(n))) ** n


def surface_brightness(radius, n):
    """Flux per unit area (half-light radius^2) of the profile with unit flux."""
    b = b_n(n)
    norm = b ** (2 * n) / (2 * np.pi * n * gamma(2 * n))
    return norm * np.exp(-b * np.asarray(radius, "f8") ** (1 / n))


def convolved_brightness(radius, n, sigma, nodes=4000):
    """Surface brightness (R,) at `radius` after convolution with a round Gaussian of `sigma` (> 0).

    The ring integral of the Gaussian is a Bessel function; the radial one is a sum over shells
    that carry equal steps of log radius, each with its exact flux, so the cusp costs nothing.
    """
    edges = np.geomspace(1e-9, 1e4, nodes + 1)
    flux = np.diff(curve_of_growth(edges, n))
    r = np.sqrt(edges[1:] * edges[:-1])
    keep = flux > 0
    r, flux = r[keep], flux[keep]
    d = np.asarray(radius, "f8")[:, None]
    var = sigma**2
    kernel = np.exp(-((d - r) ** 2) / (2 * var)) * i0e(d * r / var) / (2 * np.pi * var)
    return kernel @ flux
