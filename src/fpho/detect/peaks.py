"""Significant peaks in the sum of matched-filter images, and their fluxes in every band."""

from functools import partial

import numpy as np

from .extraction import extract
from .grid import common_grid
from .hidden import hidden
from .measuring import RHALF_OF_SIGMA, SIZES, measure, peak_dtype
from .significance import significance
from .width import core_sizes


def find_peaks(
    exposures,
    models,
    psfstore,
    bands,
    *,
    nsigma: float,
    sum_bands=None,
    model_error: float = 0.0,
    rhalf: float | None = None,
    interpolation: str = "nearest",
) -> np.ndarray:
    """Sources in the residuals of `exposures`, (N,) structured: ra, dec, snr, rhalf, fluxes and errors (nJy).

    Parameters
    ----------
    exposures : list of `Exposure`
    models : list of (ny, nx) float: model of all known sources on each
    nsigma : threshold in S/N of a point source, in the chi-square image of exposures and bands
    sum_bands : bands that are added up; all when None
    model_error : fraction of the known sources' light that their models may be wrong by, at any place
    rhalf : half-light radius (arcsec) assumed for the fluxes; None: the best of a few
    """
    used = list(bands if sum_bands is None else sum_bands)
    core = typical_core(exposures, psfstore, used, interpolation)
    found = [
        on_sky(tile, objects, bands)
        for tile, objects in objects_by_tile(
            exposures, models, psfstore, used, core, nsigma, model_error, interpolation
        )
    ]
    peaks = np.concatenate([np.zeros(0, peak_dtype(bands)), *found])
    if not len(peaks):
        return peaks
    sizes = [rhalf] if rhalf is not None else SIZES * core * RHALF_OF_SIGMA
    local = measure(peaks, exposures, models, psfstore, bands, sizes, interpolation)
    peaks = peaks[local >= nsigma]  # the others are bumps on what is wide: galaxies' wings, sky
    return peaks[np.argsort(-peaks["snr"], kind="stable")]


def objects_by_tile(exposures, models, psfstore, bands, core, nsigma, model_error, interpolation):
    """Each tile of the sky with the `Objects` of its core; `core` the PSF's sigma in arcsec."""
    chosen = [pair for pair in zip(exposures, models, strict=True) if pair[0].band in bands]
    if not chosen:
        return
    images, models = zip(*chosen, strict=True)
    psfs = [
        partial(psfstore.mixture, psfstore.resolve(one.id, one.band, one.psf), interpolation=interpolation)
        for one in images
    ]
    grid = common_grid(images)
    for tile in grid.tiles():
        snr = significance(tile, images, models, psfs, bands, model_error)
        objects = extract(snr, nsigma, core / grid.pixel)
        mine = tile.owns(np.round(objects.x), np.round(objects.y))
        yield tile, objects.only(mine & ~hidden(tile, images, objects.x, objects.y, core / grid.pixel))


def on_sky(tile, objects, bands) -> np.ndarray:
    """Peaks (N,) of objects of a tile, their fluxes still 0."""
    peaks = np.zeros(len(objects.x), peak_dtype(bands))
    if len(peaks):
        peaks["ra"], peaks["dec"] = tile.to_sky(objects.x, objects.y)
    peaks["snr"] = objects.snr
    return peaks


def typical_core(exposures, psfstore, bands, interpolation="nearest") -> float:
    """Median sigma (arcsec) of the PSF's core in images of some bands; of all where none is of them."""
    some = [one for one in exposures if one.band in bands] or exposures
    return float(np.median(core_sizes(some, psfstore, interpolation)))
