"""What PSF mixtures leave of the sources' light, at their present values: an image, taken off the data.

A source S of flux f gives f S*M + f S*R, M the mixture and R the remainder of its PSF. The first term is the
kernel's, at any values; the second is an image at values t0. A fit that ends at t leaves (S(t) - S(t0)) * R,
which is of second order: far below the noise when t is within its errors of t0.
"""

import numpy as np

from .building import PlacedSources

IGNORED = 0.02  # of a pixel's noise: a source whose remainder is nowhere larger is left out
NOWHERE = 1e5  # pixels off the image


def remainder_image(
    exposure, e: int, sources: PlacedSources, psfstore, bands, corner, shape, noise: float, image=None
):
    """f S*R of sources on a box of an exposure's pixels, (ny, nx) float64 in nJy; None: none is left.

    Parameters
    ----------
    exposure : `Exposure` or `ExposureTiles`, the one with number e of those that the sources are placed on
    psfstore : `PSFStore`; PSFs without remainder have none
    bands : names of the sources' fluxes
    corner : x, y of the box's first pixel; `shape` its (ny, nx)
    noise : of a pixel, nJy; what is far below it is not drawn
    image : of other sources, to which these are added
    """
    if not psfstore.has_remainders():
        return image
    key = psfstore.resolve(exposure.id, exposure.band, exposure.psf)
    band, scale = list(bands).index(exposure.band), sources.geometry["scale"][e]
    for s, (x, y) in enumerate(sources.geometry["position"][e]):
        remainder = psfstore.remainder(key, x, y) if max(abs(x), abs(y)) < NOWHERE else None
        if remainder is None:
            continue
        amplitude, covariance = _gaussians(sources.state, s, band, scale[s])
        side = remainder.side(amplitude, covariance, IGNORED * noise)
        middle = np.floor([x + 0.5, y + 0.5]).astype(int)
        box, part = _overlap(middle - side // 2 - corner, side, shape)
        if side and box is not None:
            image = np.zeros(shape) if image is None else image
            image[box] += remainder.image(amplitude, covariance, [x, y] - middle, side)[part]
    return image


def _gaussians(state, s: int, band: int, scale):
    """Amplitudes (K,) and covariances (K, 3) in pixels of component s in a band."""
    profile = state.profile[s, : state.profile_count[s]]
    ee, nn, en = state.sources[s, -5:-2]
    shape = scale @ np.array([[ee, en], [en, nn]]) @ scale.T
    return state.sources[s, band] * profile[:, 0], profile[:, 1:2] * [shape[0, 0], shape[1, 1], shape[0, 1]]


def _overlap(low, side: int, shape):
    """Slices of a box (ny, nx) and of a square with its first pixel at `low` (x, y) where they overlap."""
    (x, y), (ny, nx) = low, shape
    if x >= nx or y >= ny or x + side <= 0 or y + side <= 0:
        return None, None
    box = slice(max(y, 0), min(y + side, ny)), slice(max(x, 0), min(x + side, nx))
    return box, tuple(slice(b.start - o, b.stop - o) for b, o in zip(box, (y, x), strict=True))
