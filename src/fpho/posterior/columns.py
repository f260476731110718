"""The columns of a patch's sources: coordinates, held values, units and prior tables, source by source."""

import numpy as np

from ..config import Prior
from ..errors import InputError
from ..models import ANGLE, POSITIVE, RATIO
from ..parameters import POSITION_COLS, wrap_degrees
from . import priors as law
from .compiled import DISC, LOG, POLAR, SECOND, TABLE
from .population import coordinate_priors

ARCSEC = 3600.0
WIDE = 1e-12  # a range narrower than this (in its own unit) is a held parameter


class SourceColumns:
    """Collects what `ParameterMap` says of the columns; `n` coordinates so far."""

    def __init__(self, bands, parameters, priors):
        """bands; `Parameter` by name, in the order of the columns; `fpho.config.Priors`"""
        self.bands, self.parameters, self.priors = bands, parameters, priors
        self.of_population = coordinate_priors(priors.population) if priors.has_population else {}
        self.n = 0
        self.shapes = {
            "index": ((len(bands) + 2 + len(parameters),), "i8"),
            "origin": ((len(bands) + 2 + len(parameters),), "f8"),
            "unit": ((len(bands) + 2 + len(parameters),), "f8"),
            "number": ((2 + len(parameters),), "i8"),
            "kind": ((2 + len(parameters),), "i8"),
            "middle": ((2 + len(parameters),), "f8"),
            "flux_prior": ((len(bands), 6), "f8"),
        }
        self.rows: dict[str, list] = {name: [] for name in self.shapes}
        self.tables: dict[int, int] = {}
        self.contents: list[np.ndarray] = [np.zeros((law.NODES - 1, 4))]

    def arrays(self, n_sources: int) -> dict[str, np.ndarray]:
        """The arrays of `ParameterMap`, by name."""
        out = {
            name: np.array(self.rows[name], dtype).reshape(n_sources, *shape)
            for name, (shape, dtype) in self.shapes.items()
        }
        return {**out, "tables": np.stack(self.contents)}

    def add(self, row, limits, model) -> None:
        """Add a source: its scene row, its bounds by name, its `SourceModel`."""
        for name, (shape, dtype) in self.shapes.items():
            setattr(self, name, np.full(shape, {"index": -1, "unit": 1}.get(name, 0), dtype))
            self.rows[name].append(getattr(self, name))
        for b, band in enumerate(self.bands):
            self._flux(b, row[band], *limits[band])
        self._position(row, limits)
        for k, (name, parameter) in enumerate(self.parameters.items(), 2):
            if name not in model.names:
                self._absent(k, parameter, row)
            elif parameter.kind == RATIO:
                self._ellipse(k, parameter, row, limits)
            elif parameter.kind != ANGLE:
                self._single(k, parameter, row, *limits[name])

    def _next(self, k: int) -> None:
        """A coordinate for column k after the fluxes."""
        self.index[len(self.bands) + k] = self.n
        self.n += 1

    def _table(self, k: int, content: np.ndarray) -> None:
        """Give a column its table; the same object (they are cached) is stored once."""
        if id(content) not in self.tables:
            self.tables[id(content)] = len(self.contents)
            self.contents.append(content)
        self.number[k] = self.tables[id(content)]

    def _prior(self, parameter) -> Prior:
        if parameter.like in self.of_population:
            return self.of_population[parameter.like]
        return getattr(self.priors, parameter.like) if parameter.like else Prior(name="uniform")

    def _flux(self, b, value, low, high) -> None:
        _increasing(self.bands[b], low, high)
        if high - low <= WIDE * max(abs(low), abs(high)):
            self.origin[b] = value
            return
        self.index[b] = self.n
        self.n += 1
        half = 0.5 * (high - low)
        self.unit[b] = 0.02 * half if np.isfinite(half) else max(0.1 * abs(float(value)), 1.0)
        self.flux_prior[b, :5] = law.flux_prior(self.priors.flux, float(low), float(high))

    def _position(self, row, limits) -> None:
        """Offsets from the source's own position (arcsec), in a box that need not be centred on it."""
        cosine = np.cos(np.radians(row["dec"]))
        for k, (name, factor) in enumerate(zip(POSITION_COLS, (cosine, 1.0), strict=True)):
            difference = np.asarray(limits[name], "f8") - row[name]
            low, high = (wrap_degrees(difference) if name == "ra" else difference) * ARCSEC * factor
            _increasing(name, low, high)
            if high - low <= WIDE:
                continue
            self._next(k)
            prior = self.priors.position
            if prior.loc is None and prior.scale is None:  # the box in units of its half-width: one table
                column = len(self.bands) + k
                self.origin[column], self.unit[column] = 0.5 * (low + high), 0.5 * (high - low)
                self._table(k, law.table("position", prior, -1.0, 1.0))
            else:
                self._table(k, law.table("position", prior, float(low), float(high)))

    def _absent(self, k, parameter, row) -> None:
        """A parameter that the source's model does not have keeps the row's value."""
        value = float(row[parameter.name])
        known = parameter.kind != RATIO or 0 < value <= 1
        self.origin[len(self.bands) + k] = value if known else 1.0

    def _ellipse(self, k, parameter, row, limits) -> None:
        """Two components in the disc if roundness and angle are free; else q and pa apart."""
        angle = list(self.parameters.values())[k - 1]
        (q_low, q_high), (pa_low, pa_high) = limits[parameter.name], limits[angle.name]
        _increasing(parameter.name, q_low, q_high)
        _increasing(angle.name, pa_low, pa_high)
        if not 0 < q_low <= q_high <= 1:
            where = f"bounds.{parameter.option or parameter.name}"
            raise InputError(where, f"({q_low:g}, {q_high:g})", "q = sqrt(b/a) lies in (0, 1]")
        self.middle[k + 1] = 0.5 * (pa_low + pa_high)
        free_q, free_pa = q_high - q_low > WIDE, pa_high - pa_low > WIDE
        whole_turn = pa_high - pa_low >= np.pi
        if free_q and whole_turn and q_high == 1:
            self.kind[k], self.kind[k + 1] = DISC, SECOND
            self._next(k)
            self._next(k + 1)
            self._table(k, law.radial_table(self._prior(parameter), float(q_low)))
            return
        self.kind[k], self.kind[k + 1] = POLAR, SECOND
        column = len(self.bands) + k
        self.origin[column], self.origin[column + 1] = row[parameter.name], row[angle.name]
        if free_q:
            self._ratio(k, parameter, float(q_low), float(q_high))
        if free_pa:
            self._angle(k + 1, float(pa_low), float(pa_high), whole_turn)

    def _ratio(self, k, parameter, low, high) -> None:
        self._next(k)
        self.origin[len(self.bands) + k] = 0.0
        prior = self._prior(parameter)
        if prior.name == "rayleigh":  # in one dimension: a half-normal of (1 - q), of about the same width
            prior = prior.model_copy(update={"name": "normal", "loc": 1.0, "scale": 0.5})
        self._table(k, law.table("q", prior, low, high))

    def _angle(self, k, low, high, whole_turn) -> None:
        self._next(k)
        if whole_turn:
            low, high = 0.5 * (low + high - np.pi), 0.5 * (low + high + np.pi)
        column = len(self.bands) + k
        self.origin[column], self.unit[column] = low, high - low
        self._table(k, law.table("pa", Prior(name="uniform"), 0.0, 1.0))

    def _single(self, k, parameter, row, low, high) -> None:
        """A parameter with a table of its own, of its logarithm if it is positive."""
        name, positive = parameter.name, parameter.kind == POSITIVE
        _increasing(name, low, high)
        if high - low <= WIDE:
            self.origin[len(self.bands) + k] = row[name]
            return
        if positive and low <= 0:
            raise InputError(f"bounds.{name}", f"lower bound {low:g}", "Give one above 0")
        self._next(k)
        self.kind[k] = LOG if positive else TABLE
        content = law.table(parameter.like or name, self._prior(parameter), float(low), float(high), positive)
        self._table(k, content)


def _increasing(name, low, high) -> None:
    if not low <= high:
        raise InputError(f"bounds of {name}", f"({low:g}, {high:g})", "The lower bound comes first")
