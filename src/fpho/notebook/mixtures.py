"""The PSF store of a fit; mixtures of PSFs that were seen before come from the user's cache."""

import hashlib
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from ..caches import cache_folder
from ..codehash import code_hash
from ..config import Config
from ..hdf5 import create, is_whole
from ..layout import Layout
from ..psf import fit_locations, write_store
from ..psf.build import as_group
from ..psf.inputs import images_by_key, read_psf_table
from ..workers import mapped

ONE = "psf"  # name of the group in a file of the cache


def make_store(config: Config, layout: Layout, cores: int) -> None:
    """Write `layout.psf_store` as the stage `psf` does; fitting takes seconds, and is done once for a PSF."""
    images = images_by_key(read_psf_table(config.psfs, config.psf.center))
    kept = {key: _place(some, config) for key, some in images.items()}
    missing = {path: images[key] for key, path in kept.items() if not is_whole(path)}
    options = {name: getattr(config.psf, name) for name in ("n_components", "max_components", "remainder")}
    found = mapped(partial(fit_locations, **options), zip(missing.values()), cores)
    for path, fits in zip(missing, found, strict=True):
        write_store(path, {ONE: as_group(fits)})
    with create(layout.psf_store) as store:
        for key, path in kept.items():
            with h5py.File(path, "r") as file:
                store.attrs.update(_plain(file.attrs))
                file.copy(ONE, store, name=key)


def _plain(attrs) -> dict:
    """Attributes of a store that say what it is; a checksum is each file's own."""
    return {name: value for name, value in attrs.items() if name == "fpho_version"}


def _place(images, config: Config) -> Path:
    """The file of the cache for images of one PSF, options and code: its name is their hash."""
    digest = hashlib.sha256(code_hash("fpho.psf.build", "fpho.psf.store").encode())
    digest.update(config.psf.model_dump_json().encode())
    for image in images:
        digest.update(np.ascontiguousarray(image.data).tobytes())
        rest = (image.data.shape, image.step, image.center, image.total, image.location, image.pixel_scale)
        digest.update(repr(rest).encode())
    return cache_folder() / "psf" / f"{digest.hexdigest()[:32]}.h5"
