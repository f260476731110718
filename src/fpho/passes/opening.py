"""What the stages `optimize` and `sample` share: from a task to the posterior of its patch."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..background import read_tweakbg
from ..flags import Flag
from ..geometry import linearize
from ..images import open_chosen
from ..images.table import KINDS
from ..layout import Layout
from ..patch import CPUPatchMixin, GPUPatchMixin, StorePatch
from ..psf import PSFStore
from ..registration import read_shifts
from ..sersic import load_table
from .tasks import PatchTask


class CPUPatcher(StorePatch, CPUPatchMixin):
    """Patches from stores, likelihood on the CPU."""


class GPUPatcher(StorePatch, GPUPatchMixin):
    """Patches from stores, likelihood on a GPU."""


def open_patch(task: PatchTask, options, bounds=None):
    """(patcher with the patch's pixels, model, q) of a task; `options`: config.optimize or config.sample.

    bounds : of the active sources; made from their rows when None
    """
    config = task.config
    patcher = make_patcher(task, options)
    patcher.build_patch(task.patch.region, None, allbands=task.bands)
    if bounds is None:
        bounds = patcher.make_bounds(task.active, config.bounds)
    return patcher, *prepare(patcher, task.active, task.fixed, bounds, config)


def prepare(patcher, active, fixed, bounds, config):
    """(model, q) of scene rows on the pixels of a patch."""
    return patcher.prepare_model(
        active=active,
        fixed=fixed,
        bounds=bounds,
        priors=config.priors,
        jitter=config.model.jitter,
        in_fit_background=config.background.mode == "in_fit",
        background_sigma=config.background.prior_sigma,
    )


def make_patcher(task: PatchTask, options) -> StorePatch:
    """A new patcher on the stores of a task, which patches in one process share."""
    stores = open_stores(task.layout, options.on, _tweakbg(task), _tweakwcs(task), _stamps(task))
    patcher = GPUPatcher if task.config.kernel == "gpu" else CPUPatcher
    return patcher.on(
        stores.images,
        stores.psfs,
        stores.profiles,
        max_snr=options.max_snr,
        tweakbg=stores.tweakbg,
        interpolation=task.config.psf.interpolation,
        remainder=task.stage != "optimize",  # there the catalog's values are a first guess
    )


@dataclass(frozen=True)
class Stores:
    """What patches are made of; nothing of it is changed by a patch."""

    images: tuple
    psfs: PSFStore
    profiles: object  # Sersic table
    tweakbg: np.ndarray | None


@lru_cache(maxsize=4)
def open_stores(layout: Layout, on: str, tweakbg: str, tweakwcs: str, stamps: tuple) -> Stores:
    """The stores of the images that a stage works on, opened once per process (`stamps`: of the files)."""
    shifts = read_shifts(tweakwcs) if tweakwcs else None
    return Stores(
        images=tuple(open_chosen(layout, on, shifts=shifts)),
        psfs=PSFStore(layout.psf_store),
        profiles=load_table(layout.sersic_table),
        tweakbg=read_tweakbg(tweakbg) if tweakbg else None,
    )


def _tweakbg(task: PatchTask) -> str:
    """The table of backgrounds that a stage subtracts: a given one or the first sky, later the fitted one."""
    if task.stage == "optimize" and task.config.background.tweakbg:
        return task.config.background.tweakbg
    table = task.layout.first_sky if task.stage == "optimize" else task.layout.background
    return str(table) if table.is_file() else ""


def _tweakwcs(task: PatchTask) -> str:
    """The table of shifts of exposures: a given one, or after `background` the measured one."""
    if task.stage == "optimize":
        return task.config.registration.table or ""
    return str(task.layout.registration) if Path(task.layout.registration).is_file() else ""


def _stamps(task: PatchTask) -> tuple:
    """Sizes and times of the files, so that stores opened before are not used for changed ones."""
    layout = task.layout
    files = [layout.psf_store, layout.sersic_table, layout.first_sky, layout.background, layout.registration]
    files += [path(kind) for kind in KINDS for path in (layout.pixels, layout.meta)]
    states = [Path(path).stat() if Path(path).is_file() else None for path in files]
    return tuple((state.st_size, state.st_mtime_ns) if state else None for state in states)


def patch_flags(patcher, task: PatchTask) -> int:
    """Flags that come from the patch as a whole: a poor PSF, a group that was cut."""
    store = patcher.psfstore
    keys = {store.resolve(tiles.id, tiles.band, tiles.psf) for tiles in patcher.tiles}
    flags = Flag.POOR_PSF if any(store.quality(key)["poor"] for key in keys) else Flag(0)
    if task.patch.truncated:
        flags |= Flag.TRUNCATED_PATCH
    return int(flags)


def blur_of(patcher, task: PatchTask) -> float:
    """Half-light radius (arcsec) of the widest PSF of a patch's images, round Gaussians of the same areas."""
    region, widths = task.patch.region, [0.0]
    for tiles in patcher.tiles:
        centre, scale = linearize(tiles.wcs, np.atleast_1d(region.ra), np.atleast_1d(region.dec))
        key = patcher.psfstore.resolve(tiles.id, tiles.band, tiles.psf)
        mixture = patcher.psfstore.mixture(key, *centre[0], patcher.interpolation)
        variance = np.sqrt(np.maximum(np.linalg.det(mixture[:, [[3, 5], [5, 4]]]), 0))
        radius = np.geomspace(0.1, 10, 200) * np.sqrt(np.max(variance))
        inside = (1 - np.exp(-0.5 * radius[:, None] ** 2 / variance)) @ mixture[:, 0]
        half = radius[np.argmax(inside >= 0.5 * mixture[:, 0].sum())]
        widths.append(half / np.sqrt(abs(np.linalg.det(scale[0]))))
    return float(max(widths))
