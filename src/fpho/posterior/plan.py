"""Which parameter is which coordinate: index, held values, units and prior tables of a patch."""

from dataclasses import dataclass

import numpy as np

from ..config import Prior, Priors
from ..errors import InputError
from ..parameters import POSITION_COLS, q_names, wrap_degrees
from . import priors as law
from .compiled import DISC, POLAR

ARCSEC = 3600.0
WIDE = 1e-12  # a range narrower than this (in its own unit) is a held parameter


@dataclass(frozen=True)
class Plan:
    """S sources, B bands, C = B + 6 columns (fluxes, east, north, q, pa, sersic, rhalf), n coordinates."""

    n_bands: int
    ndim: int
    index: np.ndarray  # (S, C) int64: coordinate of each column, -1 where held
    origin: np.ndarray  # (S, C): held value, or what the table's value is added to
    unit: np.ndarray  # (S, C): factor on the coordinate (fluxes) or on the table's value
    number: np.ndarray  # (S, 6) int64: table of each column after the fluxes
    mode: np.ndarray  # (S,) int64: DISC or POLAR
    tables: np.ndarray  # (N, NODES - 1, 4)
    flux_prior: np.ndarray  # (S, B, 6): see compiled.log_flux_prior
    is_point: np.ndarray  # (S,) bool
    middle: np.ndarray  # (S,) pa (rad) in the middle of the half-turn that is returned
    cosine: np.ndarray  # (S,) cos(dec)
    offset: np.ndarray  # (S, 2) degrees: reference position of the source from that of the patch
    sky_unit: np.ndarray  # (E,) nJy/pixel per coordinate, or empty
    sky_curvature: np.ndarray  # (E,) of the prior of a background, (nJy/pixel)^-2
    columns: tuple[str, ...]

    @property
    def sky_index(self) -> int:
        """First coordinate of the backgrounds."""
        return self.ndim - len(self.sky_unit)

    @property
    def linear(self) -> np.ndarray:
        """(ndim,) bool: fluxes and backgrounds, in which the model is linear."""
        mask = np.zeros(self.ndim, bool)
        fluxes = self.index[:, : self.n_bands]
        mask[fluxes[fluxes >= 0]] = True
        mask[self.sky_index :] = True
        return mask

    def curvature(self) -> np.ndarray:
        """(ndim,) of -ln prior by coordinate: 1 for tabulated ones, 1 / variance for linear ones."""
        diagonal = np.ones(self.ndim)
        free = self.index[:, : self.n_bands] >= 0
        where = self.index[:, : self.n_bands][free]
        diagonal[where] = self.flux_prior[..., 4][free] * self.unit[:, : self.n_bands][free] ** 2
        diagonal[self.sky_index :] = self.sky_curvature * self.sky_unit**2
        return diagonal

    def wall(self, z) -> np.ndarray:
        """(ndim,) to be added to `curvature()` at z for the steps of a search, not for errors.

        A flat flux prior has 1 / variance in `curvature()`: right for errors, and it keeps matrices of
        sources without data positive. Beyond its bounds the prior is 30 times as steep, and a step with that
        far too small a value would be thrown back and forth across the bound.
        """
        extra = np.zeros(self.ndim)
        kind, centre, half, slope, mean = (self.flux_prior[..., k] for k in range(5))
        fluxes, unit = self.index[:, : self.n_bands], self.unit[:, : self.n_bands]
        value = self.origin[:, : self.n_bands] + unit * z[np.maximum(fluxes, 0)]
        beyond = (fluxes >= 0) & (kind == 0) & (np.abs(value - centre) > half)
        extra[fluxes[beyond]] = (unit**2 * (1 / slope**2 - mean))[beyond]
        return extra

    def of_sources(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """(coordinates in z, columns of q) of the first n sources and of the backgrounds, both ascending."""
        own, (n_sources, width) = self.index[:n], self.index.shape
        coordinates = np.concatenate([np.sort(own[own >= 0]), np.arange(self.sky_index, self.ndim)])
        backgrounds = n_sources * width + np.arange(len(self.sky_unit))
        return coordinates, np.concatenate([np.arange(n * width), backgrounds])

    def names(self) -> list[tuple[int, str]]:
        """(source, column) of each coordinate; backgrounds have source -1."""
        out = [(-1, "background")] * self.ndim
        for s, row in enumerate(self.index):
            for c, i in enumerate(row):
                if i >= 0:
                    out[i] = (s, self.columns[c])
        return out


def make_plan(
    rows, bands, bounds, priors: Priors, reference, sky_noise=None, sky_sigma: float = 10.0
) -> Plan:
    """The plan of scene rows (S,); `sky_noise` (E,): noise per pixel (nJy), when backgrounds are fitted.

    `sky_sigma` is the prior's width of a background, in units of that noise.

    Raises
    ------
    InputError
        If bounds are not finite, decrease, or do not fit the prior.
    """
    builder = _Builder(bands, priors)
    for row, limits in zip(rows, bounds, strict=True):
        builder.add(row, limits)
    sky = np.zeros(0) if sky_noise is None else np.asarray(sky_noise, "f8")
    dec = np.asarray(rows["dec"], "f8")
    offset = np.stack([wrap_degrees(rows["ra"] - reference[0]), dec - reference[1]], axis=-1)
    pa = bounds["pa"] if len(rows) else np.zeros((0, 2))
    middle = np.where(np.isfinite(pa).all(axis=1), pa.mean(axis=1), 0.0)
    return Plan(
        **builder.arrays(len(rows), len(sky)),
        is_point=np.array(rows["is_point"], bool),
        middle=middle,
        cosine=np.cos(np.radians(dec)),
        offset=offset.reshape(-1, 2),
        sky_unit=0.1 * sky,
        sky_curvature=1 / (sky_sigma * sky) ** 2,
        columns=q_names(bands),
    )


class _Builder:
    """Collects the columns source by source."""

    def __init__(self, bands, priors):
        self.bands, self.priors = tuple(bands), priors
        self.n = 0
        self.rows: dict[str, list] = {
            name: [] for name in ("index", "origin", "unit", "number", "flux_prior")
        }
        self.mode: list[int] = []
        self.tables: dict[int, int] = {}
        self.contents: list[np.ndarray] = [np.zeros((law.NODES - 1, 4))]

    def add(self, row, limits) -> None:
        width = len(self.bands) + 6
        self.index, self.number = np.full(width, -1), np.zeros(6, int)
        self.origin, self.unit = np.zeros(width), np.ones(width)
        self.flux = np.zeros((len(self.bands), 6))
        for b, band in enumerate(self.bands):
            self._flux(b, row[band], *limits[band])
        self._position(row, limits)
        self.mode.append(POLAR if row["is_point"] else self._ellipse(row, limits))
        for k, name in ((4, "sersic"), (5, "rhalf")):
            self._shape(k, name, row, *limits[name])
        if row["is_point"]:
            q = float(row["q"])
            self.origin[width - 4 : width - 2] = (q if 0 < q <= 1 else 1.0), row["pa"]
        for name in ("index", "origin", "unit", "number"):
            self.rows[name].append(getattr(self, name))
        self.rows["flux_prior"].append(self.flux)

    def arrays(self, n_sources: int, n_sky: int) -> dict:
        n_bands = len(self.bands)
        shapes = {
            "index": (n_bands + 6,),
            "origin": (n_bands + 6,),
            "unit": (n_bands + 6,),
            "number": (6,),
            "flux_prior": (n_bands, 6),
        }
        out = {
            name: np.array(self.rows[name]).reshape(n_sources, *shape) if n_sources else np.zeros((0, *shape))
            for name, shape in shapes.items()
        }
        for name in ("index", "number"):
            out[name] = out[name].astype("i8")
        mode, tables = np.array(self.mode, "i8"), np.stack(self.contents)
        return {**out, "mode": mode, "tables": tables, "n_bands": n_bands, "ndim": self.n + n_sky}

    def _next(self, column: int) -> None:
        self.index[column] = self.n
        self.n += 1

    def _table(self, content: np.ndarray) -> int:
        """Number of a table; the same object (they are cached) is stored once."""
        if id(content) not in self.tables:
            self.tables[id(content)] = len(self.contents)
            self.contents.append(content)
        return self.tables[id(content)]

    def _flux(self, b, value, low, high) -> None:
        _increasing(self.bands[b], low, high)
        if high - low <= WIDE * max(abs(low), abs(high)):
            self.origin[b] = value
            return
        self._next(b)
        half = 0.5 * (high - low)
        self.unit[b] = 0.02 * half if np.isfinite(half) else max(0.1 * abs(float(value)), 1.0)
        self.flux[b, :5] = law.flux_prior(self.priors.flux, float(low), float(high))

    def _position(self, row, limits) -> None:
        """Offsets from the source's own position (arcsec), in a box that need not be centred on it."""
        cosine = np.cos(np.radians(row["dec"]))
        for k, (name, factor) in enumerate(zip(POSITION_COLS, (cosine, 1.0), strict=True)):
            column = len(self.bands) + k
            difference = np.asarray(limits[name], "f8") - row[name]
            low, high = (wrap_degrees(difference) if name == "ra" else difference) * ARCSEC * factor
            _increasing(name, low, high)
            if high - low <= WIDE:
                continue
            self._next(column)
            half = 0.5 * (high - low)
            prior = self.priors.position
            if (
                prior.loc is None and prior.scale is None
            ):  # the box in units of its half-width: one table for all
                self.origin[column], self.unit[column] = 0.5 * (low + high), half
                self.number[k] = self._table(law.table("position", prior, -1.0, 1.0))
            else:
                self.number[k] = self._table(law.table("position", prior, float(low), float(high)))

    def _ellipse(self, row, limits) -> int:
        """Two components in the disc if roundness and angle are free; else q and pa apart."""
        n = len(self.bands)
        (q_low, q_high), (pa_low, pa_high) = limits["q"], limits["pa"]
        _increasing("q", q_low, q_high)
        _increasing("pa", pa_low, pa_high)
        if not 0 < q_low <= q_high <= 1:
            raise InputError("bounds.sqrtq_range", f"({q_low:g}, {q_high:g})", "q = sqrt(b/a) lies in (0, 1]")
        free_q, free_pa = q_high - q_low > WIDE, pa_high - pa_low > WIDE
        whole_turn = pa_high - pa_low >= np.pi
        if free_q and whole_turn and q_high == 1:
            self._next(n + 2)
            self._next(n + 3)
            self.number[2] = self._table(law.radial_table(self.priors.q, float(q_low)))
            return DISC
        self._polar(row, limits, free_q, free_pa, whole_turn)
        return POLAR

    def _polar(self, row, limits, free_q, free_pa, whole_turn) -> None:
        n = len(self.bands)
        self.origin[n + 2], self.origin[n + 3] = row["q"], row["pa"]
        if free_q:
            self._next(n + 2)
            low, high = map(float, limits["q"])
            self.origin[n + 2] = 0.0
            prior = self.priors.q
            if (
                prior.name == "rayleigh"
            ):  # in one dimension: a half-normal of (1 - q), of about the same width
                prior = prior.model_copy(update={"name": "normal", "loc": 1.0, "scale": 0.5})
            self.number[2] = self._table(law.table("q", prior, low, high))
        if free_pa:
            self._next(n + 3)
            low, high = map(float, limits["pa"])
            if whole_turn:
                low, high = 0.5 * (low + high - np.pi), 0.5 * (low + high + np.pi)
            self.origin[n + 3], self.unit[n + 3] = low, high - low
            self.number[3] = self._table(law.table("pa", Prior(name="uniform"), 0.0, 1.0))

    def _shape(self, k, name, row, low, high) -> None:
        column = len(self.bands) + k
        _increasing(name, low, high)
        if row["is_point"] or high - low <= WIDE:
            self.origin[column] = row[name]
            return
        if low <= 0:
            raise InputError(f"bounds.{name}", f"lower bound {low:g}", "Give one above 0")
        self._next(column)
        self.number[k] = self._table(
            law.table(name, getattr(self.priors, name), float(low), float(high), True)
        )


def _increasing(name, low, high) -> None:
    if not low <= high:
        raise InputError(f"bounds of {name}", f"({low:g}, {high:g})", "The lower bound comes first")
