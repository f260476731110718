"""Stage `detect`: objects that the catalog lacks; and a catalog made from the images alone."""

import logging

import numpy as np

from ..background import apply_background, fit_background, read_tweakbg, sky_table
from ..config import Config
from ..detect import add_new, detect_catalog, fill_gaps, find_new, has_gaps, widest_core
from ..errors import InputError
from ..images import Exposure, open_chosen
from ..layout import Layout
from ..psf import PSFStore
from ..registration import read_shifts
from ..scene import read_scene, write_scene
from .sky_inputs import images, images_with_models

log = logging.getLogger("fpho")


def run(config: Config, layout: Layout) -> None:
    """Write `layout.scene("detect")`: the optimized scene, with new sources where there are any."""
    rows, bands, _ = read_scene(layout.scene("optimize"))
    if looks_again(config):
        peaks = new_peaks(config, layout, rows, bands)
        for peak in peaks:
            log.info("new source at ra %.6f, dec %.6f, S/N %.1f", peak["ra"], peak["dec"], peak["snr"])
        log.info("%d new sources in the residual images", len(peaks))
        rows = add_new(rows, peaks, bands, roi=least_roi(config, layout, bands), limits=limits(config))
    write_scene(layout.scene("detect"), rows, bands)


def looks_again(config: Config) -> bool:
    """As `detect.enabled` says; where it says nothing, if the images made the catalog."""
    enabled = config.detect.enabled
    return config.catalog.detect if enabled is None else enabled


def new_peaks(config: Config, layout: Layout, rows, bands) -> np.ndarray:
    """Peaks in the residuals of the images that optimization works on."""
    options = config.detect
    unknown = sorted(set(options.bands or ()) - set(bands))
    if unknown:
        cure = f"Bands of this run: {', '.join(bands)}"
        raise InputError("configuration", f"detect.bands names {', '.join(unknown)}", cure)
    table, shifts = read_tweakbg(layout.background), read_shifts(layout.registration)
    on = (config.optimize.on,)
    pairs = list(images_with_models(config, layout, rows, bands, on, table, shifts))
    exposures, models = [pair[0] for pair in pairs], [pair[1].astype("f4") for pair in pairs]
    return find_new(
        rows,
        exposures,
        models,
        PSFStore(layout.psf_store),
        bands,
        nsigma=options.nsigma,
        sum_bands=options.bands,
        model_error=options.model_error,
        min_separation=options.min_separation,
        rhalf=options.rhalf,
        interpolation=config.psf.interpolation,
    )


def detect_initial(config: Config, layout: Layout, bands) -> np.ndarray:
    """Scene rows of all sources found in the images that optimization works on (`catalog.detect`)."""
    rows = detect_catalog(
        images_without_sky(config, layout, bands),
        PSFStore(layout.psf_store),
        bands,
        nsigma=config.catalog.detect_nsigma,
        sum_bands=config.catalog.detect_bands,
        roi=least_roi(config, layout, bands),
        limits=limits(config),
        interpolation=config.psf.interpolation,
    )
    if not len(rows):
        cure = "Lower catalog.detect_nsigma, or give a catalog"
        raise InputError("detection", "no source found in the images", cure)
    log.info("%d sources found in the images, %d of them stars", len(rows), rows["is_point"].sum())
    return rows


def measure_gaps(config: Config, layout: Layout, rows, bands) -> np.ndarray:
    """Scene rows with radii and fluxes that the catalog lacks measured in the images, to start from."""
    found = fill_gaps(
        rows,
        images_without_sky(config, layout, bands),
        PSFStore(layout.psf_store),
        bands,
        roi=least_roi(config, layout, bands),
        limits=limits(config),
        interpolation=config.psf.interpolation,
    )
    count = np.sum(has_gaps(rows, bands))
    log.info("%d sources start with sizes or fluxes that were measured in the images", count)
    return found


def least_roi(config: Config, layout: Layout, bands) -> float:
    """Roi (arcsec) of sources that have none, at least: the option's, or the width of the widest PSF."""
    stores, psfs = open_chosen(layout, config.optimize.on), PSFStore(layout.psf_store)
    return max(config.patches.default_roi, widest_core(stores, psfs, bands, config.psf.interpolation))


def images_without_sky(config: Config, layout: Layout, bands) -> list[Exposure]:
    """The images of `bands` that optimization works on, each less a plane from its blank pixels."""
    return [without_sky(exposure) for exposure in images(layout, bands, (config.optimize.on,))]


def without_sky(exposure: Exposure) -> Exposure:
    """The exposure less a plane from its blank pixels, for finding sources when none is known."""
    sky = fit_background(exposure, np.zeros(exposure.data.shape), "plane")
    return apply_background(exposure, sky_table([sky], nsigma=0.0))


def limits(config: Config) -> dict[str, tuple[float, float]]:
    """Allowed ranges of the shapes, a little inside the bounds, where the optimizer can start."""
    bounds = config.bounds
    ranges = {"rhalf": (1.1 * bounds.rhalf_range[0], 0.9 * bounds.rhalf_range[1])}
    for name, (low, high) in {"q": bounds.sqrtq_range, "sersic": bounds.sersic_range}.items():
        margin = 0.02 * (high - low)
        ranges[name] = (low + margin, high - margin)
    return ranges
