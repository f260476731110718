"""Scene rows and the vector q: order, units, dtypes, catalog to vector and back.

What a source has beside fluxes and a position is named by its model, see `fpho.models`.

Internal conventions (those of the older code): `q` = sqrt(b/a), `pa` = radians from
east (+RA) towards north, `rhalf` = circularised half-light radius sqrt(a b) in arcsec,
`sersic` = index n, fluxes in nJy, positions ICRS degrees.
"""

import numpy as np

from .models import PARAMETERS

POSITION_COLS = ("ra", "dec")
SHAPE_COLS = tuple(PARAMETERS)
BOOKKEEPING = (
    ("source_index", "i8"),
    ("id", "U32"),
    ("is_active", "?"),
    ("is_valid", "?"),
    ("is_point", "?"),
    ("model", "U16"),
    ("n_iter", "i8"),
    ("n_patch", "i8"),
    ("flags", "i8"),
    ("roi", "f8"),
    ("ra0", "f8"),
    ("dec0", "f8"),
)
UNITS = {"ra": "deg", "dec": "deg", "ra0": "deg", "dec0": "deg", "roi": "arcsec"}
UNITS |= {name: parameter.unit for name, parameter in PARAMETERS.items()}
FLUX_UNIT = "nJy"
DESCRIPTIONS = {
    "ra": "right ascension, ICRS",
    "dec": "declination, ICRS",
    **{name: parameter.description for name, parameter in PARAMETERS.items()},
    "roi": "radius of influence, used for grouping",
    "ra0": "right ascension in the catalog, the middle of the position box; 0 with dec0: not known",
    "dec0": "declination in the catalog, the middle of the position box",
    "source_index": "row of the source in the scene",
    "id": "identifier given in the input catalog",
    "is_active": "checked out by a running patch",
    "is_valid": "false when the source is left out of the fit",
    "is_point": "modelled as a point source",
    "model": "source model of `fpho.models`; empty: point where is_point, else sersic",
    "n_iter": "sampling draws received so far",
    "n_patch": "patches in which the source was active",
    "flags": "quality flags, see fpho.flags",
}


def error_col(band: str) -> str:
    """Column with the 1-sigma flux uncertainty (nJy, NaN when unknown) of `band`."""
    return f"{band}_err"


def bands_of(rows) -> list[str]:
    """Bands of scene rows: columns that have one for their errors."""
    names = rows.dtype.names
    return [name for name in names if error_col(name) in names]


def scene_dtype(bands) -> np.dtype:
    """Row of a scene: bookkeeping, fluxes and their errors by band (nJy), position, shape."""
    values = [*bands, *map(error_col, bands), *POSITION_COLS, *SHAPE_COLS]
    return np.dtype([*BOOKKEEPING, *((name, "f8") for name in values)])


def q_names(bands) -> tuple[str, ...]:
    """Order of one source's parameters in the vector q: fluxes, ra, dec, shapes."""
    return (*bands, *POSITION_COLS, *SHAPE_COLS)


def first_position(rows) -> tuple[np.ndarray, np.ndarray]:
    """(ra, dec) in degrees of scene rows (S,) in their catalog; the present ones where that is not known."""
    ra, dec = np.array(rows["ra"], "f8"), np.array(rows["dec"], "f8")
    if "ra0" not in rows.dtype.names:
        return ra, dec
    known = (rows["ra0"] != 0) | (rows["dec0"] != 0)
    return np.where(known, rows["ra0"], ra), np.where(known, rows["dec0"], dec)


def source_vector(rows: np.ndarray, bands, reference) -> np.ndarray:
    """Scene rows (S,) to the source part of the vector q, (S * len(q_names(bands)),).

    `ra` and `dec` become offsets in degrees from `reference` = (ra, dec) in degrees.
    """
    block = np.stack([rows[name].astype("f8") for name in q_names(bands)], axis=-1)
    block[:, len(bands)] = wrap_degrees(block[:, len(bands)] - reference[0])
    block[:, len(bands) + 1] -= reference[1]
    return block.ravel()


def fill_rows(rows: np.ndarray, q: np.ndarray, bands, reference) -> np.ndarray:
    """A copy of scene rows (S,) with the parameters of the vector q (at least S * len(q_names(bands)))."""
    out = rows.copy()
    names = q_names(bands)
    block = np.asarray(q)[: len(rows) * len(names)].reshape(len(rows), len(names))
    for i, name in enumerate(names):
        out[name] = block[:, i]
    out["ra"] = np.mod(out["ra"] + reference[0], 360.0)
    out["dec"] += reference[1]
    return out


def wrap_degrees(angle):
    """Angle in degrees, brought to [-180, 180)."""
    return np.mod(np.asarray(angle) + 180.0, 360.0) - 180.0


# --- ellipticity: the pair that is differentiated and sampled, smooth at a round source ---


def ellipticity(q, pa):
    """(e1, e2) in the unit disc from q = sqrt(b/a) and pa (rad); |e| = (1 - b/a) / (1 + b/a)."""
    ratio = np.asarray(q) ** 2
    e = (1 - ratio) / (1 + ratio)
    return e * np.cos(2 * pa), e * np.sin(2 * pa)


def from_ellipticity(e1, e2):
    """(q, pa) from the ellipticity; pa in (-pi/2, pi/2]."""
    e = np.minimum(np.hypot(e1, e2), 1.0)
    return np.sqrt((1 - e) / (1 + e)), 0.5 * np.arctan2(e2, e1)


def shape_matrix(e1, e2):
    """Unit-determinant matrix M of the profile's covariance, (..., 3): ee, nn, en.

    The covariance of a component on the sky is (sigma_k rhalf)^2 M (arcsec^2, east and
    north): M = R(pa) diag(1/q^2, q^2) R(pa)^t, rational and smooth in (e1, e2).
    """
    e1, e2 = np.asarray(e1, "f8"), np.asarray(e2, "f8")
    e2_sum = e1**2 + e2**2
    norm = 1 / (1 - e2_sum)
    return np.stack([(1 + e2_sum + 2 * e1) * norm, (1 + e2_sum - 2 * e1) * norm, 2 * e2 * norm], axis=-1)


# --- what tables show ---


def axis_ratio(q):
    """b/a from q = sqrt(b/a)."""
    return np.asarray(q) ** 2


def position_angle(pa):
    """Degrees east of north in [0, 180), from pa in radians from east towards north."""
    return np.mod(90.0 - np.degrees(pa), 180.0)


def pa_from_position_angle(degrees):
    """pa (rad, east towards north) in (-pi/2, pi/2] from degrees east of north."""
    angle = np.radians(90.0 - np.asarray(degrees, "f8"))
    return np.pi / 2 - np.mod(np.pi / 2 - angle, np.pi)
