"""Groups of overlapping sources; those too large for one patch are cut where they hang together least."""

import numpy as np

from ..geometry import separation
from ..scene.circles import fitting, make_regions
from ..scene.grouping import group, near_pairs
from .cost import CostLaw

SMALLEST = 1 / 3  # of a group, that one of two parts has at least, if links allow


def groups_in_parts(rows, valid, options, law: CostLaw) -> list[tuple[np.ndarray, bool]]:
    """(indices, whether its group was cut) of the sources of each patch; `valid`: indices of all sources."""
    if not len(valid):
        return []
    chosen = rows[valid]
    labels = group(chosen["ra"], chosen["dec"], chosen["roi"])
    order = np.argsort(labels, kind="stable")
    groups = np.split(valid[order], np.flatnonzero(np.diff(labels[order])) + 1)
    most = max(1, int(options.max_active_fraction * len(valid)))
    most = min(most, options.maxactive_per_patch)
    parts, waiting = [], [(members, False) for members in groups]
    while waiting:
        large = _too_large(rows, [members for members, _ in waiting], most, options, law)
        parts += [one for one, cut in zip(waiting, large, strict=True) if not cut]
        waiting = [
            (piece, True)
            for (members, _), cut in zip(waiting, large, strict=True)
            if cut
            for first in [weakest_cut(rows[members])]
            for piece in (members[first], members[~first])
        ]
    return parts


def _too_large(rows, groups, most: int, options, law: CostLaw) -> np.ndarray:
    """Whether each of some groups (or parts of them) is to be cut; all together, as images are many."""
    sizes = np.array([len(members) for members in groups])
    limit = np.inf if options.strict and not law.sampled else most
    large = (sizes > 1) & ((sizes > limit) | ~fitting(rows, groups, options))
    timed = np.flatnonzero((sizes > 1) & ~large)
    some = [groups[i] for i in timed]
    seconds = law.seconds(rows, some, make_regions(rows, some, options))
    large[timed] = seconds > options.max_seconds
    return large


def weakest_cut(rows) -> np.ndarray:
    """Which sources (S,) bool of a group of scene rows belong to the first of two parts.

    Two sources are linked by their overlap, as a part of the smaller roi. Of the tree of strongest links one
    is cut: no link between the parts is stronger than it. It is the weakest of those that leave SMALLEST to
    either part, or, without any, the one that halves the group best.
    """
    from scipy.sparse import coo_matrix  # slow to import
    from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

    pairs = near_pairs(rows["ra"], rows["dec"], rows["roi"])
    roi, (i, j) = rows["roi"], pairs.T
    away = separation(rows["ra"][i], rows["dec"][i], rows["ra"][j], rows["dec"][j])
    links = (roi[i] + roi[j] - away) / np.minimum(roi[i], roi[j])
    weak = coo_matrix((1 / np.maximum(links, 1e-9), (i, j)), (len(rows), len(rows)))
    tree = minimum_spanning_tree(weak).tocsr()
    order, above = breadth_first_order(tree + tree.T, 0, directed=False)
    below = np.ones(len(rows), int)  # sources behind the link of each one to the one above it
    for source in order[:0:-1]:
        below[above[source]] += below[source]
    ends = order[1:]
    weakness = np.array([max(tree[end, above[end]], tree[above[end], end]) for end in ends])
    small = np.minimum(below[ends], len(rows) - below[ends])
    fair = small >= SMALLEST * len(rows)
    end = ends[np.argmax(np.where(fair, weakness, -1.0)) if fair.any() else np.argmax(small)]
    behind = np.zeros(len(rows), bool)
    behind[end] = True
    for source in order[1:]:
        behind[source] |= behind[above[source]]
    return ~behind
