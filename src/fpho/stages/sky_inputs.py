"""What the stages `background` and `detect` read: whole images, and the model of all sources on them."""

from collections.abc import Iterator

import numpy as np

from ..background import apply_background, read_tweakbg
from ..background.table import DTYPE
from ..config import Config
from ..images import Exposure, open_chosen
from ..layout import Layout
from ..patch import render
from ..psf import PSFStore
from ..sersic import load_table


def read_first(layout: Layout) -> np.ndarray:
    """The first sky of a run; empty where none was measured."""
    return read_tweakbg(layout.first_sky) if layout.first_sky.is_file() else np.zeros(0, DTYPE)


def images(layout: Layout, bands, on: tuple[str, ...], tweakbg=None, shifts=None) -> Iterator[Exposure]:
    """Each image of `bands` that stages work on, less its background in a table; one at a time."""
    for store in open_chosen(layout, *on, shifts=shifts):
        for name in (name for name in store.ids if store.band(name) in bands):
            exposure = store.exposure(name)
            yield exposure if tweakbg is None else apply_background(exposure, tweakbg)


def images_with_models(
    config: Config, layout: Layout, rows: np.ndarray, bands, on: tuple[str, ...], tweakbg=None, shifts=None
) -> Iterator[tuple[Exposure, np.ndarray]]:
    """Each image of `bands`, less its background, with the model (ny, nx) of all sources; one at a time."""
    psfs, table = PSFStore(layout.psf_store), load_table(layout.sersic_table)
    for exposure in images(layout, bands, on, tweakbg, shifts):
        yield exposure, render(rows, exposure, psfs, table, bands, config.psf.interpolation)
