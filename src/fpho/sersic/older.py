"""The older Sersic table: weights on a grid of (n, rhalf), widths fixed on the sky.

Layout: `nsersic` (N,) and `rh` (N,) arcsec, n slowest; `amplitudes` (N, K); `radii` (K,)
arcsec, the sigmas, the first may be 0. Weights there miss or exceed the flux by several per
cent; they are normalised at the grid points, and a spline through values that sum to 1 sums to 1.
"""

import warnings
from dataclasses import dataclass

import h5py
import numpy as np

from ..errors import InputError
from . import evaluation
from .table import cubic_pieces

NAMES = ("nsersic", "rh", "amplitudes", "radii")


@dataclass(frozen=True)
class FixedWidthTable:
    """Bicubic splines of weights; same call as `MixtureTable`."""

    n_breaks: np.ndarray  # (N + 1,)
    r_breaks: np.ndarray  # (R + 1,) arcsec
    pieces: np.ndarray  # (N, R, 4, 4, K), lowest powers first
    variances: np.ndarray  # (K,) arcsec^2

    @property
    def n_range(self):
        """Lowest and highest n of the table."""
        return float(self.n_breaks[0]), float(self.n_breaks[-1])

    @property
    def rhalf_range(self):
        """Smallest and largest half-light radius (arcsec)."""
        return float(self.r_breaks[0]), float(self.r_breaks[-1])

    @property
    def n_components(self) -> int:
        """Gaussians of a profile, K."""
        return len(self.variances)

    def evaluate(self, n, rhalf, is_point):
        """Profile (S, K, 6) and count (S,): see `MixtureTable.evaluate`."""
        columns = evaluation.as_columns(n, rhalf, is_point)
        return evaluation.fixed_widths(*columns, self.n_breaks, self.r_breaks, self.pieces, self.variances)


def read_older(path) -> FixedWidthTable:
    """Read an older table; its weights are normalised, with a warning that gives the worst flux error."""
    with h5py.File(path, "r") as file:
        n_all, r_all, amplitudes, radii = (np.asarray(file[name][...], "f8") for name in NAMES)
    n, r = np.unique(n_all), np.unique(r_all)
    grid = amplitudes.reshape(-1, len(radii))
    if len(n) * len(r) != len(grid) or not np.array_equal(r_all.reshape(len(n), -1)[0], r):
        raise InputError(path, "(nsersic, rh) is not a full grid with n slowest", "Give a complete table")
    total = grid.sum(axis=1)
    worst = np.argmax(np.abs(total - 1))
    warnings.warn(
        f"{path}: weights of this Sersic table sum to {total[worst]:.4f} at n = {n_all[worst]:.2f}, "
        f"rhalf = {r_all[worst]:.3f} arcsec: fluxes would be wrong by {100 * (total[worst] - 1):+.1f}%. "
        "The weights are normalised; its half-light radii stay as inexact as they are",
        stacklevel=3,
    )
    values = (grid / total[:, None]).reshape(len(n), len(r), len(radii))
    pieces, n_breaks, r_breaks = _bicubic(n, r, values)
    return FixedWidthTable(n_breaks, r_breaks, pieces, radii**2)


def _bicubic(n, r, values):
    """Cubic pieces in both directions through `values` (n, r, K)."""
    by_n, n_breaks = _cubic(n, values)  # (4, N, r, K)
    moved = np.moveaxis(by_n, 2, 0)  # (r, 4, N, K)
    by_r, r_breaks = _cubic(r, moved)  # (4, R, 4, N, K)
    return np.ascontiguousarray(by_r.transpose(3, 1, 2, 0, 4)), n_breaks, r_breaks


def _cubic(x, values):
    """Pieces (4, I, ...), lowest power first, of the cubic spline through `values` (x, ...), and breaks."""
    from scipy.interpolate import make_interp_spline  # a second to import, for older tables only

    spline = make_interp_spline(x, values, k=3, axis=0)
    breaks = np.unique(spline.t)
    return cubic_pieces(spline, breaks[:-1]), breaks
