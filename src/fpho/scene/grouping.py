"""Friends of friends: sources whose radii of influence overlap."""

import numpy as np

from ..geometry import ARCSEC, unit_vectors


def chord(arcsec) -> np.ndarray:
    """Straight distance on the unit sphere of an angle in arcsec."""
    return 2 * np.sin(0.5 * np.radians(np.asarray(arcsec) / ARCSEC))


def near_pairs(ra, dec, reach) -> np.ndarray:
    """Pairs (N, 2), i < j, of circles on the sky that overlap: separation < reach_i + reach_j (arcsec).

    Large circles are searched apart from small ones, so that one large one does not make all search wide.
    """
    xyz, reach = unit_vectors(ra, dec), np.asarray(reach, "f8")
    if len(reach) < 2:
        return np.zeros((0, 2), int)
    from scipy.spatial import cKDTree  # slow to import

    order = np.argsort(reach)
    found = [np.zeros((0, 2), int)]
    for part in np.array_split(order, max(1, min(16, len(order) // 64))):
        if not len(part):
            continue
        widest = reach[part].max()
        others = np.flatnonzero(reach <= widest)
        tree = cKDTree(xyz[others])
        hits = tree.query_ball_point(xyz[part], chord(reach[part] + widest))
        lengths = [len(hit) for hit in hits]
        if sum(lengths):
            pairs = np.stack([np.repeat(part, lengths), others[np.concatenate(hits).astype(int)]], axis=1)
            apart = np.linalg.norm(xyz[pairs[:, 0]] - xyz[pairs[:, 1]], axis=1)
            close = (apart < chord(reach[pairs].sum(axis=1))) & (pairs[:, 0] != pairs[:, 1])
            found.append(np.sort(pairs[close], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def group(ra, dec, roi) -> np.ndarray:
    """Label (S,) of each source's group; labels follow the first member's order."""
    pairs = near_pairs(ra, dec, roi)
    if not len(pairs):
        return np.arange(len(ra))
    from scipy.sparse import coo_matrix  # slow to import
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), bool)
    graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(len(ra), len(ra)))
    _, labels = connected_components(graph, directed=False)
    _, first = np.unique(labels, return_index=True)
    rank = np.empty(len(first), int)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[labels]
