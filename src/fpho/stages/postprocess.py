"""Stage `postprocess`: catalogs, images, regions, plots and the summary of a sampled run."""

import logging

from ..config import Config
from ..layout import Layout
from ..products.aperture_check import ApertureCheck
from ..products.catalogs import postsample_catalog, write_chains
from ..products.choosing import image_chi2
from ..products.collecting import Results, collect
from ..products.images import pictures, write_picture
from ..products.picture import Picture
from ..products.plots.apertures import plot_apertures
from ..products.plots.colour import plot_colour
from ..products.plots.panels import around, plot_exposure, plot_patch
from ..products.plots.style import WIDEST
from ..products.plots.summary import plot_summary
from ..products.regions import write_patchreg, write_sourcereg
from ..products.report import write_summary

log = logging.getLogger("fpho")


def run(config: Config, layout: Layout) -> None:
    """Everything under `layout.catalogs`, `images`, `regions`, `plots`, and `layout.summary`."""
    options = config.postprocess
    results = collect(layout.outdir)
    rows = results.rows
    log.info("%d sources in %d patches", len(rows), len(results.patches))
    chi2, gallery, check = {}, Gallery(results, options.max_plots), ApertureCheck.of(results)
    for picture in pictures(layout.outdir, rows, results, config):
        chi2[picture.id] = image_chi2(picture)
        check.add(picture)
        if options.images:
            write_picture(layout.images / f"{picture.id}.fits", picture)
        if options.plots:
            plot_exposure(layout.plots / f"field_{picture.id}.png", picture, rows)
            gallery.add(picture)
    table = postsample_catalog(results, layout.posterior, options.percentiles, options.tables)
    write_chains(layout.chains, results, options.chain_draws)
    sums = check.write(layout.apertures)
    if options.regions:
        write_sourcereg(rows, layout.regions / "sources.reg")
        write_patchreg(results, layout.regions / "patches.reg")
    if options.plots:
        _plots(config, layout, results, table, gallery, chi2)
        plot_apertures(layout.plots / "apertures.png", sums, results.bands)
    figures = [layout.plots / f"{name}.png" for name in ("colour", "summary", "apertures") if options.plots]
    write_summary(layout.summary, results, table, chi2, figures, config.seed, sums)


class Gallery:
    """What later plots need of the images, which are seen once and one at a time.

    `by_band`: one picture of each band, its mosaic or else its first; `patches`: cut-outs of each
    patch from the images that it fitted.
    """

    def __init__(self, results: Results, max_patches: int):
        self.shown = results.patches[:max_patches]
        self.by_band: dict[str, Picture] = {}
        self.patches: dict[int, list[Picture]] = {patch.number: [] for patch in self.shown}

    def add(self, picture: Picture) -> None:
        """Keep what will be drawn of an image."""
        known = self.by_band.get(picture.band)
        if known is None or (picture.kind == "mosaic" and known.kind != "mosaic"):
            self.by_band[picture.band] = picture.thinned(WIDEST)
        for patch in self.shown:
            part = around(picture, patch.region) if picture.id in patch.exposures else None
            if part is not None:
                self.patches[patch.number].append(part)


def _plots(config: Config, layout: Layout, results: Results, table, gallery: Gallery, chi2) -> None:
    """Plots of the field and of patches."""
    folder, rows = layout.plots, results.rows
    if len(results.bands) > 1:
        plot_colour(folder / "colour.png", [gallery.by_band[band] for band in results.bands], rows)
    limits = config.sample.max_rhat, config.sample.min_ess
    plot_summary(folder / "summary.png", table, results.bands, chi2, *limits)
    for patch in gallery.shown:
        count = len(patch.active)
        title = f"patch {patch.number}: {count} source{'s' if count > 1 else ''}"
        path = folder / "patches" / f"patch{patch.number}.png"
        plot_patch(path, title, gallery.patches[patch.number], rows, patch.active)
