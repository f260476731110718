"""Light of sums of Gaussians within a circle.

A Gaussian of covariance S with its centre at c is rotated to its principal axes (standard deviations s >= t).
Along the major axis the integral over a chord is exact, across the chords it is a Gauss-Legendre sum:

    P = int_{-R}^{R} phi((y - c_y) / t) / t [Phi((h - c_x) / s) - Phi((-h - c_x) / s)] dy,   h^2 = R^2 - y^2,

with y = R sin u, whose integrand has no root at the ends, over the part of the circle within REACH of the
centre: the whole of it for most Gaussians, for which sines and cosines are known. The wider a Gaussian, the
fewer nodes; all are right to 1e-5 for axis ratios down to 0.05.
"""

import math

import numpy as np

from ..machinecode import compiled

NODES = 24
REACH = 5.0  # standard deviations
ROOT = math.sqrt(2.0)
NORM = 1 / math.sqrt(2 * math.pi)
# from which t / R on how many nodes are enough
WIDTHS = 1.0, 0.6, 0.4, 0.0
COUNTS = 8, 10, 14, NODES
X, W = (
    np.array([np.pad(np.polynomial.legendre.leggauss(n)[of], (0, NODES - n)) for n in COUNTS])
    for of in (0, 1)
)
SINE, COSINE = np.sin(0.5 * math.pi * X), np.cos(0.5 * math.pi * X)  # of all of a circle


@compiled
def within(east, north, ee, nn, en, radius):
    """Share of a Gaussian (centre east, north; covariance ee, nn, en) within `radius` of the origin."""
    half, turn = 0.5 * (ee + nn), 0.5 * math.atan2(2 * en, ee - nn)
    root = math.sqrt(0.25 * (ee - nn) ** 2 + en * en)
    s, t = math.sqrt(max(half + root, 1e-30)), math.sqrt(max(half - root, 1e-30))
    cosine, sine = math.cos(turn), math.sin(turn)
    x0, y0 = cosine * east + sine * north, cosine * north - sine * east
    row = 0
    while t < WIDTHS[row] * radius:
        row += 1
    whole = REACH * t >= radius + abs(y0)
    low = -0.5 * math.pi if whole else math.asin(min(max((y0 - REACH * t) / radius, -1.0), 1.0))
    high = 0.5 * math.pi if whole else math.asin(min(max((y0 + REACH * t) / radius, -1.0), 1.0))
    total = 0.0
    for k in range(COUNTS[row]):
        u = 0.5 * (low + high) + 0.5 * (high - low) * X[row, k]
        width = COSINE[row, k] if whole else math.cos(u)
        y = radius * (SINE[row, k] if whole else math.sin(u))
        away, h = (y - y0) / t, radius * width
        chord = 0.5 * (math.erf((h - x0) / (s * ROOT)) + math.erf((h + x0) / (s * ROOT)))
        total += W[row, k] * width * math.exp(-0.5 * away * away) * chord
    return total * 0.5 * (high - low) * radius / t * NORM


@compiled
def light_within(profile, matrix, psf, offset, radius):
    """Light of a profile of flux 1 through a PSF within circles.

    Parameters
    ----------
    profile : (K, 2) weight and variance (arcsec^2) of the profile's Gaussians
    matrix : (3,) of the shape: ee, nn, en; `fpho.parameters.shape_matrix`
    psf : (J, 6) amplitude, centre (east, north), covariance (ee, nn, en) in arcsec
    offset : (2,) arcsec, of the source from the circle's centre
    radius : (A,) arcsec

    Returns
    -------
    (A,) parts of the flux
    """
    out = np.zeros(len(radius))
    for j in range(len(psf)):
        for k in range(len(profile)):
            v, weight = profile[k, 1], profile[k, 0] * psf[j, 0]
            for a in range(len(radius)):
                out[a] += weight * within(
                    offset[0] + psf[j, 1], offset[1] + psf[j, 2], v * matrix[0] + psf[j, 3],
                    v * matrix[1] + psf[j, 4], v * matrix[2] + psf[j, 5], radius[a],
                )  # fmt: skip
    return out
