"""What the stages `background` and `detect` read: whole images, and the model of all sources on them."""

from collections.abc import Iterator

import numpy as np

from ..background import apply_background
from ..config import Config
from ..images import Exposure, Store, open_store
from ..layout import Layout
from ..patch import render
from ..psf import PSFStore
from ..sersic import load_table

KINDS = ("mosaic", "exposure")


def stores_of(layout: Layout, *on: str, shifts: dict | None = None) -> list[Store]:
    """Stores of the kinds of images that stages work on (`mosaic`, `exposure`, `all`), where they are.

    `shifts`: of the exposures' WCS, see `fpho.registration`.
    """
    kinds = [kind for kind in KINDS if {kind, "all"} & set(on)]
    found = [kind for kind in kinds if layout.pixels(kind).is_file()]
    return [open_store(layout.pixels(kind), layout.meta(kind), shifts) for kind in found]


def images_with_models(
    config: Config, layout: Layout, rows: np.ndarray, bands, on: tuple[str, ...], tweakbg=None, shifts=None
) -> Iterator[tuple[Exposure, np.ndarray]]:
    """Each image of `bands`, less its background, with the model (ny, nx) of all sources; one at a time."""
    psfs, table = PSFStore(layout.psf_store), load_table(layout.sersic_table)
    for store in stores_of(layout, *on, shifts=shifts):
        for name in store.ids:
            if store.band(name) in bands:
                exposure = store.exposure(name)
                if tweakbg is not None:
                    exposure = apply_background(exposure, tweakbg)
                yield exposure, render(rows, exposure, psfs, table, bands, config.psf.interpolation)
