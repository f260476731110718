"""`fpho.open`: a finished run of any size; only what is asked for is read."""

from functools import cached_property
from pathlib import Path

import numpy as np
from astropy import units
from astropy.table import QTable

from ..config import Config, load_config
from ..errors import InputError
from ..flags import Flag, describe
from ..geometry import linearize
from ..images import open_chosen
from ..layout import Layout
from ..passes.results import results_of
from ..products.collecting import Results, collect
from ..products.images import pictures, read_picture
from ..products.picture import Picture
from ..products.plots.chains import plot_corner
from ..products.plots.panels import plot_patch
from ..products.tables import read_fits_table
from ..records import StoredRecord
from ..results import Samples
from ..scene import read_scene
from . import shown

TROUBLE = Flag.OPTIMIZE_FAILED | Flag.NOT_CONVERGED | Flag.HARD_POSTERIOR | Flag.NO_DRAWS
HALF_WIDTH = 2.0  # arcsec, of cut-outs, at least; and at least so many half-light radii:
RADII = 4.0
MOST_SHOWN = 20  # sources, where a notebook shows a run


class Run:
    """The results of a run in a folder, in physical conventions: position angles in degrees east of north,
    radii along the major axis, fluxes in nJy with AB magnitudes beside them.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self._layout = Layout(self.folder)
        if not self._layout.config.is_file():
            found = "no config.yaml in it: not the folder of a run"
            raise InputError(folder, found, "Give the `outdir` of a run of fpho")
        if not self._layout.postop.is_file():
            raise InputError(folder, "the run has no optimum yet", "Run it on; what is finished is kept")

    @cached_property
    def config(self) -> Config:
        """The options of the run."""
        return load_config(self._layout.config)

    @property
    def sampled(self) -> bool:
        """Whether there are draws; else all results are of the optimum."""
        return self._layout.patch_log("sample").is_file()

    @cached_property
    def table(self) -> QTable:
        """One row for each source: values, errors and percentiles, flags; see docs on outputs.

        Values are the medians of the draws; without draws they are the optimum's, and errors those of the
        Gaussian with the curvature there.
        """
        if self.sampled and self._layout.posterior.is_file():
            return shown.quantity_table(read_fits_table(self._layout.posterior))
        return shown.quantity_table(shown.catalog(self._results, not self.sampled))

    @property
    def bands(self) -> list[str]:
        """Bands in order."""
        return self.table.meta["FILTERS"].split(",")

    @property
    def flags(self) -> dict[str, list[str]]:
        """Names of the quality flags of each source, by its id; `fpho flags` says what they mean."""
        return {str(row["id"]): describe(int(row["flags"])) for row in self.table}

    @property
    def converged(self) -> bool:
        """Whether all optima were found and all chains mixed."""
        return not np.any(np.asarray(self.table["flags"]) & int(TROUBLE))

    @property
    def flux_covariance(self) -> units.Quantity:
        """(S, B, B) covariance of each source's fluxes, nJy^2, bands in the order of `bands`."""
        return units.Quantity(self.table["flux_cov"])

    def samples_of(self, id):
        """Draws of one source as ArviZ InferenceData; those of its patch are read."""
        row = self.table[self._place(id)]
        from ..products.posterior import inference_data

        data = inference_data(self._samples(row))
        names = [str(name) for name in data.posterior["source"].values]
        wanted = str(row["id"]) if str(row["id"]) in names else str(row["source_index"])
        return data.isel(source=names.index(wanted))

    def cutout(self, id, band=None) -> "Cutout":
        """Data, model and residual around a source, in the first image of a band (the first band's)."""
        row = self.table[self._place(id)]
        wanted = band or self.bands[0]
        if wanted not in self.bands:
            raise InputError("band", f"no band {wanted!r}", f"Bands are {', '.join(self.bands)}")
        for store in open_chosen(self._layout, "all"):
            for name in store.ids:
                part = self._around(name, store, row) if store.band(name) == wanted else None
                if part is not None:
                    return Cutout(part)
        raise InputError("band", f"no image of {wanted} has source {id}", "Ask for another band")

    def show(self, id):
        """Figure: data, model and residual around a source, a line for each image that it lies in."""
        row = self.table[self._place(id)]
        stores = open_chosen(self._layout, "all")
        parts = [self._around(name, store, row) for store in stores for name in store.ids]
        parts = [part for part in parts if part is not None]
        return plot_patch(None, f"source {row['id']}", parts, self._rows, [int(row["source_index"])])

    def corner(self, id=None):
        """Figure: marginal and joint distributions of a source's parameters; none named: of the only one."""
        place = self._place(id)
        row = self.table[place]
        samples = self._samples(row)
        mine = list(samples.final["source_index"]).index(int(row["source_index"]))
        draws = samples.samples[mine]
        return plot_corner(None, f"source {row['id']}", draws, samples.bands, bool(row["is_point"]))

    def view(self):
        """Show the run's page in the browser; where it is not there, it is made."""
        import webbrowser

        from ..page import page_of_run

        page = self._layout.page / "index.html"
        webbrowser.open((page if page.is_file() else page_of_run(self.folder)).resolve().as_uri())

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        kind = "draws" if self.sampled else "optimum"
        count = f"{len(self)} source{'s' if len(self) != 1 else ''}"
        state = "" if self.converged else ", not all converged: see flags"
        return f"<{type(self).__name__}: {count} in {', '.join(self.bands)}; {kind}{state}>"

    def _repr_html_(self) -> str:
        return f"<p>{repr(self)[1:-1]}</p>{shown.overview(self.table[:MOST_SHOWN], self.bands)._repr_html_()}"

    @cached_property
    def _results(self) -> Results:
        if self.sampled:
            return collect(self.folder)
        from .optimum import optimum_results

        return optimum_results(self.config, self._layout)

    @cached_property
    def _rows(self) -> np.ndarray:
        """Scene rows of all sources, as images are drawn of them."""
        return (
            read_scene(self._layout.scene("sample"))[0]
            if self.sampled
            else read_scene(self._layout.postop)[0]
        )

    def _place(self, id) -> int:
        """Row of a source, by its id or its number."""
        ids = [str(name) for name in self.table["id"]]
        if id is None and len(ids) == 1:
            return 0
        if id is not None and ids.count(str(id)) == 1:
            return ids.index(str(id))
        if isinstance(id, int | np.integer) and id in self.table["source_index"]:
            return list(self.table["source_index"]).index(id)
        listed = ", ".join(ids[:10]) + (", …" if len(ids) > 10 else "")
        raise InputError(
            "id", f"no source {id!r}" if id is not None else "none is given", f"There are {listed}"
        )

    def _samples(self, row) -> Samples:
        """Of a source's patch, the last round that has draws."""
        if not self.sampled or not row["n_draws"]:
            raise self._no_draws()
        return Samples(self._records[int(row["patch"])])

    @cached_property
    def _records(self) -> dict[int, StoredRecord]:
        """Draws of each patch, by its number."""
        return {one.patch.number: one.record for one in results_of(self._layout) if one.record is not None}

    def _no_draws(self) -> InputError:
        return InputError(
            self.folder, "no draws, the optimum alone", "Fit with draws=1000, or run the stage `sample`"
        )

    def _picture(self, name: str) -> Picture:
        """An image with its model: from its file, else drawn."""
        path = self._layout.images / f"{name}.fits"
        return read_picture(path) if path.is_file() else self._drawn[name]

    @cached_property
    def _drawn(self) -> dict[str, Picture]:
        made = pictures(self.folder, results=self._results, config=self.config)
        return {picture.id: picture for picture in made}

    def _around(self, name: str, store, row) -> Picture | None:
        """The part of an image around a source; None where it does not lie in it."""
        scene = self._rows[list(self._rows["source_index"]).index(int(row["source_index"]))]
        position, scale = linearize(store.wcs(name), np.atleast_1d(scene["ra"]), np.atleast_1d(scene["dec"]))
        ny, nx = store.shape(name)
        if not (np.isfinite(position).all() and 0 <= position[0][0] < nx and 0 <= position[0][1] < ny):
            return None
        radius = max(HALF_WIDTH, RADII * float(scene["rhalf"] / max(scene["q"], 0.1)))
        return self._picture(name).cut(position[0], radius * np.sqrt(abs(np.linalg.det(scale[0]))))


class Cutout:
    """A part of an image: `data`, `model` and `residual` as NDData with WCS."""

    def __init__(self, picture: Picture):
        self._picture = picture
        self.data, self.model, self.residual = (shown.nddata(picture, layer) for layer in shown.LAYERS)

    def __repr__(self) -> str:
        ny, nx = self.data.data.shape
        return f"<Cutout of {self._picture.id}, {self._picture.band}: {nx} x {ny} pixels>"


def open_run(folder) -> Run:
    """The results of a run, or of a fit that was saved, by its folder.

    Raises
    ------
    InputError
        If it is not the folder of a run, or the run has no results yet.
    """
    from .result import Fit

    return Fit.of(folder) if Fit.saved(folder) else Run(folder)
