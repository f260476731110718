"""A polynomial of fourth degree in Hermite form whose higher terms have the first variables only.

    r(v) = sum a_i He_i + sum b_ij He_ij + sum c_ijk He_ijk + sum d_ijkl He_ijkl,    i <= j <= k <= l

with He_i = v_i, He_ij = v_i v_j - delta_ij, and He_jA = v_j He_A - sum over a in A of delta_ja He_(A less a).
The derivative by v_i of He_A is m_i He_(A less i) where i stands m_i times in A: slopes are sums of the same
functions, of one degree less ("features"), with a matrix for each degree. Under a Gaussian the terms are
orthogonal, so that a regression on points from about one is well conditioned (Grad 1949, Communications on
Pure and Applied Mathematics 2, 325).
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np

from ..machinecode import compiled


@dataclass(frozen=True)
class Term:
    """Terms of one degree in n variables: slope i is the sum over F features of times x[index] He."""

    index: np.ndarray  # (n, F) number of the term that has variable i beside the feature's
    times: np.ndarray  # (n, F) how often it has it
    size: int  # terms

    def matrix(self, x) -> np.ndarray:
        """(n, F) of the numbers x (size,) of the terms."""
        return self.times * x[self.index]

    def numbers(self, matrix) -> np.ndarray:
        """The transpose of `matrix`: (size,) of (n, F)."""
        return np.bincount(self.index.ravel(), (self.times * matrix).ravel(), self.size)


@lru_cache(maxsize=64)
def term(n: int, degree: int) -> Term:
    """All terms of a degree (1 to 4) in n variables."""
    number = {key: i for i, key in enumerate(combinations_with_replacement(range(n), degree))}
    features = list(combinations_with_replacement(range(n), degree - 1))
    index = [[number[tuple(sorted((i, *some)))] for some in features] for i in range(n)]
    times = [[1.0 + some.count(i) for some in features] for i in range(n)]
    return Term(np.array(index), np.array(times), len(number))


@compiled
def squares(v, n, out):
    """He_ij of the first n of v, to `out`."""
    m = 0
    for i in range(n):
        for j in range(i, n):
            out[m] = v[i] * v[j]
            m += 1
        out[m - n + i] -= 1.0


@compiled
def cubes(v, n, out):
    """He_ijk of the first n of v, to `out`."""
    m = 0
    for i in range(n):
        for j in range(i, n):
            for k in range(j, n):
                value = v[i] * v[j] * v[k]
                if i == j:
                    value -= v[k]
                if j == k:
                    value -= v[i]
                if i == k:
                    value -= v[j]
                out[m] = value
                m += 1


@compiled
def features(v, n_cubic, n_quartic):
    """Squares and cubes, of slopes of cubic and quartic terms, at each of v (N, n)."""
    second = np.empty((len(v), n_cubic * (n_cubic + 1) // 2))
    third = np.empty((len(v), n_quartic * (n_quartic + 1) * (n_quartic + 2) // 6))
    for row in range(len(v)):
        squares(v[row], n_cubic, second[row])
        cubes(v[row], n_quartic, third[row])
    return second, third
