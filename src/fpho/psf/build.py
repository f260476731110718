"""From a PSF image to a mixture with its figures of merit; several locations to matching mixtures."""

import logging
from dataclasses import dataclass, replace

import numpy as np

from .fit import fits, refit
from .image import PSFImage, effective_image
from .quality import WANTED, figures, misses
from .remainder import Remainder, remainder_of
from .samples import take

LOG = logging.getLogger("fpho")
CHEAP, EASY = 8, 0.005  # up to so many components, smooth PSFs are described to this pixel error


@dataclass(frozen=True)
class PSFFit:
    """A fitted PSF: the effective image, its mixture (J, 6), figures of merit, what the mixture leaves."""

    image: PSFImage
    mixture: np.ndarray
    quality: dict
    remainder: Remainder | None = None


def fit_mixture(image, n_components=None, max_components=10, **preparation) -> PSFFit:
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
        enough = len(fit.mixture) >= CHEAP or best.quality["pixel"] <= EASY
        if enough and _badness(best.quality) <= 1:
            break
    return best


def _badness(quality) -> float:
    """Largest figure of merit over what is wanted; at 1 no more components are added."""
    return max(abs(quality[name]) / wanted for name, wanted in WANTED.items())


def fit_locations(images, n_components=None, max_components=10, remainder=True) -> list[PSFFit]:
    """Fit the PSF at several detector locations with components that correspond.

    The location nearest the middle is fitted first; every other starts from the solution of its
    nearest fitted neighbour and keeps its components, so that parameters vary smoothly. With `remainder`
    what the mixtures leave of the images is kept.
    """
    fits = _locations(images, n_components, max_components)
    return [whole(fit) for fit in fits] if remainder else fits


def _locations(images, n_components, max_components) -> list[PSFFit]:
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


def whole(fit: PSFFit) -> PSFFit:
    """The fit with what its mixture leaves of the PSF image, where the image can tell; judged by that."""
    left = remainder_of(fit.image, fit.mixture)
    if left is None:
        return fit
    return replace(fit, remainder=left, quality=fit.quality | {"poor": misses(fit.quality, remainder=True)})


def as_group(fits: list[PSFFit]) -> tuple:
    """What `store.write_store` takes of the fits of one key, with what the mixtures leave of the PSFs."""
    images = [fit.image for fit in fits]
    locations = [image.location for image in images] if len(images) > 1 else None
    attributes = {"half_width": max(image.half_width for image in images)}
    if images[0].pixel_scale:
        attributes["pixel_scale"] = images[0].pixel_scale
    left = [fit.remainder for fit in fits]
    return np.stack([fit.mixture for fit in fits]), locations, [fit.quality for fit in fits], attributes, left
