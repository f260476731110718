"""Coordinates z to the vector q and back."""

import numpy as np

from . import compiled
from .compiled import DISC, LOG, RADIAL_STEP, SECOND, STEP
from .parameter_map import ARCSEC, ParameterMap
from .priors import NODES, REACH

EDGE = 6.0  # coordinates given back stay within this: a value on a bound becomes one just inside


class Transform:
    """`transform(z) -> q`, `inverse_transform(q) -> z`; one vector, or several in rows."""

    def __init__(self, plan: ParameterMap):
        self.plan = plan
        n_sources, n_columns = plan.index.shape
        self.size = n_sources * n_columns + len(plan.sky_unit)

    def transform(self, z) -> np.ndarray:
        """Vectors q (P,) or (N, P): see `fpho.parameters.source_vector`, then backgrounds."""
        plan = self.plan
        z = np.ascontiguousarray(z, "f8")
        rows = z.reshape(-1, plan.ndim) if z.ndim == 1 else z
        q = np.empty((len(rows), self.size))
        compiled.to_q(
            rows, plan.n_bands, plan.index, plan.origin, plan.unit, plan.number, plan.kind, plan.tables,
            plan.middle, plan.cosine, plan.offset, plan.sky_index, plan.sky_unit, q,
        )  # fmt: skip
        return q[0] if z.ndim == 1 else q

    def inverse_transform(self, q) -> np.ndarray:
        """Coordinates (ndim,) or (N, ndim) of vectors q; values outside the bounds are brought inside."""
        q = np.asarray(q, "f8")
        return np.array([self._inverse(row) for row in q]) if q.ndim == 2 else self._inverse(q)

    def _inverse(self, q) -> np.ndarray:
        plan = self.plan
        n_sources, width = plan.index.shape
        block = q[: n_sources * width].reshape(n_sources, width)
        z = np.zeros(plan.ndim)
        for s, values in enumerate(block):
            self._source(s, values, z)
        n_sky = len(plan.sky_unit)
        if n_sky and len(q) == self.size:
            z[plan.sky_index :] = q[-n_sky:] / plan.sky_unit
        return z

    def _source(self, s, values, z) -> None:
        plan, n = self.plan, self.plan.n_bands
        index = plan.index[s]
        for b in range(n):
            if index[b] >= 0:
                z[index[b]] = (values[b] - plan.origin[s, b]) / plan.unit[s, b]
        scale = np.array([plan.cosine[s], 1.0]) * ARCSEC
        targets = [*((values[n : n + 2] - plan.offset[s]) * scale), *values[n + 2 :]]
        for k, target in enumerate(targets):
            i, c, kind = index[n + k], n + k, plan.kind[s, k]
            if kind == DISC:
                z[i], z[index[c + 1]] = self._disc(plan.tables[plan.number[s, k]], *targets[k : k + 2])
            if i < 0 or kind == DISC or (kind == SECOND and plan.kind[s, k - 1] == DISC):
                continue
            y = np.log(max(target, 1e-30)) if kind == LOG else target
            if kind == SECOND:  # the same angle within the range
                y = plan.origin[s, c] + np.mod(y - plan.origin[s, c], np.pi)
            z[i] = _solve(plan.tables[plan.number[s, k]], (y - plan.origin[s, c]) / plan.unit[s, c])

    @staticmethod
    def _disc(table, q, pa) -> tuple[float, float]:
        e = (1 - q**2) / (1 + q**2)
        rho = _solve_radius(table, e)
        return rho * np.cos(2 * pa), rho * np.sin(2 * pa)


def _solve(table, y) -> float:
    """z in [-EDGE, EDGE] with T(z) = y, by the nodes and then Newton's method."""
    nodes = np.linspace(-REACH, REACH, NODES)[:-1]
    z = float(np.clip(np.interp(y, np.maximum.accumulate(table[:, 0]), nodes), -EDGE, EDGE))
    for _ in range(3):
        x, slope = compiled.lookup(table, z, -REACH, STEP)
        if slope > 1e-8:
            z = float(np.clip(z + np.clip((y - x) / slope, -STEP, STEP), -EDGE, EDGE))
    return z


def _solve_radius(table, e) -> float:
    """rho in [0, EDGE] with rho g(rho) = e."""
    nodes = np.linspace(0, REACH, NODES)[:-1]
    rho = float(np.clip(np.interp(e, np.maximum.accumulate(nodes * table[:, 0]), nodes), 0, EDGE))
    for _ in range(3):
        g, slope = compiled.lookup(table, rho, 0.0, RADIAL_STEP)
        total = g + rho * slope
        if total > 1e-8:
            rho = float(np.clip(rho + np.clip((e - rho * g) / total, -STEP, STEP), 0, EDGE))
    return rho
