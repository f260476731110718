"""Fluxes within circles, measured in the images again: aperture photometry with all other sources taken off.

The sum of an image's pixels within a circle, less the sky and the models of all other sources, is the sum of
the residual plus that of the source's own model. For the latter stands the catalog's value, in which no
circle cuts through pixels. Residuals are those of the images that the source was fitted in (the mean over a
band's, weighted by their errors). A sum has the error that its pixels say; the fit has seen the same pixels,
so pulls are narrower than 1 where all is well.
"""

from dataclasses import dataclass

import numpy as np

from ..geometry import linearize
from ..parameters import FLUX_UNIT
from .apertures import circle_names, fixed_radii
from .collecting import Results
from .picture import Picture
from .tables import write_ecsv

FAR = 3.0  # errors


@dataclass
class ApertureCheck:
    """Sums of residuals within circles, image after image; what a band's images tell together."""

    results: Results
    weight: np.ndarray  # (S, B, A) of the sums so far, nJy^-2
    total: np.ndarray  # (S, B, A) of weight times sum
    images: np.ndarray  # (S, B) that a source was seen in

    @classmethod
    def of(cls, results: Results) -> "ApertureCheck":
        """Without any image yet."""
        radii = fixed_radii(source.apertures for source in results.sources)
        shape = len(results.sources), len(results.bands), 1 + len(radii)
        return cls(results, np.zeros(shape), np.zeros(shape), np.zeros(shape[:2], int))

    def add(self, picture: Picture) -> None:
        """Sum the residual of an image; circles with a masked pixel, or beyond its edge, are left out."""
        from photutils.aperture import CircularAperture

        fitted = {patch.number for patch in self.results.patches if picture.id in patch.exposures}
        rows, b = self.results.rows, self.results.bands.index(picture.band)
        if not fitted:
            return
        position, scale = linearize(picture.wcs, rows["ra"], rows["dec"])
        pixels = np.sqrt(np.abs(np.linalg.det(scale)))
        residual = np.where(picture.good, picture.data - picture.model, 0.0)
        variance = np.divide(1.0, picture.ierr**2, out=np.full(residual.shape, np.inf), where=picture.good)
        for s, source in enumerate(self.results.sources):
            if source.patch not in fitted or source.apertures is None:
                continue
            for a, radius in enumerate(source.apertures.radius[b]):
                if not np.isfinite(radius) or not _inside(position[s], radius * pixels[s], residual.shape):
                    continue
                share = CircularAperture(position[s], radius * pixels[s]).to_mask(method="exact")
                touched = share.data > 0
                noise = np.sum(share.data[touched] ** 2 * share.cutout(variance)[touched])
                if np.isfinite(noise):
                    self.weight[s, b, a] += 1 / noise
                    self.total[s, b, a] += np.sum(share.data * share.cutout(residual)) / noise
                    self.images[s, b] += a == 0

    def table(self):
        """astropy Table: a row for each source, band and circle that was summed."""
        from astropy.table import Table

        radii = fixed_radii(source.apertures for source in self.results.sources)
        names, rows = circle_names(radii), []
        for s, b, a in zip(*np.nonzero(self.weight), strict=True):
            source, error = self.results.sources[s], self.weight[s, b, a] ** -0.5
            own, excess = source.apertures, self.total[s, b, a] / self.weight[s, b, a]
            key = int(source.row["source_index"]), str(source.row["id"]), self.results.bands[b], names[a]
            model = own.radius[b, a], own.flux[b, a], own.error[b, a]
            rows.append((*key, *model, own.flux[b, a] + excess, error, excess / error, self.images[s, b]))
        columns = ("source_index", "id", "band", "circle", *UNITS, "pull", "images")
        kinds = ("i8", "U32", "U64", "U16", *["f8"] * (len(UNITS) + 1), "i8")
        table = Table(rows=rows or None, names=columns, dtype=kinds)
        for name, unit in UNITS.items():
            table[name].unit = unit
        for name, text in TEXTS.items():
            table[name].description = text
        return table

    def write(self, path):
        """The table as ECSV; returns it."""
        table = self.table()
        write_ecsv(table, path)
        return table


UNITS = {"radius": "arcsec"} | dict.fromkeys(("model", "model_err", "measured", "measured_err"), FLUX_UNIT)
TEXTS = {
    "circle": "name of the circle, as in the catalog's columns",
    "model": "flux of the model within it, median of the draws",
    "measured": "aperture photometry, all other sources and the sky taken off",
    "measured_err": "from the errors of the pixels",
    "pull": "(measured - model) / measured_err; narrower than 1 where all is well",
    "images": "images of the band that were summed",
}


def _inside(place, radius: float, shape) -> bool:
    """Whether a circle lies on the image."""
    ny, nx = shape
    low, high = np.asarray(place) - radius, np.asarray(place) + radius
    return bool(
        np.all(np.isfinite(place)) and np.all(low > -0.5) and high[0] < nx - 0.5 and high[1] < ny - 0.5
    )


def summarised(table) -> tuple[list[str], list[list[str]]]:
    """(head, rows) by band and circle: how model and photometry agree."""
    head = [
        "band",
        "circle",
        "sources",
        "median measured / model",
        "mean pull",
        "sd of pulls",
        f"beyond {FAR:g}",
    ]
    rows = []
    keys = dict.fromkeys(zip(table["band"], table["circle"], strict=True))
    for band, circle in keys:
        some = table[(table["band"] == band) & (table["circle"] == circle)]
        pull, positive = np.asarray(some["pull"]), some["model"] > 0
        ratio = np.median(some["measured"][positive] / some["model"][positive]) if positive.any() else np.nan
        numbers = [
            f"{ratio:.3f}",
            f"{pull.mean():.2f}",
            f"{pull.std():.2f}",
            str(int(np.sum(np.abs(pull) > FAR))),
        ]
        name = "FWHM of the PSF" if circle == "psf" else f"{circle.replace('_', '.')} arcsec"
        rows.append([str(band), name, str(len(some)), *numbers])
    return head, rows
