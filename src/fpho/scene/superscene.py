"""`LinkedSuperScene` and `SuperScene`: the scene as an object that hands out patches and takes them back.

Thin: the state is an array of scene rows; check-out, check-in and circles are functions of it.
"""

import json
from pathlib import Path

import numpy as np

from ..bounds import make_bounds
from ..config import Bounds, Patches
from ..errors import InputError
from ..files import write_text
from ..geometry import separation
from ..parameters import SHAPE_COLS, first_position, scene_dtype
from ..showing import html_table
from .circles import fits, make_region, reach_of
from .grouping import group
from .rows import checkin, checkout, places
from .state import write_scene


class SuperScene:
    """All sources, their bounds, and which of them are being fitted. Patches are circles around a seed.

    Parameters
    ----------
    sourcecat : scene rows, or any structured array with ra, dec, q, pa, sersic, rhalf and the bands
        (internal conventions, see `fpho.parameters`)
    bands : names of bands, in order
    statefile : FITS file for `writeout`
    roi : radius of influence of each source, arcsec; the catalog's column when None
    bounds_kwargs : options of `fpho.config.Bounds`
    target_niter : sampling draws that every source is to get
    seed : of the choice of seeds at random
    other keywords : options of `fpho.config.Patches`
    """

    shape_cols = SHAPE_COLS

    def __init__(
        self,
        sourcecat,
        bands,
        statefile="superscene.fits",
        roi=None,
        bounds_kwargs=None,
        target_niter: int = 200,
        seed: int = 1,
        **patch_options,
    ):
        self.bands = list(bands)
        self.statefile = Path(statefile)
        self.options = Patches(**patch_options)
        self.rows = scene_rows(sourcecat, self.bands, roi, self.options.default_roi)
        self.bounds = make_bounds(self.rows, self.bands, Bounds(**(bounds_kwargs or {})))
        self.target_niter = target_niter
        self.covs: dict[tuple[int, ...], np.ndarray] = {}
        self.log: list[dict] = []
        self._rng = np.random.default_rng(seed)
        valid = self.rows["is_valid"]
        self._group = np.full(len(self.rows), -1)
        self._group[valid] = group(*(self.rows[name][valid] for name in ("ra", "dec", "roi")))

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {len(self.rows)} sources in {', '.join(self.bands)}, "
            f"{len(self.unfinished)} of them without their {self.target_niter} draws>"
        )

    def _repr_html_(self) -> str:
        names = ("is_valid", "is_active", "is_point")
        return html_table(repr(self), {name: int(self.rows[name].sum()) for name in names})

    @property
    def sourcecat(self) -> np.ndarray:
        """The present state, scene rows (S,)."""
        return self.rows

    @property
    def unfinished(self) -> np.ndarray:
        """Indices of valid sources that still lack draws."""
        return np.flatnonzero(self.rows["is_valid"] & (self.rows["n_iter"] < self.target_niter))

    @property
    def undone(self) -> bool:
        """Whether a source still lacks draws."""
        return len(self.unfinished) > 0

    def checkout_region(self, seed_index: int = -1):
        """(region, active, fixed) around a source; -1: one that lacks draws, at random.

        The active sources are marked until they are checked in; a source can be in one patch only.

        Raises
        ------
        InputError
            If the seed is not to be had.
        """
        free = ~self.rows["is_active"]
        if seed_index < 0:
            candidates = self.unfinished[free[self.unfinished]]
            if not len(candidates):
                raise InputError("checkout_region", "no source is available", "Check the patches in first")
            seed_index = int(self._rng.choice(candidates))
        elif not self.rows["is_valid"][seed_index]:
            raise InputError("checkout_region", f"source {seed_index} is not valid", "Choose another seed")
        elif not free[seed_index]:
            raise InputError("checkout_region", f"source {seed_index} is active already", "Check it in first")
        chosen = self._grow(seed_index)
        region = make_region(self.rows[chosen], self.options)
        away = separation(region.ra, region.dec, self.rows["ra"], self.rows["dec"])
        near = self.rows["is_valid"] & (away < region.radius + reach_of(self.rows))
        near[chosen] = False
        active, fixed = checkout(self.rows, chosen, np.flatnonzero(near))
        self.rows["is_active"][chosen] = True
        return region, active, fixed

    def bounds_and_covs(self, source_index):
        """(bounds, cov) of sources: bounds (S,), and the covariance in z of the last fit of just these."""
        index = places(self.rows, source_index)
        return self.bounds[index], self.covs.get(_key(source_index))

    def checkin_region(self, active, fixed, niter: int, block_covs=None, taskID=None, flush=False) -> None:
        """Take the final rows of a patch back; `niter` draws are counted for each."""
        self.rows = checkin(self.rows, active, self.bands, niter)
        if block_covs is not None:
            self.covs[_key(active["source_index"])] = block_covs
        ids = [str(name) for name in active["id"]]
        self.log.append({"task": taskID, "sources": ids, "n_fixed": len(fixed), "n_iter": niter})
        if flush:
            self.writeout()

    def writeout(self, filename=None) -> None:
        """Write the state (FITS, atomically) and, beside it, a JSON log of the patches."""
        path = Path(filename or self.statefile)
        rows = self.rows.copy()
        rows["is_active"] = False
        write_scene(path, rows, self.bands)
        write_text(path.with_suffix(".log.json"), json.dumps(self.log, indent=1) + "\n")

    def reset(self) -> None:
        """Forget which sources are active and how many draws they have."""
        self.rows["is_active"], self.rows["n_iter"], self.rows["n_patch"] = False, 0, 0

    def _grow(self, seed_index) -> np.ndarray:
        """The seed and its nearest free neighbours whose roi lies within `patch_maxradius`."""
        rows = self.rows
        away = separation(rows["ra"][seed_index], rows["dec"][seed_index], rows["ra"], rows["dec"])
        free = rows["is_valid"] & ~rows["is_active"]
        inside = free & (away + rows["roi"] + self.options.buffer <= self.options.patch_maxradius)
        inside[seed_index] = True
        order = np.flatnonzero(inside)
        order = order[np.argsort(away[order], kind="stable")]
        return np.sort(order[: self._most()])

    def _most(self) -> int:
        share = int(self.options.max_active_fraction * len(self.rows))
        return max(1, min(self.options.maxactive_per_patch, share))


