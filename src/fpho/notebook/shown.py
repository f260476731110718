"""Images, draws and tables as they are shown outside: types of astropy and ArviZ."""

from typing import TYPE_CHECKING

import numpy as np
from astropy import units
from astropy.table import QTable, Table
from astropy.wcs import WCS
from astropy.wcs.wcsapi import HighLevelWCSWrapper

from ..flags import describe
from ..products.catalogs import postsample_catalog
from ..products.collecting import Results
from ..products.columns import quantities
from ..products.picture import Picture
from ..products.plots.sky import SkyFrame
from ..products.posterior import inference_data

if TYPE_CHECKING:
    from astropy.nddata import NDDataArray

LAYERS = ("data", "model", "residual")
SHAPES = ("axis_ratio", "position_angle", "rhalf_major", "sersic")
MADE_UP = ("ra", "dec")  # columns that say nothing where the images have no place on the sky


def nddata(picture: Picture, layer: str) -> "NDDataArray":
    """A layer of an exposure with its WCS, mask (True: not used) and error, nJy per pixel."""
    from astropy.nddata import CCDData, NDDataArray, StdDevUncertainty

    plain = isinstance(picture.wcs, WCS)  # such as a FITS file can have: CCDData also writes these
    wcs = picture.wcs if plain else HighLevelWCSWrapper(SkyFrame(picture.wcs))
    bad = ~picture.good
    sigma = np.divide(1.0, picture.ierr, out=np.full(picture.data.shape, np.nan), where=picture.good)
    values = picture.model if layer == "model" else getattr(picture, {"data": "shown"}.get(layer, layer))
    more = {} if layer == "model" else {"mask": bad, "uncertainty": StdDevUncertainty(sigma)}
    meta = {"id": picture.id, "band": picture.band, "layer": layer}
    return (CCDData if plain else NDDataArray)(values, unit=units.nJy, wcs=wcs, meta=meta, **more)


def catalog(results: Results, at_optimum: bool) -> Table:
    """The catalog of results; of an optimum its own values, with errors and percentiles of the Gaussian."""
    table = postsample_catalog(results)
    if not at_optimum:
        return table
    for quantity in quantities(results.bands):
        for place, source in enumerate(results.sources):
            if not (quantity.shape and source.row["is_point"]):
                table[quantity.name][place] = quantity.values(source.row)
    table["n_draws"] = 0
    table["rhat"] = table["ess"] = np.nan
    return table


def quantity_table(table: Table) -> QTable:
    """With quantities in place of columns with units."""
    shown = QTable(table)
    shown.meta = dict(table.meta)
    return shown


def overview(table: QTable, bands: list[str]) -> Table:
    """What a notebook shows of each source: values with the digits that errors allow, flags in words."""
    shown = Table({"id": table["id"]})
    for name in (*bands, *SHAPES):
        value, error = (units.Quantity(table[key]) for key in (name, f"{name}_err"))
        pairs = zip(value.value, error.value, strict=True)
        shown[name] = [_with_error(*pair) for pair in pairs]
        shown[name].unit = value.unit if value.unit != units.dimensionless_unscaled else None
    shown["flags"] = [", ".join(describe(int(bits))) or "none" for bits in table["flags"]]
    return shown


def _with_error(value: float, error: float) -> str:
    """Two digits of the error, and the value to the same place."""
    if not (np.isfinite(value) and np.isfinite(error) and error > 0):
        return f"{value:.4g}" if np.isfinite(value) else ""
    places = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{places}f} ± {error:.{places}f}"


def without_sky(table: QTable, pixel: units.Quantity) -> QTable:
    """Of images without a place on the sky: the errors in pixels, and no coordinates."""
    for name, axis in zip(MADE_UP, "xy", strict=True):
        table[f"{axis}_err"] = table[f"{name}_err"] / pixel * units.pixel
        drop = [column for column in table.colnames if column == name or column.startswith(f"{name}_")]
        table.remove_columns(drop)
    return table


def joined(samples):
    """InferenceData of all sources of several samples files; those of one patch stand together in its draws.

    Patches that ran on have more draws: the last ones of each chain are taken, as many as all have.
    """
    parts = [inference_data(one) for one in samples]
    if len(parts) == 1:
        return parts[0]
    import arviz
    import xarray

    count = min(part.posterior.sizes["draw"] for part in parts)
    number = np.arange(count)
    groups = {
        name: [part[name].isel(draw=slice(-count, None)).assign_coords(draw=number) for part in parts]
        for name in ("posterior", "sample_stats")
    }
    return arviz.InferenceData(
        posterior=xarray.concat(groups["posterior"], dim="source"),
        sample_stats=xarray.concat(groups["sample_stats"], dim="patch", join="override"),
    )
