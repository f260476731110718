"""The plan of a pass: which sources are fitted together, in which order, and which patches touch.

Every valid source is active in exactly one patch of a pass. In other patches it is fitted along (in the
halo) where its roi, times `patches.halo`, overlaps that of an active source and light of one under the other
counts, or where it does not know how much light it has there (`shining`), and fixed where it may shine in
from farther; with a factor of 1 few patches have halos but those of groups that were cut. Patches that touch
have different colours and never run at the same time. Order and seeds come from the plan, never from the
number of batches or cores. A patch is named after its first source and its round, which its seed is drawn
from: sources that are added elsewhere leave its name, its random numbers and (but for a chain of contacts)
its colour alone.
"""

import numpy as np

from ..config import Patches
from ..geometry import CircularRegion
from ..parameters import bands_of
from ..scene.circles import CROWDED, make_regions, reach_of, wide_regions
from ..scene.grouping import near_pairs
from .cost import CostLaw
from .cutting import groups_in_parts
from .dividing import divided, latest_before, repeat_rounds
from .plan import PatchPlan, Plan
from .shining import coupled_pairs, sharing_pairs


def plan_patches(
    rows,
    options: Patches | None = None,
    seed: int = 1,
    n_batches: int = 1,
    job_seconds: float = 0.0,
    rounds: int = 1,
    gibbs: bool = False,
    law: CostLaw | None = None,
    blur: float | None = None,
) -> Plan:
    """Cut the valid sources of a scene (S,) into patches; `law`: what these cost.

    blur : half-light radius of the PSF, arcsec; None: not known, so that all light counts

    A group of overlapping roi is one patch if it has at most `maxactive_per_patch` members (any number if
    `strict`, in an optimization), fits into `patch_maxradius` and takes at most `max_seconds`; else it is cut
    at its weakest links until the parts do.
    A pass of several rounds has the same patches again, with colours and numbers that go on; with `gibbs`
    only those of groups that were cut and beside which light of something fixed counts, which go on from the
    draws before. Jobs begin after `job_seconds`: colours with less work than that share one, see `dividing`.
    """
    options = options or Patches()
    valid = np.flatnonzero(rows["is_valid"])
    law = law or CostLaw()
    parts = groups_in_parts(rows, valid, options, law)
    order = _sweep(make_regions(rows, [part for part, _ in parts], options))
    parts = [parts[i] for i in order]
    owner = np.full(len(rows), -1)
    for i, (part, _) in enumerate(parts):
        owner[part] = i
    cut = np.array([cut for _, cut in parts], bool)
    halos = _halos(rows, valid, owner, cut, options.halo, blur)
    regions = _regions(rows, valid, owner, [part for part, _ in parts], halos, options)
    near = _others(rows, valid, owner, regions, reach_of(rows))
    fixed = [np.setdiff1d(some, halo) for some, halo in zip(near, halos, strict=True)]
    others = [np.union1d(*some) for some in zip(near, halos, strict=True)]
    first = np.array([rows["source_index"][part].min() for part, _ in parts], int)
    colours = colour_graph(len(parts), _contacts(owner, others), first)
    fitted = [np.concatenate([part, halo]) for (part, _), halo in zip(parts, halos, strict=True)]
    again = cut & _shone_on(rows, valid, fitted, fixed, blur) if gibbs else np.ones(len(parts), bool)
    which, colours, turns = repeat_rounds(colours, np.flatnonzero(again), rounds)
    seconds, pixels = law.seconds(rows, fitted, regions), law.images.pixels(regions)
    alone = np.array([not len(some) for some in fixed], bool)
    seconds = law.of_round(seconds[which], turns, alone[which])
    steps, batches = divided(colours, seconds, job_seconds, n_batches)
    past = latest_before(which, colours, [np.unique(owner[some]) for some in fixed] if gibbs else None)
    lists = [
        tuple(tuple(some.tolist()) for some in three)
        for three in zip((part for part, _ in parts), halos, fixed, strict=True)
    ]
    patches = []
    for index, (i, *numbers) in enumerate(zip(which, colours, steps, batches, strict=True)):
        known = {
            "first": int(first[i]),
            "round": int(turns[index]),
            "truncated": parts[i][1],
            "pixels": int(pixels[i]),
            "seconds": float(seconds[index]),
            **past[index],
        }
        patches.append(PatchPlan(index, regions[i], *lists[i], *map(int, numbers), **known))
    return Plan(tuple(patches), seed)


