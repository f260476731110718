"""Results of a run against known truth: pulls of every quantity, background, missing sources."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..files import atomic, verify, write_text
from ..layout import Layout
from ..parameters import q_names
from .columns import SHAPES

MATCH_RADIUS = 0.25  # arcsec
WANTED_SNR = 20.0  # sources above it are judged
SIGMAS = 3.0


@dataclass(frozen=True)
class Comparison:
    """`table`: one row per true source; `background`: one row per image; `verdict`: text by question."""

    table: object
    background: object
    verdict: dict = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The verdict as lines of text."""
        return "\n".join(f"{question}: {answer}" for question, answer in self.verdict.items()) + "\n"


def compare(catalog, truth, bands, true_background=None, tweakbg=None) -> Comparison:
    """Compare a catalog of percentiles with a truth table (both astropy tables).

    Parameters
    ----------
    catalog : as `postsample_catalog` makes it.
    truth : columns ra, dec, fluxes, axis_ratio, position_angle, rhalf, sersic; optional id, snr, in_catalog.
    true_background : table of exposure and constant (nJy per pixel). tweakbg : structured table of the fit.
    """
    match = matched(truth, catalog)
    table = _table(truth, catalog, bands, match)
    background = _background(true_background, tweakbg)
    return Comparison(table, background, _verdict(table, bands, background))


def matched(truth, catalog, radius: float = MATCH_RADIUS) -> np.ndarray:
    """Row of the catalog of each true source, (T,) int; -1 where none is within `radius` arcsec.

    Pairs are mutual nearest neighbours, so that no row is given twice.
    """
    from astropy.coordinates import SkyCoord

    if not len(catalog) or not len(truth):
        return np.full(len(truth), -1)
    places = [SkyCoord(np.asarray(one["ra"]), np.asarray(one["dec"]), unit="deg") for one in (truth, catalog)]
    nearest, distance, _ = places[0].match_to_catalog_sky(places[1])
    back, _, _ = places[1].match_to_catalog_sky(places[0])
    mutual = back[nearest] == np.arange(len(truth))
    return np.where(mutual & (distance.arcsec < radius), nearest, -1)


def true_rows(layout: Layout, results) -> dict[int, np.ndarray]:
    """True values by source index, structured as draws are, of a scene that the run has simulated."""
    from astropy.table import Table

    path = layout.truth
    if not path.is_file():
        return {}
    verify(path)
    truth, rows = Table.read(path, hdu=1), results.rows
    wanted = q_names(results.bands)
    if not set(wanted) <= set(truth.colnames):
        return {}
    values = np.zeros(len(truth), [(name, "f8") for name in wanted])
    for name in wanted:
        values[name] = truth[name]
    pairs = zip(values, matched(truth, rows), strict=True)
    return {int(rows["source_index"][place]): row for row, place in pairs if place >= 0}


def compared(bands) -> list[str]:
    """Quantities that are compared, in the order of the columns."""
    return ["ra", "dec", *bands, *(q.name for q in SHAPES if q.name != "rhalf_major")]


def deviation(name: str, value, true, dec):
    """Value - truth in the unit of the error: arcsec on the sky for positions, modulo 180 for angles."""
    delta = np.asarray(value, "f8") - np.asarray(true, "f8")
    if name == "position_angle":
        return np.mod(delta + 90.0, 180.0) - 90.0
    if name == "ra":
        return (np.mod(delta + 180.0, 360.0) - 180.0) * 3600 * np.cos(np.radians(dec))
    return delta * 3600 if name == "dec" else delta


def _table(truth, catalog, bands, match):
    from astropy.table import Table

    names = truth["id"] if "id" in truth.colnames else np.arange(len(truth))
    table = Table({"id": np.asarray(names).astype(str)})
    table["id"].description = "identifier in the truth table"
    found = match >= 0
    _add(table, "found", found, "", "a source of the catalog lies within the match radius, mutually nearest")
    _add(table, "in_catalog", _optional(truth, "in_catalog", True), "", "was listed in the peak catalog")
    _add(table, "snr", _optional(truth, "snr", np.nan), "", "true S/N of the flux in the first band's mosaic")
    indices = np.nan_to_num(_taken(catalog, "source_index", match), nan=-1).astype(int)
    _add(table, "source_index", indices, "", "source of the catalog; -1 where none")
    point = np.asarray(_optional(truth, "is_point", False), bool)
    shapes = {quantity.name for quantity in SHAPES}
    for name in compared(bands):
        unit, error_unit = (str(catalog[column].unit or "") for column in (name, f"{name}_err"))
        true = np.where(point & (name in shapes), np.nan, np.asarray(truth[name], "f8"))
        value, error = _taken(catalog, name, match), _taken(catalog, f"{name}_err", match)
        delta = deviation(name, value, true, np.asarray(truth["dec"]))
        _add(table, f"{name}_true", true, unit, f"true {name}")
        _add(table, name, value, unit, f"{name}: median of the posterior")
        _add(table, f"{name}_err", error, error_unit, f"uncertainty of {name}")
        _add(table, f"{name}_pull", delta / error, "", f"({name} - truth) / uncertainty")
    return table


