"""What the stages `optimize` and `sample` share: from a task to the posterior of its patch."""

from functools import lru_cache
from pathlib import Path

from ..background import read_tweakbg
from ..flags import Flag
from ..layout import Layout
from ..patch import CPUPatchMixin, GPUPatchMixin, StorePatch
from ..psf import PSFStore
from ..registration import read_shifts
from ..sersic import load_table
from .tasks import PatchTask

KINDS = {"mosaic": ("mosaic",), "exposure": ("exposure",), "all": ("mosaic", "exposure")}


class CPUPatcher(StorePatch, CPUPatchMixin):
    """Patches from stores, likelihood on the CPU."""


class GPUPatcher(StorePatch, GPUPatchMixin):
    """Patches from stores, likelihood on a GPU."""


def open_patch(task: PatchTask, options, bounds=None):
    """(patcher with the patch's pixels, model, q) of a task; `options`: config.optimize or config.sample.

    bounds : of the active sources; made from their rows when None
    """
    config = task.config
    patcher = make_patcher(
        task.layout, options.on, config.kernel, _tweakbg(task), _tweakwcs(task), _stamps(task, options.on)
    )
    patcher.max_snr, patcher.interpolation = options.max_snr, config.psf.interpolation
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


@lru_cache(maxsize=4)
def make_patcher(layout: Layout, on: str, kernel: str, tweakbg: str, tweakwcs: str, stamps: tuple):
    """A patcher on the stores of one kind of images, opened once per process (`stamps`: sizes and times)."""
    kinds = [kind for kind in KINDS[on] if Path(layout.pixels(kind)).is_file()]
    pixels, meta = [layout.pixels(kind) for kind in kinds], [layout.meta(kind) for kind in kinds]
    table = read_tweakbg(tweakbg) if tweakbg else None
    patcher = GPUPatcher if kernel == "gpu" else CPUPatcher
    psfs, sersic = PSFStore(layout.psf_store), load_table(layout.sersic_table)
    shifts = read_shifts(tweakwcs) if tweakwcs else None
    return patcher(pixels, meta, psfs, sersic, registration=shifts, tweakbg=table)


def _tweakbg(task: PatchTask) -> str:
    """The table of backgrounds that a stage subtracts: a given one, or after `background` the fitted one."""
    given = task.config.background.tweakbg
    if task.stage == "optimize":
        return str(given) if given else ""
    return str(task.layout.background) if Path(task.layout.background).is_file() else ""


def _tweakwcs(task: PatchTask) -> str:
    """The table of shifts of exposures: a given one, or after `background` the measured one."""
    if task.stage == "optimize":
        return task.config.registration.table or ""
    return str(task.layout.registration) if Path(task.layout.registration).is_file() else ""


def _stamps(task: PatchTask, on: str) -> tuple:
    """Sizes and times of the files, so that a cached patcher is not used for changed ones."""
    layout = task.layout
    files = [layout.psf_store, layout.sersic_table, layout.background, layout.registration]
    files += [path(kind) for kind in KINDS[on] for path in (layout.pixels, layout.meta)]
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
