"""Mixtures between detector locations: the nearest, or linear in all parameters.

Linear interpolation needs components that correspond (`build` fits each location from its
neighbour's solution). Weights are non-negative and sum to 1, so amplitudes keep their sum and
covariances stay positive. Outside the locations' hull the nearest point of the hull is used.
"""

import numpy as np
from scipy.spatial import Delaunay, QhullError


def nearest(locations, mixtures, x, y):
    """The mixture (J, 6) of the nearest of `locations` (L, 2)."""
    return mixtures[np.argmin(np.hypot(locations[:, 0] - x, locations[:, 1] - y))].copy()


def interpolate_linear(locations, mixtures, x, y):
    """The mixture (J, 6) at (x, y): linear between `locations` (L, 2)."""
    index, weight = linear_weights(locations, np.array([x, y], "f8"))
    return np.tensordot(weight, mixtures[index], axes=1)


def linear_weights(locations, point):
    """Indices and weights (2 to 4 of them, summing to 1) of linear interpolation at `point` (2,)."""
    grid = _grid(locations)
    if grid is not None:
        return _bilinear(*grid, point)
    try:
        mesh = Delaunay(locations)
    except QhullError:
        return _on_edges(locations, _chain(locations), point)
    simplex = int(mesh.find_simplex(point))
    if simplex < 0:
        return _on_edges(locations, mesh.convex_hull, point)
    affine = mesh.transform[simplex]
    two = affine[:2] @ (point - affine[2])
    return mesh.simplices[simplex], np.append(two, 1 - two.sum())


def _grid(locations):
    """(x values, y values, index (Y, X)) when the locations fill a grid of at least 2 x 2."""
    xs, ys = np.unique(locations[:, 0]), np.unique(locations[:, 1])
    if len(xs) < 2 or len(ys) < 2 or len(xs) * len(ys) != len(locations):
        return None
    order = np.lexsort((locations[:, 0], locations[:, 1])).reshape(len(ys), len(xs))
    full = np.array_equal(locations[order, 0], np.broadcast_to(xs, order.shape))
    return (xs, ys, order) if full else None


def _bilinear(xs, ys, order, point):
    (i, u), (j, v) = _fraction(xs, point[0]), _fraction(ys, point[1])
    index = np.array([order[j, i], order[j, i + 1], order[j + 1, i], order[j + 1, i + 1]])
    return index, np.array([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v])


def _fraction(values, at):
    """Interval of `values` and the position in it, held to [0, 1]."""
    i = int(np.clip(np.searchsorted(values, at) - 1, 0, len(values) - 2))
    return i, float(np.clip((at - values[i]) / (values[i + 1] - values[i]), 0, 1))


def _chain(locations):
    """Edges between neighbours of locations on a line."""
    order = np.lexsort(locations.T)
    return np.stack([order[:-1], order[1:]], axis=1)


def _on_edges(locations, edges, point):
    """Weights at the nearest point of the edges (N, 2)."""
    start, along = locations[edges[:, 0]], locations[edges[:, 1]] - locations[edges[:, 0]]
    t = np.clip(np.sum((point - start) * along, axis=1) / np.sum(along**2, axis=1), 0, 1)
    best = np.argmin(np.hypot(*(start + t[:, None] * along - point).T))
    return edges[best], np.array([1 - t[best], t[best]])
