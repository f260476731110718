"""From a task to the values that its patch is fitted with: its files are read here, and nowhere later."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from ..background import read_tweakbg
from ..images import open_chosen
from ..layout import Layout
from ..patch import CPUPatchMixin, GPUPatchMixin, StorePatch
from ..psf import PSFStore
from ..registration import read_shifts
from ..sersic import load_table
from .earlier import EarlierRound
from .files import FitFiles
from .psfs import flags_of, widest_psf
from .structure import known_structure
from .tasks import PatchTask


class CPUPatcher(StorePatch, CPUPatchMixin):
    """Patches from stores, likelihood on the CPU."""


class GPUPatcher(StorePatch, GPUPatchMixin):
    """Patches from stores, likelihood on a GPU."""


@dataclass(frozen=True)
class OpenPatch:
    """What a patch is fitted with: values, of which a fit changes nothing.

    S sources are fitted: the first `n_own` are kept, the others are the halo.
    """

    rows: np.ndarray  # scene rows (S,) to start from
    fixed: np.ndarray  # scene rows (F,)
    bounds: np.ndarray  # structured (S,), see `fpho.make_bounds`
    n_own: int
    pixels: StorePatch  # of the patch's region, with PSFs and profiles
    posterior: Callable  # (rows, fixed, bounds) -> (`Posterior`, q) on these pixels, all options bound
    flags: int  # of the patch as a whole
    measures_misfit: bool  # errors grow by what the model leaves of the data
    sky: np.ndarray | None  # table of the backgrounds that were taken off, with their errors
    structure: np.ndarray | None  # of the field's galaxies (K, B), see `results.structure`; None: not known
    blur: float  # half-light radius of the widest PSF, arcsec
    earlier: EarlierRound | None = None  # what the patch goes on from

    def begin(self):
        """(`Posterior`, q) of all S sources, with all others fixed."""
        return self.posterior(self.rows, self.fixed, self.bounds)


def open_patch(task: PatchTask, earlier: EarlierRound | None = None) -> OpenPatch:
    """All that the patch of a task is fitted with."""
    config, patcher = task.config, make_patcher(task)
    patcher.build_patch(task.patch.region, None, allbands=task.bands)
    rows = np.concatenate([task.active, task.halo]) if earlier is None else earlier.rows
    return OpenPatch(
        rows=rows,
        fixed=task.fixed,
        bounds=patcher.make_bounds(rows, config.bounds) if earlier is None else earlier.bounds,
        n_own=len(task.active),
        pixels=patcher,
        posterior=partial(
            patcher.prepare_model,
            priors=config.priors,
            jitter=config.model.jitter,
            in_fit_background=config.background.mode == "in_fit",
            background_sigma=config.background.prior_sigma,
        ),
        flags=flags_of(patcher, task.patch),
        measures_misfit=config.model.misfit == "measure" and patcher.whole,
        sky=patcher.tweakbg,
        structure=known_structure(task.files, task.bands),
        blur=widest_psf(patcher),
        earlier=earlier,
    )


def make_patcher(task: PatchTask) -> StorePatch:
    """A new patcher on the stores of a task, which patches in one process share."""
    options = task.config.sample if task.stage == "sample" else task.config.optimize
    stores = open_stores(task.layout, options.on, task.files)
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
def open_stores(layout: Layout, on: str, files: FitFiles) -> Stores:
    """The stores of the images that a stage works on, opened once per process."""
    shifts = read_shifts(files.shifts) if files.shifts else None
    return Stores(
        images=tuple(open_chosen(layout, on, shifts=shifts)),
        psfs=PSFStore(files.psf),
        profiles=load_table(files.sersic),
        tweakbg=read_tweakbg(files.background) if files.background else None,
    )
