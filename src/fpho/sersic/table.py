"""Sersic profiles as sums of round Gaussians, scale-free: weights and widths depend on n only.

A component has weight a_k(n) >= 0 (they sum to 1) and sigma = rhalf s_k(n). Both a_k and
log s_k are cubic B-splines of u = log n on equal steps, so they are twice continuously
differentiable; coefficients of the weights are non-negative and sum to 1 at each knot, and
B-splines sum to 1, hence so do the weights everywhere. At n = 0.5 the first coefficient
puts all weight on one component of the exact width: one Gaussian.
"""

from dataclasses import dataclass
from functools import cached_property

import h5py
import numpy as np

from ..errors import InputError
from ..hdf5 import create
from . import evaluation

DEGREE = 3


@dataclass(frozen=True)
class MixtureTable:
    """A scale-free table; `evaluate` is what the kernel's callers use."""

    n_range: tuple[float, float]
    weights: np.ndarray  # (M, K) B-spline coefficients of a_k
    log_widths: np.ndarray  # (M, K) B-spline coefficients of log s_k
    rhalf_range: tuple[float, float] = (0.0, np.inf)

    @property
    def n_components(self) -> int:
        return self.weights.shape[1]

    @cached_property
    def _pieces(self):
        """First u, 1 / step, and cubic coefficients (M - 3, 4, 2 K), lowest power first."""
        u = np.log(self.n_range)
        knots = knot_vector(*u, len(self.weights))
        pieces = b_spline_pieces(knots, np.hstack([self.weights, self.log_widths]))
        coefficients = np.ascontiguousarray(pieces.transpose(1, 0, 2))
        return u[0], len(coefficients) / (u[1] - u[0]), coefficients

    def evaluate(self, n, rhalf, is_point):
        """Gaussians of S sources and their derivatives.

        Parameters
        ----------
        n, rhalf : (S,) Sersic index (held to `n_range`) and half-light radius (arcsec)
        is_point : (S,) bool; a point source is one component of variance 0

        Returns
        -------
        profile : (S, K, 6) float64; weight a, variance v (arcsec^2), da/dn, dv/dn, da/drhalf, dv/drhalf
        count : (S,) int32; components in use
        """
        n, rhalf, is_point = evaluation.as_columns(n, rhalf, is_point)
        return evaluation.scale_free(n, rhalf, is_point, self.n_range[0], self.n_range[1], *self._pieces)


def knot_vector(first, last, n_coefficients):
    """Clamped knots at equal steps for `n_coefficients` cubic B-splines."""
    inner = np.linspace(first, last, n_coefficients - DEGREE + 1)
    return np.concatenate([[first] * DEGREE, inner, [last] * DEGREE])


def b_spline_pieces(knots, coefficients):
    """Taylor coefficients (4, I, K), lowest power first, of cubic B-splines (M, K) where each piece begins.

    De Boor's recursion for the values; differences of the coefficients are those of the derivative.
    scipy does the same, but its import takes half of the time that a process needs to its first gradient.
    """
    t, c, pieces = knots, coefficients, []
    for degree, factor in zip((3, 2, 1, 0), (1, 1, 2, 6), strict=True):
        i = np.arange(degree, len(t) - degree - 1)
        d = [c[i - degree + j] for j in range(degree + 1)]
        for r in range(1, degree + 1):
            for j in range(degree, r - 1, -1):
                left, right = t[i + j - degree], t[i + j + 1 - r]
                share = ((t[i] - left) / (right - left))[:, None]
                d[j] = (1 - share) * d[j - 1] + share * d[j]
        pieces.append(d[degree] / factor)
        if degree:
            c = degree * np.diff(c, axis=0) / (t[degree + 1 : -1] - t[1 : -degree - 1])[:, None]
            t = t[1:-1]
    return np.stack(pieces)


def cubic_pieces(spline, starts):
    """Taylor coefficients (4, I, ...), lowest power first, of a cubic spline from `starts` (I,)."""
    return np.stack([spline(starts, nu) / factor for nu, factor in enumerate((1, 1, 2, 6))])


def write_table(path, table: MixtureTable, **attributes) -> None:
    """Write a scale-free table to HDF5, with `attributes` (version, figures of merit) at its root."""
    with create(path) as file:
        file.attrs.update({"layout": "scale-free", "n_range": table.n_range, **attributes})
        file["weights"] = table.weights
        file["log_widths"] = table.log_widths


def read_table(path) -> MixtureTable:
    """Read a scale-free table."""
    with h5py.File(path, "r") as file:
        missing = {"weights", "log_widths"} - set(file)
        if missing or "n_range" not in file.attrs:
            raise InputError(
                path, f"no {sorted(missing)} or n_range in it", "Make the table again with `fpho sersic`"
            )
        n_range = tuple(float(value) for value in file.attrs["n_range"])
        return MixtureTable(n_range, file["weights"][...], file["log_widths"][...])
