"""Surface brightness profile and curve of growth of a source: of its data and its model, in the same pixels.

Sums are photutils', with the exact share of each pixel. Other sources are taken off the data by their models;
masked pixels have the source's own model.
"""

from dataclasses import dataclass

import numpy as np

from ...geometry import linearize
from ...parameters import axis_ratio, position_angle
from .values import SourceView

STEPS = 9  # annuli, between the centre and the edge of the cut-out
LEAST = 0.7  # pixels, width of an annulus


@dataclass(frozen=True)
class Profile:
    """Values (R,) of data and model at radii in arcsec; `error` is that of the data's pixels."""

    radius: np.ndarray
    data: np.ndarray
    error: np.ndarray
    model: np.ndarray


def surface_brightness(view: SourceView, row) -> Profile:
    """Means in elliptical annuli of the source's shape, nJy per arcsec^2; radii along the major axis."""
    from photutils.aperture import EllipticalAnnulus

    place, pixels, angle = _frame(view, row)
    ratio = 1.0 if row["is_point"] else float(axis_ratio(row["q"]))
    edges = _edges(view, place)
    rings = [
        EllipticalAnnulus(place, inner, outer, outer * ratio, theta=angle)
        for inner, outer in zip(np.maximum(edges[:-1], 1e-6), edges[1:], strict=True)
    ]
    areas = np.array([ring.area for ring in rings]) / pixels**2
    data, error, model = (values / areas for values in _sums(view, rings))
    middle = np.sqrt(0.5 * (edges[:-1] ** 2 + edges[1:] ** 2))
    return Profile(middle / pixels, data, error, model)


def growth(view: SourceView, row) -> Profile:
    """Fluxes within circles, nJy."""
    from photutils.aperture import CircularAperture

    place, pixels, _ = _frame(view, row)
    edges = _edges(view, place)[1:]
    return Profile(edges / pixels, *_sums(view, [CircularAperture(place, radius) for radius in edges]))


def _frame(view: SourceView, row):
    """Place (x, y) in pixels, pixels per arcsec, angle of the major axis from x (rad)."""
    xy, scale = linearize(view.picture.wcs, np.array([row["ra"]]), np.array([row["dec"]]))
    turn = np.radians(position_angle(row["pa"]))
    along = scale[0] @ [np.sin(turn), np.cos(turn)]
    return xy[0], float(np.sqrt(abs(np.linalg.det(scale[0])))), float(np.arctan2(along[1], along[0]))


def _edges(view: SourceView, place) -> np.ndarray:
    """Radii (pixels) from 0 to the nearest edge of the cut-out, growing outwards."""
    ny, nx = view.own.shape
    far = max(min(place[0] + 0.5, place[1] + 0.5, nx - 0.5 - place[0], ny - 0.5 - place[1]), 2 * LEAST)
    steps = min(STEPS, int(far / LEAST))
    return far * np.linspace(0, 1, steps + 1) ** 1.5 if far / steps**1.5 > LEAST else _even(far, steps)


def _even(far: float, steps: int) -> np.ndarray:
    """The first at LEAST, then growing by a power."""
    inner = np.linspace(0, 1, steps)
    return np.concatenate([[0.0], LEAST + (far - LEAST) * inner**1.5])


def _sums(view: SourceView, apertures) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the data, their errors, and of the model, each (R,) nJy."""
    good = view.picture.good
    sigma = np.divide(1.0, view.picture.ierr, out=np.zeros(good.shape), where=good)
    out = []
    for one in apertures:
        data, error = one.do_photometry(view.cleaned, error=sigma, method="exact")
        model, _ = one.do_photometry(view.own, method="exact")
        out.append((data[0], error[0], model[0]))
    return tuple(np.array(values) for values in zip(*out, strict=True))
