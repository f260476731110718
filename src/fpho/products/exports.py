"""Fluxes of the catalog in the forms that programs for photometric redshifts and stellar populations read."""

import re
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import atomic, write_text
from ..fitstext import escaped
from ..layout import Layout
from .photometry import AB_ZEROPOINT
from .tables import read_fits_table, write_ecsv

MICRO = 1e-3  # uJy per nJy
MISSING = -99.0  # uJy, of eazy, below its NOT_OBS_THRESHOLD and any flux that is measured
UNSEEN = 9.9e9  # uJy, error of a flux that is not known, for bagpipes
MAGGY = 3.631e12  # nJy


def export(root, form: str, folder=None, filters: dict[str, str] | None = None) -> list[Path]:
    """Write the fluxes of a sampled run for another program; the files written.

    Fluxes are the medians of the draws, errors their standard deviations; one that is not known is marked in
    the program's own way.

    Parameters
    ----------
    root : folder of a run. form : `eazy`, `bagpipes` or `prospector`.
    folder : where to; `catalogs` in the run's folder when absent.
    filters : the program's name (eazy: number) of each band's filter; eazy and prospector need all of them.
    """
    layout = Layout(Path(root))
    if form not in FORMS:
        raise InputError("export", f"no form {form!r}", f"Use one of {', '.join(FORMS)}")
    if not layout.posterior.is_file():
        raise InputError(layout.posterior, "no such catalog", "Run `fpho postprocess` first")
    table = read_fits_table(layout.posterior)
    bands = table.meta["FILTERS"].split(",")
    folder = layout.catalogs if folder is None else Path(folder)
    return FORMS[form](table, bands, filters or {}, folder)


def _eazy(table, bands, filters, folder: Path) -> list[Path]:
    """Catalog in uJy, translation of its columns to filter numbers, and the parameters that go with them."""
    _needed(bands, filters, "eazy's number", "F125W=203")
    for band, number in filters.items():
        if not number.isdigit():
            raise InputError("filters", f"{band}={number} is no number", "Give the line in FILTER.RES.latest")
    flux, error = (MICRO * values for values in _fluxes(table, bands))
    known = np.isfinite(flux) & (error > 0)
    values = np.where(known, flux, MISSING), np.where(known, error, MISSING)
    paths = [folder / f"eazy.{suffix}" for suffix in ("cat", "translate", "param")]
    _write_ascii(_columns(table, bands, *values), paths[0])
    lines = [f"{kind.lower()}_{plain(band)} {kind}{filters[band]}" for band in bands for kind in "FE"]
    write_text(paths[1], "\n".join(lines) + "\n")
    options = {"CATALOG_FILE": paths[0].name, "CATALOG_FORMAT": "ascii.commented_header"}
    options |= {"PRIOR_ABZP": AB_ZEROPOINT - 7.5, "NOT_OBS_THRESHOLD": -90, "FIX_ZSPEC": "n"}
    options |= {"MAGNITUDES": "n", "CAT_HAS_EXTCORR": "n"}  # fluxes are as observed
    write_text(paths[2], "".join(f"{name:20s} {value}\n" for name, value in options.items()))
    return paths


def _bagpipes(table, bands, filters, folder: Path) -> list[Path]:
    """Catalog in uJy; flux 0 with a huge error where it is not known."""
    flux, error = (MICRO * values for values in _fluxes(table, bands))
    known = np.isfinite(flux) & (error > 0)
    path = folder / "bagpipes.cat"
    _write_ascii(_columns(table, bands, np.where(known, flux, 0.0), np.where(known, error, UNSEEN)), path)
    return [path]


def _prospector(table, bands, filters, folder: Path) -> list[Path]:
    """Rows with prospector's maggies, maggies_unc and phot_mask; the filters stand in the meta."""
    from astropy.table import Table

    _needed(bands, filters, "sedpy's name", "F125W=wfc3_ir_f125w")
    flux, error = (values / MAGGY for values in _fluxes(table, bands))
    mask = np.isfinite(flux) & (error > 0)
    rows = {"id": table["source_index"], "name": table["id"], "ra": table["ra"], "dec": table["dec"]}
    rows |= {"maggies": flux, "maggies_unc": error, "phot_mask": mask}
    path = folder / "prospector.ecsv"
    write_ecsv(Table(rows, meta={"filternames": [filters[band] for band in bands]}), path)
    return [path]


FORMS = {"eazy": _eazy, "bagpipes": _bagpipes, "prospector": _prospector}


def plain(name: str) -> str:
    """A name of letters, digits and underscores."""
    return re.sub(r"\W", "_", escaped(name), flags=re.ASCII)


def _fluxes(table, bands) -> tuple[np.ndarray, np.ndarray]:
    """Fluxes and errors in nJy, each (S, B)."""
    return tuple(
        np.stack([np.asarray(table[f"{band}{end}"], "f8") for band in bands], axis=-1) for end in ("", "_err")
    )


def _columns(table, bands, flux, error):
    from astropy.table import Table

    names = [plain(band) for band in bands]
    if len(set(names)) < len(names):
        raise InputError("bands", f"{', '.join(bands)} are not told apart in ASCII", "Rename one of them")
    out = Table({"id": table["source_index"], "ra": table["ra"], "dec": table["dec"]})
    for k, name in enumerate(names):
        out[f"f_{name}"], out[f"e_{name}"] = flux[:, k], error[:, k]
    return out


def _write_ascii(table, path: Path) -> None:
    with atomic(path) as temporary:
        table.write(temporary, format="ascii.commented_header", overwrite=True)


def _needed(bands, filters, what: str, example: str) -> None:
    missing = [band for band in bands if band not in filters]
    if missing:
        cure = f"Give {what} of each band's filter, such as --filter {example}"
        raise InputError("filters", f"none for {', '.join(missing)}", cure)
    strange = sorted(set(filters) - set(bands))
    if strange:
        raise InputError("filters", f"no band {', '.join(strange)}", f"The bands are {', '.join(bands)}")