class LinkedSuperScene(SuperScene):
    """A super-scene whose patches are groups of sources with overlapping roi (friends of friends)."""

    def _grow(self, seed_index) -> np.ndarray:
        """The free members of the seed's group; the nearest where it is too large (`strict`: too wide)."""
        rows = self.rows
        members = (self._group == self._group[seed_index]) & rows["is_valid"] & ~rows["is_active"]
        order = np.flatnonzero(members)
        away = separation(
            rows["ra"][seed_index], rows["dec"][seed_index], rows["ra"][order], rows["dec"][order]
        )
        order = order[np.argsort(away, kind="stable")]
        order = order if self.options.strict else order[: self._most()]
        while len(order) > 1 and not fits(rows[order], self.options):
            order = order[:-1]
        return np.sort(order)


def scene_rows(sourcecat, bands, roi=None, default_roi: float = 1.0) -> np.ndarray:
    """Scene rows (S,) of a structured array or table in internal conventions."""
    catalog = np.asarray(sourcecat)
    names = catalog.dtype.names or ()
    needed = ["ra", "dec", *SHAPE_COLS, *bands]
    missing = [name for name in needed if name not in names]
    if missing:
        raise InputError("sourcecat", f"no column {', '.join(missing)}", f"It needs {', '.join(needed)}")
    rows = np.zeros(len(catalog), scene_dtype(bands))
    rows["is_valid"] = True
    rows["id"] = [str(i) for i in range(len(rows))]
    for name in rows.dtype.names:
        if name in names:
            rows[name] = catalog[name]
        elif name.endswith("_err") and name not in names:
            rows[name] = np.nan
    rows["source_index"] = np.arange(len(rows))
    rows["ra0"], rows["dec0"] = first_position(rows)
    rows["is_active"] = False
    if roi is not None:
        rows["roi"] = roi
    rows["roi"] = np.where(rows["roi"] > 0, rows["roi"], default_roi)
    return rows


def _key(source_index) -> tuple:
    return tuple(int(index) for index in np.atleast_1d(source_index))
