"""The sky of each image, before and after sources are fitted: what stages `scene` and `background` map."""

from dataclasses import asdict, dataclass

import numpy as np

from ..background import apply_background, first_sky, fit_background
from ..background.fit import Sky
from ..codehash import code_hash
from ..config import Config
from ..files import checksum
from ..images import open_chosen
from ..layout import Layout
from ..patch import render
from ..psf import PSFStore
from ..registration import read_shifts
from ..scene import read_scene
from ..sersic import load_table
from .inputs import image_groups
from .mapping import each, grouped, hash_of, kept, read_records, write_record
from .sky_inputs import read_first

FIRST, LATER = "initial", "optimize"  # states of the scene after which skies are measured


def image_names(config: Config, layout: Layout, state: str) -> list[str]:
    """Ids of the images whose sky is measured, in order."""
    bands = read_scene(layout.scene(state))[1]
    stores = open_chosen(layout, config.optimize.on, config.sample.on)
    return [name for store in stores for name in store.ids if store.band(name) in bands]


def measure_skies(config: Config, layout: Layout, state: str, names: list[str], cores: int) -> list[dict]:
    """The `Sky` of each image, as plain values."""
    tasks = [(SkyTask(config, layout, state, name),) for name in names]
    return each(measure, tasks, names, cores)


def measure_group(config: Config, layout: Layout, stage: str, state: str, group: int, cores: int) -> None:
    """Measure the skies of a group of images of a stage, and keep them for `gathered`."""
    names = grouped(image_names(config, layout, state), config, layout)[group]
    path = layout.image_group(stage, group, image_groups(config, layout))
    write_record(path, names, measure_skies(config, layout, state, names, cores))


def gathered(config: Config, layout: Layout, stage: str, state: str) -> list[dict]:
    """What all groups of a stage measured, as `measure_skies` gives it."""
    names = image_names(config, layout, state)
    return read_records(layout, stage, names, grouped(names, config, layout))


def skies_of(values: list[dict]) -> list[Sky]:
    """Back from plain values."""
    return [Sky(**one) for one in values]


@dataclass(frozen=True)
class SkyTask:
    """One image, whose sky is measured on the scene of a state."""

    config: Config
    layout: Layout
    state: str
    name: str


def measure(task: SkyTask) -> dict:
    """The sky of an image; one that an earlier job has measured of the same is taken from there."""
    opened = _opened(task)
    identity = hash_of(opened.identity, opened.store(task.name).content(task.name))
    path = task.layout.work("sky") / task.state / f"{task.name}.json"
    return kept(path, identity, lambda: asdict(opened.sky(task.name)))


def _files(layout: Layout, state: str) -> list:
    """Files besides the images on which skies depend."""
    files = [layout.scene(state), layout.psf_store, layout.sersic_table]
    return files if state == FIRST else [*files, layout.first_sky, layout.registration]


class _Opened:
    """What the skies of all images of a run are measured with."""

    def __init__(self, task: SkyTask):
        config, layout, state = task.config, task.layout, task.state
        self.first, self.interpolation = state == FIRST, config.psf.interpolation
        self.mode = "plane" if self.first else config.background.mode
        rows, self.bands, _ = read_scene(layout.scene(state))
        self.rows = rows[rows["is_valid"]] if self.first else rows
        shifts = None if self.first else read_shifts(layout.registration)
        self.table = None if self.first else read_first(layout)
        self.stores = open_chosen(layout, config.optimize.on, config.sample.on, shifts=shifts)
        self.psfs, self.profiles = PSFStore(layout.psf_store), load_table(layout.sersic_table)
        sums = [checksum(path) for path in _files(layout, state) if path.is_file()]
        self.identity = hash_of(state, self.mode, self.interpolation, sums, code_hash(__name__))

    def sky(self, name: str) -> Sky:
        exposure = self.store(name).exposure(name)
        if self.table is not None:
            exposure = apply_background(exposure, self.table)
        model = self._model(exposure)
        if self.first:
            return first_sky(exposure, model, self.rows)
        return fit_background(exposure, model, self.mode)

    def _model(self, exposure) -> np.ndarray:
        return render(self.rows, exposure, self.psfs, self.profiles, self.bands, self.interpolation)

    def store(self, name: str):
        """The store that has an image."""
        return next(store for store in self.stores if name in store.ids)


_now: dict[tuple, _Opened] = {}  # what this process has open: one at most


def _opened(task: SkyTask) -> _Opened:
    """What the images of a task are measured with, opened once in a process unless a file changes."""
    files = [*_files(task.layout, task.state), *task.layout.stores]
    states = [(path.stat().st_mtime_ns, path.stat().st_size) for path in files if path.is_file()]
    config = task.config
    options = config.optimize.on, config.sample.on, config.psf.interpolation, config.background.mode
    key = task.layout, task.state, *options, *states
    if key not in _now:
        _now.clear()
        _now[key] = _Opened(task)
    return _now[key]
