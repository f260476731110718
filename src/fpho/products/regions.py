"""DS9 region files: sources as half-light ellipses, patches as circles; written by astropy-regions."""

from pathlib import Path

import numpy as np

from ..files import write_text
from ..flags import describe
from ..layout import Layout
from ..parameters import position_angle
from .collecting import Results, collected

FINE, FLAGGED, PATCH = "#56B4E9", "#E69F00", "#CC79A7"  # told apart by the colour-blind (Okabe & Ito 2008)
HARMLESS = str.maketrans("{}", "()")  # DS9 ends a text at the first brace and knows no escape


def write_sourcereg(root, path=None) -> Path:
    """Half-light ellipses of the sources (point sources: crosses), named by source index, id and flags.

    root : folder of a run, `Results`, or scene rows (structured). path : the file; `sources.reg` in the
    run's folder of regions when absent.
    """
    rows = root if isinstance(root, np.ndarray) else collected(root).rows
    return _save(_target(root, path, "sources.reg"), [_source(row) for row in rows])


def write_patchreg(root, path=None) -> Path:
    """Circles of the patches, named by number and count of active sources."""
    circles = [_patch(patch) for patch in collected(root).patches]
    return _save(_target(root, path, "patches.reg"), circles)


def _source(row):
    """A point, or an ellipse, whose angle astropy-regions counts from the direction of west."""
    from astropy import units as u
    from regions import EllipseSkyRegion, PointSkyRegion

    colour = FLAGGED if row["flags"] else FINE
    name = text_of(row["source_index"], row["id"], *describe(int(row["flags"])))
    if row["is_point"]:
        return PointSkyRegion(
            _place(row["ra"], row["dec"]), meta={"text": name}, visual={"color": colour, "marker": "+"}
        )
    return EllipseSkyRegion(
        _place(row["ra"], row["dec"]),
        width=2 * row["rhalf"] / row["q"] * u.arcsec,
        height=2 * row["rhalf"] * row["q"] * u.arcsec,
        angle=(float(position_angle(row["pa"])) + 90.0) * u.deg,
        meta={"text": name},
        visual={"color": colour},
    )


def _patch(patch):
    from astropy import units as u
    from regions import CircleSkyRegion

    text = text_of(f"patch {patch.number}: {len(patch.active)}")
    centre = _place(patch.region.ra, patch.region.dec)
    return CircleSkyRegion(
        centre, patch.region.radius * u.arcsec, meta={"text": text}, visual={"color": PATCH}
    )


def text_of(*parts) -> str:
    """The parts that are not empty, without what would end a region's text: braces and line breaks."""
    text = " ".join(str(part) for part in parts if str(part)).translate(HARMLESS)
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _place(ra, dec):
    from astropy.coordinates import SkyCoord

    return SkyCoord(float(ra), float(dec), unit="deg", frame="icrs")


def _target(root, path, name: str) -> Path:
    if path is not None:
        return Path(path)
    if isinstance(root, Results | np.ndarray):
        raise ValueError("path is needed where root is no folder")
    return Layout(Path(root)).regions / name


def _save(path: Path, shapes) -> Path:
    from regions import Regions

    write_text(path, Regions(shapes).serialize(format="ds9", precision=9))
    return path
