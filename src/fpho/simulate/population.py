"""Sources of a deep field: counts, sizes, indices, axis ratios, colours and clustering, as published.

Counts: dN/dm rises as 10^(0.24 m); near-infrared counts flatten beyond AB 21 to slopes of 0.2 to 0.3 per
magnitude (Windhorst et al. 2023, AJ 165, 13). Half-light radii: medians fall with magnitude to 0.1-0.2 arcsec
at AB 28 in deep Hubble images (Windhorst et al. 2008, Adv. Space Res. 41, 1965), with a scatter of 0.2 dex
(van der Wel et al. 2014, ApJ 788, 28). Indices: medians of 1 to 2, scatter 0.5 in ln n (van der Wel et al.
2012, ApJS 203, 24). Discs are oblate, of thickness 0.22, seen from all sides (Padilla, Strauss 2008, MNRAS
388, 1321). One galaxy in five has a companion within arcseconds.
"""

from itertools import pairwise

import numpy as np

from ..parameters import scene_dtype

COUNTS_SLOPE = 0.24  # dex per magnitude
BRIGHTEST = 20.0  # AB
SIZE_AT_25, SIZE_SLOPE, SIZE_SCATTER = 0.22, -0.085, 0.2  # arcsec, dex per magnitude, dex
SIZES = (0.015, 3.0)  # arcsec, smallest and largest
DISC_INDEX, SPHEROID_INDEX = (1.2, 0.4), (3.8, 0.25)  # median, scatter of ln n
SPHEROIDS, STARS, COMPANIONS = 0.12, 0.04, 0.2  # shares
THICKNESS = 0.22  # of discs, axis ratio seen edge-on
COMPANION = (0.3, 2.0)  # arcsec from the other
COLOUR = 0.12  # dex of flux from band to band, scatter
ZEROPOINT = 31.4  # AB magnitude of 1 nJy


def draw_population(count: int, bands, faintest: float, place, rng) -> np.ndarray:
    """Scene rows (S,) with fluxes in nJy, brightest first.

    Parameters
    ----------
    faintest : AB magnitude in the first band
    place : function (number, rng) -> offsets (N, 2) east and north in arcsec, and one (offsets) -> (ra, dec)
    """
    rows = np.zeros(count, scene_dtype(bands))
    magnitude = np.sort(_magnitudes(count, faintest, rng))
    kind = rng.uniform(size=count)
    star, spheroid = kind < STARS, kind > 1 - SPHEROIDS
    rows["is_point"], rows["is_valid"], rows["source_index"] = star, True, np.arange(count)
    size = np.log10(SIZE_AT_25) + SIZE_SLOPE * (magnitude - 25) + SIZE_SCATTER * rng.standard_normal(count)
    rows["rhalf"] = np.where(star, 0, np.clip(np.where(spheroid, 0.6, 1.0) * 10**size, *SIZES))
    median, scatter = np.where(spheroid[:, None], SPHEROID_INDEX, DISC_INDEX).T
    index = np.clip(median * np.exp(scatter * rng.standard_normal(count)), 0.4, 6.0)
    rows["sersic"] = np.where(star, 1.0, index)
    rows["q"] = np.sqrt(np.where(star, 1.0, _axis_ratios(spheroid, rng)))
    rows["pa"] = np.where(star, 0.0, rng.uniform(-np.pi / 2, np.pi / 2, count))
    flux = 10 ** (-0.4 * (magnitude - ZEROPOINT))
    for i, band in enumerate(bands):
        rows[band] = flux if i == 0 else rows[bands[i - 1]] * 10 ** (COLOUR * rng.standard_normal(count))
        rows[f"{band}_err"] = np.nan
    spots, to_sky = place
    rows["ra"], rows["dec"] = to_sky(_clustered(spots(count, rng), rng))
    rows["id"] = [f"{'star' if point else 'gal'}-{i + 1}" for i, point in enumerate(star)]
    return rows


def bright_stars(count: int, bands, magnitudes, place, rng) -> np.ndarray:
    """Scene rows (S,) of stars that stand anywhere, of colours as the others.

    magnitudes : (brightest, faintest) AB in the first band; place : as of `draw_population`
    """
    rows = np.zeros(count, scene_dtype(bands))
    rows["is_point"] = rows["is_valid"] = True
    rows["sersic"] = rows["q"] = 1.0
    rows["source_index"] = np.arange(count)
    rows[bands[0]] = 10 ** (-0.4 * (np.sort(rng.uniform(*magnitudes, count)) - ZEROPOINT))
    for before, band in pairwise(bands):
        rows[band] = rows[before] * 10 ** (COLOUR * rng.standard_normal(count))
    for band in bands:
        rows[f"{band}_err"] = np.nan
    spots, to_sky = place
    rows["ra"], rows["dec"] = to_sky(spots(count, rng))
    rows["id"] = [f"bright-star-{i + 1}" for i in range(count)]
    return rows


def _magnitudes(count, faintest, rng) -> np.ndarray:
    """By the inverse of the counts' integral between the brightest and the faintest."""
    low, high = 10 ** (COUNTS_SLOPE * BRIGHTEST), 10 ** (COUNTS_SLOPE * faintest)
    return np.log10(low + (high - low) * rng.uniform(size=count)) / COUNTS_SLOPE


def _axis_ratios(spheroid, rng) -> np.ndarray:
    """Of oblate discs seen from everywhere, and of spheroids between 0.5 and 1."""
    cosine = rng.uniform(size=len(spheroid))
    disc = np.sqrt(THICKNESS**2 + (1 - THICKNESS**2) * cosine**2)
    return np.where(spheroid, rng.uniform(0.5, 1.0, len(spheroid)), disc)


def _clustered(spots, rng) -> np.ndarray:
    """Offsets (N, 2) of which some are moved to the side of another."""
    out = spots.copy()
    moved = np.flatnonzero(rng.uniform(size=len(spots)) < COMPANIONS)
    host = rng.permutation(len(spots))[: len(moved)]
    angle, distance = rng.uniform(0, 2 * np.pi, len(moved)), rng.uniform(*COMPANION, len(moved))
    out[moved] = spots[host] + (distance * [np.cos(angle), np.sin(angle)]).T
    return out
