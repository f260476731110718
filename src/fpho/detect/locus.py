"""Stars of an image that could tell its PSF: bright, alone, unsaturated, of the smallest size there is.

Without a PSF: SEP's objects on the image itself, and the narrow locus of point sources in size.
"""

import numpy as np
import sep

BRIGHT = 50.0  # S/N within twice the half-light radius
FAINT, VETO, OUTLIERS = 15.0, 0.7, 1  # more sources of that S/N, that much smaller: the locus is none
WIDTH = 0.12  # of the locus, as a part of its size
SMALLEST = 0.6  # pixels: what is smaller is a cosmic ray
ALONE = 8.0  # half-light radii within which no neighbour
NEIGHBOUR = 0.05  # of its light may stand
NEAR = 3.0  # pixels between a star of a list and its object


def usable_stars(exposure, listed=None) -> np.ndarray:
    """Stars of `stars_and_others`."""
    return stars_and_others(exposure, listed)[0]


def stars_and_others(exposure, listed=None) -> tuple[np.ndarray, np.ndarray]:
    """(Stars (N,), number of the object that each pixel (ny, nx) belongs to, 0: none).

    Stars are structured: x, y (zero-indexed), half (half-light radius; pixels), snr, label (their own number
    among the objects); brightest first.

    Of three objects or fewer there is no locus: the answer is empty. Compact galaxies of a star's size are
    among them; a fit of the PSF has to leave them out.

    listed : (ra, dec) of stars, degrees (N,) each: these, as far as they are bright, whole and alone
    """
    good = exposure.ierr > 0
    error = np.where(good, 1 / np.where(good, exposure.ierr, 1), 0).astype("f4")
    sky = np.median(exposure.data[good])
    data = np.ascontiguousarray(np.where(good, exposure.data - sky, 0), "f4")
    sep.set_extract_pixstack(max(300_000, data.size))
    sigma = np.where(good, error, 1e30).astype("f4")
    found, labels = sep.extract(data, 5.0, err=sigma, mask=~good, segmentation_map=True)
    dtype = [(name, "f8") for name in ("x", "y", "half", "snr")] + [("label", "i8")]
    if len(found) < (4 if listed is None else 1):
        return np.zeros(0, dtype), labels
    x, y = found["x"], found["y"]
    half, flag = sep.flux_radius(data, x, y, 6 * found["a"], 0.5, normflux=found["flux"], mask=~good)
    total, noise, touched = sep.sum_circle(data, x, y, np.maximum(2 * half, 1), err=error, mask=~good)
    snr = np.divide(total, noise, out=np.zeros(len(x)), where=noise > 0)
    spoiled = (touched & (sep.APER_HASMASKED | sep.APER_TRUNC)) != 0
    able = (snr > BRIGHT) & (half > SMALLEST) & (flag == 0) & ~spoiled & _alone(x, y, found["flux"], half)
    if listed is None:
        chosen = _on_locus(able, half, (snr > FAINT) & (half > SMALLEST) & ~spoiled)
    else:
        chosen = able & _listed(exposure, x, y, *listed)
    stars = np.flatnonzero(chosen)
    stars = stars[np.argsort(-snr[stars])]
    out = np.zeros(len(stars), dtype)
    for name, values in {"x": x, "y": y, "half": half, "snr": snr}.items():
        out[name] = values[stars]
    out["label"] = stars + 1
    return out, labels


def _on_locus(able, half, seen) -> np.ndarray:
    """Which objects (N,) have the size of a point source; none where smaller ones are `seen`."""
    if able.sum() < 3:
        return np.zeros(len(able), bool)
    size = np.percentile(half[able], 15)
    for _ in range(5):
        near = able & (np.abs(half / size - 1) < WIDTH)
        size = np.median(half[near]) if near.any() else size
    smaller = seen & (half < VETO * size)
    if smaller.sum() > OUTLIERS:  # then those are the stars, and these are galaxies
        return np.zeros(len(able), bool)
    return near


def _listed(exposure, x, y, ra, dec) -> np.ndarray:
    """Which objects (N,) are nearest to a star of a list, and near."""
    from scipy.spatial import cKDTree  # slow to import

    there = np.stack(exposure.wcs.world_to_pixel_values(ra, dec), axis=1)
    there = there[np.isfinite(there).all(axis=1)]
    distance, which = cKDTree(np.stack([x, y], axis=1)).query(there, distance_upper_bound=NEAR)
    out = np.zeros(len(x), bool)
    out[which[np.isfinite(distance)]] = True
    return out


def _alone(x, y, flux, half) -> np.ndarray:
    """Which objects (N,) have no neighbour of NEIGHBOUR of their light near by."""
    places = np.stack([x, y], axis=1)
    from scipy.spatial import cKDTree  # slow to import

    tree = cKDTree(places)
    out = np.ones(len(x), bool)
    for i, near in enumerate(tree.query_ball_point(places, ALONE * np.maximum(half, 1))):
        out[i] = not any(flux[j] > NEIGHBOUR * flux[i] for j in near if j != i)
    return out
