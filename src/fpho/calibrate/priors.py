"""Draws from the priors of the fit, made by scipy's own distributions and rejection.

Nothing of the fit's coordinates is used here (its splines, its disc of ellipticities): an error there would
show as a wrong rank of the truth.

Fluxes: the default flux prior is flat between bounds. For a true flux to be a draw of it, each source is
given bounds of its own, `flux_range` times a level, before the truth is drawn; the fit is given the same
bounds. The level is known to both and does not depend on the source's shape.
"""

import numpy as np

from ..geometry import offset
from ..parameters import from_ellipticity
from ..posterior.priors import distribution, flux_prior


def draw_truth(rows, bands, bounds, priors, rng) -> np.ndarray:
    """Scene rows (S,) like `rows`, all parameters drawn from the priors within bounds.

    rows : at the places that the fit knows; positions are drawn about them. bounds : as for `Posterior`.
    """
    truth = rows.copy()
    for row, limits in zip(truth, bounds, strict=True):
        for band in bands:
            row[band] = _flux(priors.flux, *map(float, limits[band]), rng)
        if row["is_point"]:
            continue
        row["q"], row["pa"] = _shape(priors.q, float(limits["q"][0]), rng)
        for name in ("sersic", "rhalf"):
            row[name] = _truncated(name, getattr(priors, name), *map(float, limits[name]), rng)
    half = 0.5 * (bounds["dec"][:, 1] - bounds["dec"][:, 0]) * 3600
    east, north = (
        np.array([_truncated("position", priors.position, -h, h, rng) for h in half]) for _ in range(2)
    )
    truth["ra"], truth["dec"] = offset(rows["ra"], rows["dec"], east, north)
    return truth


def _truncated(parameter, prior, low, high, rng) -> float:
    """One draw between bounds, by rejection."""
    law = distribution(parameter, prior, low, high)
    while True:
        value = float(law.rvs(random_state=rng))
        if low <= value <= high:
            return value


def _shape(prior, q_low, rng) -> tuple[float, float]:
    """(q, pa): two normal components of the ellipticity in its disc, or q of its law and any angle."""
    limit = (1 - q_low**2) / (1 + q_low**2)
    if prior.name != "rayleigh":
        return _truncated("q", prior, q_low, 1.0, rng), float(rng.uniform(-np.pi / 2, np.pi / 2))
    width = 0.3 if prior.scale is None else prior.scale
    while True:
        e1, e2 = width * rng.standard_normal(2)
        if np.hypot(e1, e2) < limit:
            q, pa = from_ellipticity(e1, e2)
            return float(q), float(pa)


def _flux(prior, low, high, rng) -> float:
    """One draw of a flux; the flat one falls beyond its bounds like a Gaussian, see `flux_prior`."""
    kind, centre, width, extra, _ = flux_prior(prior, low, high)
    if kind == 1:
        return float(rng.normal(centre, width))
    if kind == 2:
        return float(centre + width * rng.standard_t(extra))
    tail = np.sqrt(np.pi / 2) * extra
    if rng.random() < width / (width + tail):
        return float(rng.uniform(centre - width, centre + width))
    return float(centre + rng.choice([-1.0, 1.0]) * (width + abs(rng.normal(0, extra))))
