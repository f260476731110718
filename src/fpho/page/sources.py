"""What a page knows of sources: columns of all of them, and draws of each."""

import numpy as np

from ..flags import DESCRIPTIONS, REMARKS
from ..products.apertures import PSF, aperture_column
from ..products.columns import POSITIONS, quantities
from ..products.report import HEADINGS, words

QUALITY = ("n_draws", "rhat", "ess", "chi2")
PER_FOLDER = 1000  # scripts of draws in one folder
STEPS = 65535  # of a draw between the lowest and the highest of a source


def columns_of(table, bands, grid) -> dict:
    """Columns by name, (S,) arrays: values and errors of the quantities, quality, and places on the grid.

    Ids are texts; x, y are pixels of the grid from its lower left one, a, b half-light semi-axes in arcsec.
    """
    out: dict = {"id": [str(name) for name in table["id"]]}
    out["source_index"], out["patch"] = (np.asarray(table[name], "i4") for name in ("source_index", "patch"))
    out["flags"] = np.asarray(table["flags"], "i4")
    out["is_point"] = np.asarray(table["is_point"], "u1")
    places = {quantity.name for quantity in POSITIONS}
    for quantity in quantities(bands):
        out[quantity.name] = np.asarray(table[quantity.name], "f8" if quantity.name in places else "f4")
        out[f"{quantity.name}_err"] = np.asarray(table[f"{quantity.name}_err"], "f4")
    for circle in apertures_of(table.colnames, bands):
        for name in (circle["name"], f"{circle['name']}_err"):
            out[name] = np.asarray(table[name], "f4")
    for name in QUALITY:
        out[name] = np.asarray(table[name], "f4")
    x, y = grid.wcs.world_to_pixel_values(out["ra"], out["dec"])
    return out | {"x": np.asarray(x, "f4"), "y": np.asarray(y, "f4")}


def shown_of(bands) -> list[dict]:
    """Name, heading and unit of the quantities, in the order in which a page lists them."""
    return [
        {
            "name": q.name,
            "label": HEADINGS.get(q.name, q.label),
            "unit": q.unit,
            "text": q.text,
        }
        for q in quantities(bands)
    ]


def apertures_of(columns, bands) -> list[dict]:
    """Name of the flux column, band and circle of each flux within a circle that a catalog has."""
    out = []
    for band in bands:
        start = aperture_column(band, "")
        for name in columns:
            circle = name.removeprefix(start)
            if circle != name and f"{name}_err" in columns:
                label = "FWHM of the PSF" if circle == PSF else f"{circle.replace('_', '.')}\u2033"
                out.append({"name": name, "band": band, "circle": label})
    return out


def flags_of() -> list[dict]:
    """Bit, words and meaning of every flag; whether it is a remark only."""
    return [
        {"bit": int(flag), "words": words(flag.name), "text": meaning, "remark": bool(flag & REMARKS)}
        for flag, meaning in DESCRIPTIONS.items()
    ]


def draws_of(row, bands, most: int) -> dict | None:
    """Draws of one source for its sheet, at most `most`, evenly spaced over the chains; None without any.

    row : of the catalog of draws. Each quantity has its range, and its draws as steps of that.
    """
    values = {q.name: np.asarray(row[q.name], "f8") for q in quantities(bands) if q.name != "rhalf_major"}
    known = {name: v for name, v in values.items() if v.size and np.isfinite(v).all() and np.ptp(v) > 0}
    if not known or most < 1:
        return None
    count = len(next(iter(known.values())))
    keep = np.linspace(0, count - 1, min(most, count)).round().astype(int)
    out: dict = {"chains": int(row["n_chains"])}
    for name, draws in known.items():
        low, width = float(draws.min()), float(np.ptp(draws))
        out[name] = {
            "low": low,
            "width": width,
            "steps": ((draws[keep] - low) / width * STEPS).round().astype("u2"),
        }
    return out
