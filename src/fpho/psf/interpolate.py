"""Mixtures between detector locations: the nearest, or linear in all parameters.

Linear interpolation needs components that correspond (`build.fit_locations` fits each location from
its neighbour's solution). Weights are non-negative and sum to 1, so amplitudes keep their sum and
covariances stay positive. Outside the locations' hull the nearest point of the hull is used.
"""

import numpy as np


class Locations:
    """Detector locations (L, 2) and the weights of interpolation between them."""

    def __init__(self, places):
        self.places = np.asarray(places, "f8")
        self._grid = _grid(self.places)
        self._mesh, self._edges = None, _chain(self.places)
        if self._grid is None and len(self.places) > 2:
            from scipy.spatial import Delaunay, QhullError

            try:
                self._mesh = Delaunay(self.places)
                self._edges = self._mesh.convex_hull
            except QhullError:  # all on a line: the chain of edges
                pass

    def weights(self, x, y, how="nearest"):
        """Indices and weights (1 to 4 of them, summing to 1) at the point (x, y), pixels."""
        point = np.array([x, y], "f8")
        if how == "nearest":
            return np.array([np.argmin(np.hypot(*(self.places - point).T))]), np.ones(1)
        if how != "linear":
            raise ValueError(f"interpolation {how!r} is not known; use nearest or linear")
        if self._grid is not None:
            return _bilinear(*self._grid, point)
        simplex = -1 if self._mesh is None else int(self._mesh.find_simplex(point))
        if simplex < 0:
            return _on_edges(self.places, self._edges, point)
        affine = self._mesh.transform[simplex]
        two = affine[:2] @ (point - affine[2])
        return self._mesh.simplices[simplex], np.clip(np.append(two, 1 - two.sum()), 0, 1)

    def mix(self, values, x, y, how="nearest"):
        """Values (L, ...) at the point (x, y)."""
        index, weight = self.weights(x, y, how)
        return np.tensordot(weight, values[index], axes=1)


def _grid(places):
    """(x values, y values, index (Y, X)) when the places fill a grid of at least 2 x 2."""
    xs, ys = np.unique(places[:, 0]), np.unique(places[:, 1])
    if len(xs) < 2 or len(ys) < 2 or len(xs) * len(ys) != len(places):
        return None
    order = np.lexsort((places[:, 0], places[:, 1])).reshape(len(ys), len(xs))
    full = np.array_equal(places[order, 0], np.broadcast_to(xs, order.shape))
    return (xs, ys, order) if full else None


def _bilinear(xs, ys, order, point):
    (i, u), (j, v) = _fraction(xs, point[0]), _fraction(ys, point[1])
    index = np.array([order[j, i], order[j, i + 1], order[j + 1, i], order[j + 1, i + 1]])
    return index, np.array([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v])


def _fraction(values, at):
    """Interval of `values` and the position in it, held to [0, 1]."""
    i = int(np.clip(np.searchsorted(values, at) - 1, 0, len(values) - 2))
    return i, float(np.clip((at - values[i]) / (values[i + 1] - values[i]), 0, 1))


def _chain(places):
    """Edges (L - 1, 2) between neighbours of places on a line."""
    order = np.lexsort(places.T)
    return np.stack([order[:-1], order[1:]], axis=1)


def _on_edges(places, edges, point):
    """Weights at the nearest point of the edges (N, 2)."""
    start, along = places[edges[:, 0]], places[edges[:, 1]] - places[edges[:, 0]]
    t = np.clip(np.sum((point - start) * along, axis=1) / np.sum(along**2, axis=1), 0, 1)
    best = np.argmin(np.hypot(*(start + t[:, None] * along - point).T))
    return edges[best], np.array([1 - t[best], t[best]])
