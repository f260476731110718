"""Sersic profiles as sums of round Gaussians, scale-free: weights and widths depend on n only.

A component has weight a_k(n) >= 0 (they sum to 1) and sigma = rhalf s_k(n). Both a_k and
log s_k are cubic B-splines of u = log n on equal steps, so they are twice continuously
differentiable; coefficients of the weights are non-negative and sum to 1 at each knot, and
B-splines sum to 1, hence so do the weights everywhere. At n = 0.5 the first coefficient
puts all weight on one component of the exact width: one Gaussian.

Profiles with n below 0.5 fall faster than a Gaussian and have a flat top: no sum of Gaussians with positive
weights does. There both splines go on with further knots at the same steps (`compact`), weights may be
negative, and still sum to 1; nothing jumps at n = 0.5 up to the second derivative.
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

    spline_range: tuple[float, float]  # of n, spanned by the B-splines
    weights: np.ndarray  # (M, K) B-spline coefficients of a_k
    log_widths: np.ndarray  # (M, K) B-spline coefficients of log s_k
    rhalf_range: tuple[float, float] = (0.0, np.inf)
    compact: np.ndarray | None = None  # (J, 2 K) third-degree terms below n = 0.5: `fpho.sersic.compact`
    n_min: float | None = None  # where the profiles below 0.5 end

    @property
    def n_components(self) -> int:
        """Gaussians of a profile, K."""
        return self.weights.shape[1]

    @property
    def n_range(self) -> tuple[float, float]:
        """Lowest and highest n of the table."""
        return (self.spline_range[0] if self.compact is None else self.n_min), self.spline_range[1]

    @cached_property
    def _pieces(self):
        """Where the splines begin in u = log n, 1 / step, pieces, and how many of these lie below.

        Pieces are cubic coefficients (I, 4, 2 K), lowest power first.
        """
        u = np.log(self.spline_range)
        knots = knot_vector(*u, len(self.weights))
        pieces = b_spline_pieces(knots, np.hstack([self.weights, self.log_widths]))
        coefficients = np.ascontiguousarray(pieces.transpose(1, 0, 2))
        step = (u[1] - u[0]) / len(coefficients)
        if self.compact is None:
            return u[0], 1 / step, coefficients, 0
        below = compact_pieces(coefficients[0], self.compact, step)
        return u[0], 1 / step, np.concatenate([below, coefficients]), len(below)

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


def compact_pieces(first, compact, step):
    """Taylor coefficients (J, 4, 2 K) of the pieces below a spline's first one (4, 2 K), lowest u first.

    With t <= 0 the distance in u from the spline's beginning, they are the first piece's polynomial of second
    degree plus sum_j compact_j max(-j step - t, 0)^3, which is continuous to the second derivative.
    """
    pieces = []
    for i in range(len(compact)):
        at = -(i + 1) * step  # where this piece begins
        piece = np.stack([first[0] + at * (first[1] + at * first[2]), first[1] + 2 * at * first[2], first[2]])
        piece = np.concatenate([piece, np.zeros_like(first[:1])])
        for j in range(i + 1):
            d = (i + 1 - j) * step  # (d - t)^3
            piece += np.array([d**3, -3 * d**2, 3 * d, -1.0])[:, None] * compact[j]
        pieces.append(piece)
    return np.stack(pieces[::-1])


def cubic_pieces(spline, starts):
    """Taylor coefficients (4, I, ...), lowest power first, of a cubic spline from `starts` (I,)."""
    return np.stack([spline(starts, nu) / factor for nu, factor in enumerate((1, 1, 2, 6))])


def write_table(path, table: MixtureTable, **attributes) -> None:
    """Write a scale-free table to HDF5, with `attributes` (version, figures of merit) at its root."""
    with create(path) as file:
        file.attrs.update({"layout": "scale-free", "n_range": table.spline_range, **attributes})
        file["weights"] = table.weights
        file["log_widths"] = table.log_widths
        if table.compact is not None:
            file["compact"] = table.compact
            file["compact"].attrs["n_min"] = table.n_min


def read_table(path) -> MixtureTable:
    """Read a scale-free table."""
    with h5py.File(path, "r") as file:
        missing = {"weights", "log_widths"} - set(file)
        if missing or "n_range" not in file.attrs:
            raise InputError(
                path, f"no {sorted(missing)} or n_range in it", "Make the table again with `fpho sersic`"
            )
        n_range = tuple(float(value) for value in file.attrs["n_range"])
        compact, n_min = None, None
        if "compact" in file:
            compact, n_min = file["compact"][...], float(file["compact"].attrs["n_min"])
        return MixtureTable(
            n_range, file["weights"][...], file["log_widths"][...], compact=compact, n_min=n_min
        )
