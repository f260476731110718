"""The plan of a pass: which sources are fitted together, in which order, and which patches touch.

Every valid source is active in exactly one patch of a pass and fixed in those it may shine into.
Patches that touch have different colours and never run at the same time. Order and seeds come
from the plan, never from the number of batches or cores.
"""

import json
from dataclasses import asdict, dataclass

import numpy as np

from ..config import Patches
from ..files import write_text
from ..geometry import CircularRegion, separation, unit_vectors
from .grouping import group, near_pairs

WINGS = 5.0  # half-light radii within which a fixed source counts beyond its roi


@dataclass(frozen=True)
class PatchPlan:
    """One patch: indices into the scene's rows, its circle on the sky, and when it runs."""

    index: int
    region: CircularRegion
    active: tuple[int, ...]
    fixed: tuple[int, ...]
    colour: int
    batch: int
    truncated: bool  # the group of its sources was cut


@dataclass(frozen=True)
class Plan:
    """All patches of a pass, in order."""

    patches: tuple[PatchPlan, ...]
    seed: int
    n_batches: int

    @property
    def n_colours(self) -> int:
        return 1 + max((patch.colour for patch in self.patches), default=0)

    def chosen(self, colour, batch: int) -> list[PatchPlan]:
        """Patches of a colour (`all`: every one, by colour) and batch, in order."""
        some = [p for p in self.patches if colour == "all" or (p.colour, p.batch) == (colour, batch)]
        return sorted(some, key=lambda patch: (patch.colour, patch.index))

    def write(self, path) -> None:
        """As JSON."""
        write_text(path, json.dumps(asdict(self)) + "\n")


def read_plan(path) -> Plan:
    """A plan from its file."""
    with open(path) as stream:
        tree = json.load(stream)
    patches = tuple(
        PatchPlan(
            **{
                **patch,
                "region": CircularRegion(**patch["region"]),
                "active": tuple(patch["active"]),
                "fixed": tuple(patch["fixed"]),
            }
        )
        for patch in tree["patches"]
    )
    return Plan(patches, tree["seed"], tree["n_batches"])


def patch_seed(seed: int, patch: int) -> np.random.SeedSequence:
    """The patch's own seed, derived from the run's."""
    return np.random.SeedSequence(seed, spawn_key=(patch,))


def plan_patches(
    rows, options: Patches | None = None, seed: int = 1, n_batches: int = 1, max_colours: int = 6
) -> Plan:
    """Cut the valid sources of a scene (S,) into patches.

    A group of overlapping roi is one patch if it fits (`maxactive_per_patch`, `patch_maxradius`) or if
    `strict`; else it is cut at its longest extent until the parts fit. Colours from `max_colours` on run
    one after the other in the last colour's first batch.
    """
    options = options or Patches()
    valid = np.flatnonzero(rows["is_valid"])
    parts = _parts(rows, valid, options)
    regions = [make_region(rows[part], options) for part, _ in parts]
    contacts = _contacts(rows, parts, regions)
    colours = colour_graph(len(parts), contacts)
    order = _sweep(regions)
    batches = np.empty(len(parts), int)
    batches[order] = np.arange(len(parts)) * n_batches // max(1, len(parts))
    fixed = _fixed(rows, valid, parts, regions)
    patches = []
    for index, i in enumerate(order):
        late = n_batches > 1 and colours[i] >= max_colours - 1
        overflow = n_batches > 1 and colours[i] >= max_colours
        active = tuple(int(k) for k in parts[i][0])
        patches.append(
            PatchPlan(
                index=index,
                region=regions[i],
                active=active,
                fixed=tuple(int(k) for k in fixed[i]),
                colour=int(max_colours - 1 if late else colours[i]),
                batch=0 if overflow else int(batches[i]),
                truncated=bool(parts[i][1]),
            )
        )
    return Plan(tuple(patches), seed, n_batches)


def colour_graph(n: int, contacts) -> np.ndarray:
    """Colours (n,) such that the ends of each contact differ: greedy, most contacts first."""
    neighbours: list[list[int]] = [[] for _ in range(n)]
    for i, j in contacts:
        neighbours[i].append(j)
        neighbours[j].append(i)
    colours = np.full(n, -1)
    for i in sorted(range(n), key=lambda i: (-len(neighbours[i]), i)):
        taken = {colours[j] for j in neighbours[i]}
        colours[i] = next(c for c in range(n + 1) if c not in taken)
    return colours


