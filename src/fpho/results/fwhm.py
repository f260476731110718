"""Full width at half maximum of a sum of Gaussians, along rays from its brightest component's centre."""

import math

import numpy as np

from ..machinecode import compiled

ANGLES, RADII = 24, 1000  # rays, and steps along each
FARTHEST = 4.0  # standard deviations of the widest component


@compiled
def fwhm(psf):
    """Diameter of the disc with the area above half the peak.

    Parameters
    ----------
    psf : (J, 6) flux, x, y, xx, yy, xy of Gaussians, in any unit of length

    Notes
    -----
    The peak is the largest value at the components' centres. A ray ends where it first falls to half of it.
    """
    form = _forms(psf)
    peak, at = -1.0, 0
    for j in range(len(psf)):
        value = _value(form, psf[j, 1], psf[j, 2])
        if value > peak:
            peak, at = value, j
    widest = 0.0
    for j in range(len(psf)):
        widest = max(widest, psf[j, 3], psf[j, 4])
    step = FARTHEST * math.sqrt(widest) / (RADII - 1)
    total = 0.0
    for i in range(ANGLES):
        angle = 2 * math.pi * i / ANGLES
        total += _edge(form, psf[at, 1], psf[at, 2], angle, step, peak) ** 2
    return 2 * math.sqrt(total / ANGLES)


@compiled
def _forms(psf):
    """(J, 6) peak, x, y and the inverse covariance xx, yy, xy of each component."""
    form = np.empty((len(psf), 6))
    for j in range(len(psf)):
        xx, yy, xy = psf[j, 3], psf[j, 4], psf[j, 5]
        determinant = xx * yy - xy * xy
        form[j, 0] = psf[j, 0] / (2 * math.pi * math.sqrt(determinant))
        form[j, 1], form[j, 2] = psf[j, 1], psf[j, 2]
        form[j, 3], form[j, 4], form[j, 5] = yy / determinant, xx / determinant, -xy / determinant
    return form


@compiled
def _value(form, x, y):
    total = 0.0
    for j in range(len(form)):
        dx, dy = x - form[j, 1], y - form[j, 2]
        square = form[j, 3] * dx * dx + form[j, 4] * dy * dy + 2 * form[j, 5] * dx * dy
        total += form[j, 0] * math.exp(-0.5 * square)
    return total


@compiled
def _edge(form, x, y, angle, step, peak):
    """Radius at which a ray falls to half the peak, by a line between two steps; the last one at most."""
    cosine, sine, before = math.cos(angle), math.sin(angle), peak
    for i in range(RADII):
        value = _value(form, x + i * step * cosine, y + i * step * sine)
        if value <= 0.5 * peak:
            if i == 0:
                return 0.0
            return step * (i - 1 + (before - 0.5 * peak) / (before - value))
        before = value
    return step * (RADII - 1)
