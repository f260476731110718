"""From a PSF image to a mixture with its figures of merit; several locations to matching mixtures."""

import logging
from dataclasses import dataclass

import numpy as np

from .fit import fits, refit
from .image import PSFImage, effective_image
from .quality import LIMITS, WANTED_PIXEL, figures
from .samples import UNDERSAMPLED, take

LOG = logging.getLogger("fpho")
GOOD_ENOUGH = 0.4  # of every limit: no more components are added


@dataclass(frozen=True)
class PSFFit:
    """A fitted PSF: the effective image, its mixture (J, 6) and the figures of merit."""

    image: PSFImage
    mixture: np.ndarray
    quality: dict


def fit_mixture(image, n_components=None, max_components=8, **preparation) -> PSFFit:
    """Fit one PSF.

    Parameters
    ----------
    image : PSFImage, or an array (ny, nx) that `effective_image` prepares with `preparation`
    n_components : number of Gaussians; None: 4 to `max_components`, the fewest that are good enough
    """
    if not isinstance(image, PSFImage):
        image = effective_image(image, **preparation)
    numbers = (
        range(n_components, n_components + 1)
        if n_components
        else range(min(4, max_components), max_components + 1)
    )
    best = None
    for fit in fits(take(image), numbers):
        quality = figures(image, fit.mixture)
        if best is None or _badness(quality) < _badness(best.quality):
            best = PSFFit(image, fit.mixture, quality)
        if max(_badness(best.quality)) <= GOOD_ENOUGH:
            break
    return best


def _badness(quality):
    """(largest figure of merit over its limit, where it is not good enough; worst pixel over what is wanted).

    Ordered: pixels decide between mixtures that are good enough, and count less in a well sampled core.
    """
    wanted = WANTED_PIXEL * (1 if quality["fwhm"] < UNDERSAMPLED else 2)
    figure = max(abs(quality[name]) / limit for name, limit in LIMITS.items())
    return max(figure, GOOD_ENOUGH), quality["pixel"] / wanted


def fit_locations(images, n_components=None, max_components=8) -> list[PSFFit]:
    """Fit the PSF at several detector locations with components that correspond.

    The location nearest the middle is fitted first; every other starts from the solution of its
    nearest fitted neighbour and keeps its components, so that parameters vary smoothly.
    """
    if len(images) == 1:
        return [fit_mixture(images[0], n_components, max_components)]
    places = np.array([image.location for image in images], "f8")
    first = int(np.argmin(np.hypot(*(places - places.mean(axis=0)).T)))
    done = {first: fit_mixture(images[first], n_components, max_components)}
    while len(done) < len(images):
        left = [i for i in range(len(images)) if i not in done]
        pairs = [(np.hypot(*(places[i] - places[j])), i, j) for i in left for j in done]
        _, i, j = min(pairs)
        mixture = refit_same(images[i], done[j].mixture)
        done[i] = PSFFit(images[i], mixture, figures(images[i], mixture))
    return [done[i] for i in range(len(images))]


def refit_same(image: PSFImage, start) -> np.ndarray:
    """Mixture of `image` from `start` (J, 6), components in the same order."""
    return refit(take(image), start, keep_order=True).mixture