def _parts(rows, valid, options) -> list[tuple[np.ndarray, bool]]:
    """(indices, whether the group was cut) of each patch."""
    if not len(valid):
        return []
    chosen = rows[valid]
    labels = group(chosen["ra"], chosen["dec"], chosen["roi"])
    order = np.argsort(labels, kind="stable")
    groups = np.split(valid[order], np.flatnonzero(np.diff(labels[order])) + 1)
    most = max(1, int(options.max_active_fraction * len(valid)))
    most = min(most, options.maxactive_per_patch)
    parts = []
    for members in groups:
        pieces = [members] if options.strict else _cut(rows, members, most, options)
        parts += [(piece, len(pieces) > 1) for piece in pieces]
    return parts


def _cut(rows, members, most, options) -> list[np.ndarray]:
    """Halves of halves, along the longer side, until every part fits."""
    region = make_region(rows[members], options)
    if len(members) == 1 or (len(members) <= most and region.radius <= options.patch_maxradius):
        return [members]
    xyz = unit_vectors(rows["ra"][members], rows["dec"][members])
    centred = xyz - xyz.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    order = members[np.argsort(along, kind="stable")]
    half = len(members) // 2
    return [
        part for piece in (order[:half], order[half:]) for part in _cut(rows, np.sort(piece), most, options)
    ]


def make_region(rows, options) -> CircularRegion:
    """Circle that holds the roi of sources and the buffer around them."""
    xyz = unit_vectors(rows["ra"], rows["dec"])
    middle = 0.5 * (xyz.min(axis=0) + xyz.max(axis=0))
    ra = np.degrees(np.arctan2(middle[1], middle[0])) % 360
    dec = np.degrees(np.arcsin(middle[2] / np.sqrt(np.sum(middle**2))))
    reach = np.max(separation(ra, dec, rows["ra"], rows["dec"]) + rows["roi"])
    return CircularRegion(float(ra), float(dec), float(max(reach + options.buffer, options.patch_minradius)))


def reach_of(rows) -> np.ndarray:
    """Distance in arcsec to which a source's light counts."""
    return np.maximum(rows["roi"], WINGS * rows["rhalf"])


def _fixed(rows, valid, parts, regions) -> list[np.ndarray]:
    """Other sources whose light may reach each region."""
    if not parts:
        return []
    owner = np.full(len(rows), -1)
    for i, (part, _) in enumerate(parts):
        owner[part] = i
    ra = np.concatenate([rows["ra"][valid], [r.ra for r in regions]])
    dec = np.concatenate([rows["dec"][valid], [r.dec for r in regions]])
    reach = np.concatenate([reach_of(rows[valid]), [r.radius for r in regions]])
    pairs = near_pairs(ra, dec, reach)
    pairs = pairs[(pairs[:, 0] < len(valid)) & (pairs[:, 1] >= len(valid))]
    source, region = valid[pairs[:, 0]], pairs[:, 1] - len(valid)
    other = owner[source] != region
    source, region = source[other], region[other]
    order = np.lexsort((source, region))
    return np.split(source[order], np.searchsorted(region[order], np.arange(1, len(regions))))


def _contacts(rows, parts, regions) -> np.ndarray:
    """Pairs of patches of which one has an active source that shines into the other's region."""
    if not parts:
        return np.zeros((0, 2), int)
    fixed = _fixed(rows, np.concatenate([part for part, _ in parts]), parts, regions)
    owner = np.full(len(rows), -1)
    for i, (part, _) in enumerate(parts):
        owner[part] = i
    pairs = [(i, owner[k]) for i, some in enumerate(fixed) for k in some]
    return np.unique(np.sort(np.array(pairs, int).reshape(-1, 2), axis=1), axis=0)


def _sweep(regions) -> np.ndarray:
    """Order of patches in stripes of declination, back and forth in right ascension: near ones together."""
    if not regions:
        return np.zeros(0, int)
    ra, dec = np.array([r.ra for r in regions]), np.array([r.dec for r in regions])
    ra = np.mod(ra - ra[0] + 180, 360)
    n_stripes = max(1, round(np.sqrt(len(regions) / 4)))
    width = max(np.ptp(dec), 1e-9) / n_stripes
    stripe = np.minimum(((dec - dec.min()) / width).astype(int), n_stripes - 1)
    return np.lexsort((np.where(stripe % 2, -ra, ra), stripe))
