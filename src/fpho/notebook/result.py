"""What `fpho.fit` returns."""

import json
import shutil
import weakref
from functools import cached_property
from pathlib import Path

import numpy as np
from astropy import units
from astropy.table import QTable

from ..config import dump_config, make_config
from ..errors import InputError
from ..files import write_text
from ..geometry import linearize
from ..images import open_chosen
from ..layout import Layout
from ..products.catalogs import postsample_catalog
from ..products.exports import export
from ..products.plots.panels import plot_patch
from . import shown
from .alike import Place, shaped
from .run import Run

MARK = "fit.json"  # in the folder of a fit: what its images are called, and in which shape they were given
INPUTS = "inputs"


class Fit(Run):
    """Results of `fpho.fit`: a run in a folder of its own, which goes with it unless it is saved.

    `data`, `model`, `residual` have the shape in which the images were given: one, a list, a dict by band.
    """

    def __init__(self, folder, ids: list[str], shape: list[Place], on_sky: bool, temporary: bool = False):
        super().__init__(folder)
        self._ids, self._shape, self._on_sky = ids, shape, on_sky
        tree = {"ids": ids, "shape": [[one.band, one.number] for one in shape], "on_sky": on_sky}
        if temporary:
            write_text(self.folder / MARK, json.dumps(tree) + "\n")
            self._end = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    @staticmethod
    def saved(folder) -> bool:
        """Whether a folder is that of a fit."""
        return (Path(folder) / MARK).is_file()

    @classmethod
    def of(cls, folder) -> "Fit":
        """A fit that was saved."""
        tree = json.loads((Path(folder) / MARK).read_text())
        return cls(folder, tree["ids"], [Place(*one) for one in tree["shape"]], tree["on_sky"])

    @cached_property
    def table(self) -> QTable:
        """As `Run.table`, with x and y in pixels of the first image, from 0 on.

        Where the images have no place on the sky, these are the only positions.
        """
        table = super().table
        store = next(one for one in open_chosen(self._layout, "all") if self._ids[0] in one.ids)
        wcs = store.wcs(self._ids[0])
        x, y = wcs.world_to_pixel_values(table["ra"].to_value("deg"), table["dec"].to_value("deg"))
        at = table.colnames.index("ra")
        for number, (name, values) in enumerate((("x", x), ("y", y))):
            table.add_column(units.Quantity(values, units.pixel), index=at + number, name=name)
            table[name].info.description = f"{name} in {self._ids[0]}, pixels from 0 on"
        if self._on_sky:
            return table
        _, scale = linearize(wcs, table["ra"].to_value("deg"), table["dec"].to_value("deg"))
        return shown.without_sky(table, 1 / np.sqrt(np.abs(np.linalg.det(scale))) * units.arcsec)

    @cached_property
    def samples(self):
        """Draws of all sources as ArviZ InferenceData, dimensions (chain, draw, source)."""
        found = {int(row["patch"]): self._samples(row) for row in self.table if row["n_draws"]}
        if not found:
            raise self._no_draws()
        return shown.joined(found.values())

    @cached_property
    def data(self):
        """The calibrated pixels less their background, NDData with mask, error and WCS."""
        return self._layer("data")

    @cached_property
    def model(self):
        """The model of all sources on the pixels of each image, NDData."""
        return self._layer("model")

    @cached_property
    def residual(self):
        """Data less model, NDData."""
        return self._layer("residual")

    def plot(self):
        """Figure: data, model and residual of all images, with the sources' half-light ellipses."""
        parts = [self._picture(name) for name in self._ids]
        active = self._rows["source_index"]
        return plot_patch(None, repr(self)[1:-1], parts, self._rows, active, max_rows=len(parts))

    def export(self, form: str, filters: dict[str, str] | None = None, folder=".") -> list[Path]:
        """Write the fluxes for `eazy`, `bagpipes` or `prospector` into a folder; the files written.

        filters : the program's name (eazy: number) of each band's filter.
        """
        if not self.sampled:
            raise self._no_draws()
        if not self._layout.posterior.is_file():
            postsample_catalog(self._results, self._layout.posterior)
        return export(self.folder, form, folder, filters)

    def save(self, folder) -> Path:
        """Keep everything in a folder, from which `fpho.open` reads it again; it is also one of a run."""
        target = Path(folder)
        if target.exists() and any(target.iterdir()):
            raise InputError(target, "the folder is not empty", "Give another one, or empty it")
        shutil.copytree(self.folder, target, dirs_exist_ok=True)
        layout = Layout(target)
        tree = json.loads(self.config.model_dump_json())
        text = json.dumps(tree).replace(
            json.dumps(str(self.folder))[1:-1], json.dumps(str(target.absolute()))[1:-1]
        )
        config = make_config(json.loads(text), where=target)
        write_text(layout.config, dump_config(config))
        write_text(layout.config_json, config.model_dump_json(indent=2) + "\n")
        if self.sampled:
            postsample_catalog(self._results, layout.posterior)
        return target

    def _layer(self, layer: str):
        return shaped([shown.nddata(self._picture(name), layer) for name in self._ids], self._shape)
