"""What no PSF can be: mixtures of a store are looked at before they are believed."""

import numpy as np

from ..errors import InputError
from .mixture import PIXEL_VARIANCE, evaluate

SUM = (0.5, 1.1)  # light of a PSF
AMPLITUDE = 50.0  # opposite amplitudes beyond this would not add up in float32
WIDEST = 500.0  # sigma in native pixels
REACH = 10.0  # distance from the centre over the widest sigma, where the stamp's size is not known
CURE = "Make the store again, or take the group out"


def check_mixtures(mixtures, path, name: str, half_width=None) -> None:
    """Stop unless mixtures (L, J, 6), as stored, can be PSFs.

    half_width : of the stamps that they were fitted to, native pixels; None: not known

    Raises
    ------
    InputError
        Naming the group, the location and the component.
    """
    for location, mixture in enumerate(np.asarray(mixtures, "f8")):
        place = f"{name}, location {location}" if len(mixtures) > 1 else name
        problem = _problem(mixture, half_width)
        if problem:
            raise InputError(path, f"{place}: {problem}", CURE)


def _problem(mixture, half_width) -> str | None:
    """What is wrong with a mixture (J, 6), None when nothing is."""
    bad = ~np.isfinite(mixture).all(axis=1)
    if bad.any():
        return f"component {np.argmax(bad)} is not finite"
    amplitude, x, y, cxx, cyy, cxy = mixture.T
    slack = 1e-6 * (cxx + cyy) ** 2
    bad = (np.minimum(cxx, cyy) < 0) | (cxx * cyy - cxy**2 < -slack)
    bad |= (cxx + PIXEL_VARIANCE) * (cyy + PIXEL_VARIANCE) <= cxy**2
    if bad.any():
        return f"the covariance of component {np.argmax(bad)} is not positive definite"
    widest = np.sqrt(np.maximum(cxx, cyy))
    if widest.max() > WIDEST:
        return f"component {np.argmax(widest)} has a sigma of {widest.max():.4g} pixels"
    if not SUM[0] <= amplitude.sum() <= SUM[1]:
        return f"the amplitudes sum to {amplitude.sum():.4g}, not to 1"
    if abs(amplitude).max() > AMPLITUDE:
        return f"component {np.argmax(abs(amplitude))} has the amplitude {abs(amplitude).max():.4g}"
    reach = half_width or REACH * max(widest.max(), 1.0)
    off = np.hypot(x, y)
    if off.max() > np.sqrt(2) * reach:
        return f"component {np.argmax(off)} lies {off.max():.4g} pixels off the centre, beyond the stamp"
    padded = mixture + [0, 0, 0, PIXEL_VARIANCE, PIXEL_VARIANCE, 0]
    values = evaluate(padded, x, y)
    if not values[np.argmax(abs(values))] > 0:
        return "its brightest place is negative"
    return None
