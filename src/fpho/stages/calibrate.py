"""Stage `calibrate`: whether the posterior's widths can be believed, on sources with known truth."""

import logging

from ..calibrate.camera import make_store
from ..calibrate.products import write_products
from ..calibrate.running import run_trials
from ..codehash import code_hash
from ..config import Config
from ..hdf5 import is_whole
from ..layout import Layout

log = logging.getLogger("fpho")


def run(config: Config, layout: Layout, cores: int = 1) -> None:
    """Draw, fit and sample all trials, and write tables, pictures and a page under `layout.calibration`.

    Finished trials are taken from earlier runs. Trials depend on the seed and options alone, not on `cores`.
    """
    folder = layout.calibration
    store = folder / f"psfs_{_mark(config)}.h5"
    if not is_whole(store, ours=True):
        make_store(config, store)
    paths = run_trials(config, store, folder / "trials", cores)
    text = write_products(config, paths, folder)
    log.info("calibration: %s", folder / "calibration.html")
    print(text)


def _mark(config: Config) -> str:
    """Short hash of what the PSF mixtures depend on."""
    import hashlib

    options = config.calibrate
    parts = [config.psf.model_dump_json(), repr((options.psf, options.pixel_scale)), code_hash("fpho.psf")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