def _taken(catalog, name: str, match) -> np.ndarray:
    """A column of the catalog for each true source (float64), NaN where it was not found."""
    if not len(catalog):
        return np.full(len(match), np.nan)
    return np.where(match >= 0, np.asarray(catalog[name], "f8")[match], np.nan)


def _add(table, name, values, unit, text) -> None:
    table[name] = values
    table[name].unit, table[name].description = unit or None, text


def _optional(table, name, default):
    return np.asarray(table[name]) if name in table.colnames else np.full(len(table), default)


def _background(true, tweakbg):
    """Table: exposure, true and fitted constant (nJy per pixel), error, pull, whether it was used."""
    from astropy.table import Table

    if true is None or tweakbg is None:
        return None
    fitted = {str(row["exposure"]): row for row in tweakbg}
    rows = [
        (str(t["exposure"]), float(t["constant"]), fitted[str(t["exposure"])])
        for t in true
        if str(t["exposure"]) in fitted
    ]
    table = Table()
    table["exposure"] = np.array([name for name, _, _ in rows], dtype=str)
    _add(
        table, "true", np.array([value for _, value, _ in rows]), "nJy / pix", "background left in the image"
    )
    for name, text in (("constant", "fitted background"), ("error", "its uncertainty")):
        _add(table, name, np.array([float(row[name]) for _, _, row in rows]), "nJy / pix", text)
    pulls = (table["constant"] - table["true"]).value / np.asarray(table["error"])
    _add(table, "pull", pulls, "", "(fitted - true) / uncertainty")
    _add(table, "used", np.array([bool(row["used"]) for _, _, row in rows]), "", "subtracted in later stages")
    return table


def _verdict(table, bands, background) -> dict[str, str]:
    """Answers to what a user asks first; the judged sources have S/N above 20 and are in no blended group."""
    blended = np.char.startswith(np.asarray(table["id"]).astype(str), "group")
    judged = np.asarray(table["found"]) & ~blended & ~(np.asarray(table["snr"]) <= WANTED_SNR)
    verdict = {"true sources found": f"{np.sum(table['found'])} of {len(table)}"}
    kinds = {
        "fluxes": list(bands),
        "positions": ["ra", "dec"],
        "sizes": ["rhalf"],
        "Sersic indices": ["sersic"],
    }
    kinds |= {"axis ratios": ["axis_ratio"], "position angles": ["position_angle"]}
    for kind, names in kinds.items():
        pulls = np.concatenate([np.asarray(table[f"{name}_pull"])[judged] for name in names])
        pulls = pulls[np.isfinite(pulls)]
        if len(pulls):
            inside = np.sum(np.abs(pulls) < SIGMAS)
            verdict[f"{kind} within {SIGMAS:g} sigma (S/N > {WANTED_SNR:g}, not blended)"] = (
                f"{inside} of {len(pulls)} ({100 * inside / len(pulls):.1f}%), "
                f"pulls {pulls.mean():+.2f} +- {pulls.std():.2f}"
            )
    for row in table[~np.asarray(table["in_catalog"], bool)]:
        verdict[f"missing source {row['id']}"] = "found" if row["found"] else "not found"
    if background is not None and len(background):
        worst = np.max(np.abs(background["pull"]))
        verdict["background"] = f"largest deviation {worst:.2f} sigma over {len(background)} images"
    return verdict


def write_comparison(folder, comparison: Comparison) -> None:
    """comparison.ecsv, background.ecsv and comparison.txt."""
    folder = Path(folder)
    tables = {"comparison.ecsv": comparison.table, "background.ecsv": comparison.background}
    for name, table in tables.items():
        if table is not None:
            with atomic(folder / name) as temporary:
                table.write(temporary, format="ascii.ecsv", overwrite=True)
    write_text(folder / "comparison.txt", comparison.text)