def _halos(rows, valid, owner, cut, factor: float, blur: float | None) -> list[np.ndarray]:
    """For each part, the sources of other parts that are fitted along.

    Their roi overlap those of its own, a factor on all, and their light counts; or one does not know how much
    light it has under the other, but for parts of groups that were cut (bool of each part): these settle in
    rounds.
    """
    some = rows[valid]
    overlaps = valid[_counting(some, near_pairs(some["ra"], some["dec"], factor * some["roi"]), blur)]
    coupled = valid[coupled_pairs(some, bands_of(some))]
    pairs = np.concatenate([overlaps, coupled[~cut[owner[coupled]].all(axis=1)]])
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
    found = np.unique(np.stack([owner[pairs[:, 0]], pairs[:, 1]], axis=1), axis=0)
    return np.split(found[:, 1], np.searchsorted(found[:, 0], np.arange(1, len(cut)))) if len(cut) else []


def _counting(rows, pairs, blur: float | None) -> np.ndarray:
    """Those of pairs (N, 2) of scene rows of which one has light that counts under the other."""
    return pairs if blur is None else sharing_pairs(rows, pairs, bands_of(rows), blur)


def _shone_on(rows, valid, fitted, fixed, blur: float | None) -> np.ndarray:
    """Whether light counts of a fitted source and one that is fixed beside it; bool of each part (P,)."""
    if blur is None:
        return np.ones(len(fitted), bool)
    some = rows[valid]
    near = valid[_counting(some, near_pairs(some["ra"], some["dec"], reach_of(some)), blur)]
    beside: dict[int, set[int]] = {}
    for i, j in near.tolist():
        beside.setdefault(i, set()).add(j)
        beside.setdefault(j, set()).add(i)
    shining = [set().union(*(beside.get(i, set()) for i in own.tolist())) for own in fitted]
    both = zip(shining, fixed, strict=True)
    return np.array([not light.isdisjoint(far.tolist()) for light, far in both], bool)


def colour_graph(n: int, contacts, names=None) -> np.ndarray:
    """Colours (n,) such that the ends of each contact differ: greedy, most contacts first.

    Among equals by `names` (n,), which nodes keep when others are added: so most keep their colours, too.
    """
    names = range(n) if names is None else names
    neighbours: list[list[int]] = [[] for _ in range(n)]
    for i, j in contacts:
        neighbours[i].append(j)
        neighbours[j].append(i)
    colours = np.full(n, -1)
    for i in sorted(range(n), key=lambda i: (-len(neighbours[i]), names[i])):
        taken = {colours[j] for j in neighbours[i]}
        colours[i] = next(c for c in range(n + 1) if c not in taken)
    return colours


def _regions(rows, valid, owner, parts, halos, options) -> list[CircularRegion]:
    """The circle of each patch: with nearly all light of its sources, with less where others lie within.

    What those are wrong by at their present values would else outweigh what pixels far out tell. In the
    built-in example 58 of 60 fluxes and 18 of 18 sizes are within 3 sigma so, else 56 and 16.
    """
    regions = wide_regions(rows, parts, halos, options)
    inside = _others(rows, valid, owner, regions, np.zeros(len(rows)))
    crowded = [i for i, some in enumerate(inside) if len(some) and not np.isin(some, halos[i]).all()]
    narrow = wide_regions(rows, [parts[i] for i in crowded], [halos[i] for i in crowded], options, CROWDED)
    for i, region in zip(crowded, narrow, strict=True):
        regions[i] = region
    return regions


def _others(rows, valid, owner, regions, reach) -> list[np.ndarray]:
    """Sources of other patches within `reach` (S,) arcsec of each region."""
    if not regions:
        return []
    ra = np.concatenate([rows["ra"][valid], [r.ra for r in regions]])
    dec = np.concatenate([rows["dec"][valid], [r.dec for r in regions]])
    reach = np.concatenate([reach[valid], [r.radius for r in regions]])
    pairs = near_pairs(ra, dec, reach)
    pairs = pairs[(pairs[:, 0] < len(valid)) & (pairs[:, 1] >= len(valid))]
    source, region = valid[pairs[:, 0]], pairs[:, 1] - len(valid)
    other = owner[source] != region
    source, region = source[other], region[other]
    order = np.lexsort((source, region))
    return np.split(source[order], np.searchsorted(region[order], np.arange(1, len(regions))))


def _contacts(owner, fixed) -> np.ndarray:
    """Pairs of patches (N, 2) of which one has an active source that is fixed in the other."""
    patch = np.repeat(np.arange(len(fixed)), [len(some) for some in fixed])
    others = owner[np.concatenate([np.zeros(0, int), *fixed])]
    return np.unique(np.sort(np.stack([patch, others], axis=1), axis=1), axis=0)


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
