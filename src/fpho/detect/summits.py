"""Peaks of a map with their prominence: height above the saddle that joins them to a higher peak.

The pixels above the threshold are taken from the highest down. One without a neighbour taken before is a
new peak; one with neighbours of several peaks is the saddle between them, at which the lower ones end
(union-find, as in watersheds and persistent homology).
"""

import numpy as np
from numba import njit


def summits(image: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y (N,) int and prominence (N,) of all local maxima above `threshold`, highest first.

    A peak that is joined to no higher one has its full height as prominence.
    """
    flat = np.ascontiguousarray(image, "f8").ravel()
    above = np.flatnonzero(flat > threshold)
    order = above[np.argsort(-flat[above], kind="stable")]
    peaks, prominence = _flood(flat, order, image.shape[1])
    return peaks % image.shape[1], peaks // image.shape[1], prominence


@njit(cache=True)
def _root(parent, p):
    while parent[p] != p:
        parent[p] = parent[parent[p]]
        p = parent[p]
    return p


@njit(cache=True)
def _flood(flat, order, nx):
    """Pixel and prominence of each peak; the root of a tree is its peak."""
    parent = np.full(len(flat), -1, np.int64)
    prominence = np.zeros(len(flat))
    peaks = []
    for p in order:
        best = -1
        x = p % nx
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                n = p + dy * nx + dx
                if n < 0 or n >= len(flat) or x + dx < 0 or x + dx >= nx or n == p or parent[n] < 0:
                    continue
                root = _root(parent, n)
                if best < 0:
                    best = root
                elif root != best:
                    low, high = (root, best) if flat[root] <= flat[best] else (best, root)
                    prominence[low] = flat[low] - flat[p]
                    parent[low] = high
                    best = high
        if best < 0:
            parent[p] = p
            prominence[p] = flat[p]
            peaks.append(p)
        else:
            parent[p] = best
    found = np.array(peaks, dtype=np.int64) if len(peaks) else np.zeros(0, np.int64)
    return found, prominence[found]
