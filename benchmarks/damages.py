"""Damage to the files of a run, as a failing disk does it: their times stay as they were."""

import os
import random
from pathlib import Path

from fpho.config import load_config
from fpho.layout import Layout
from fpho.passes.files import flattened
from fpho.records import SUFFIX
from fpho.stages.registry import STAGES
from fpho.stages.stage import ConfiguredRun

DAMAGES = ("flipped", "cut off", "emptied", "zeros")
CHAIN = (
    "scene", "optimize", "background", "detect", "reoptimize", "postop", "sample", "postprocess", "compare"
)  # fmt: skip
# Kinds of files: a stage that reads them; None where no stage does. `inputs.json` is only read by a check
# that runs again, which takes a damaged one for none.
READERS = {
    "simulation/catalog.fits": "scene",
    "simulation/truth.fits": "postprocess",
    "config.json": None,
    "psf/psfs.h5": "postprocess",
    "sersic/mixtures.h5": "postprocess",
    "stores/*_meta.h5": "postprocess",
    "stores/*_pixels/*.h5": "postprocess",
    "scene/initial.fits": "optimize",
    "background/first_sky.tsv": "optimize",
    "scene/optimize.fits": "background",
    "background/tweakbg.tsv": "detect",
    "background/tweakwcs.tsv": "detect",
    "scene/detect.fits": "reoptimize",
    "scene/reoptimize.fits": "postop",
    "catalogs/postop_catalog.fits": "sample",
    "background/structure.tsv": "sample",
    "plans/sample.h5": "postprocess",
    "scene/sample.fits": "postprocess",
    "scene/sample.log.json": "postprocess",
    "patches/optimize_*.records": "optimize",
    "patches/sample_*.records": "postprocess",
    "catalogs/posterior.fits": "compare",
    "catalogs/chains.fits": None,
}


def damage(path: Path, how: str, rng: random.Random) -> None:
    """Flip a bit, cut the end off, empty the file or fill it with zeros."""
    content, state = bytearray(path.read_bytes()), path.stat()
    if how == "flipped":
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif how == "cut off":
        del content[rng.randrange(len(content)) :]
    else:
        content = bytearray(0 if how == "emptied" else len(content))
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def forget_some(stage: str, outdir: Path, most: float, rng: random.Random) -> None:
    """Cut a random share, `most` at most, off the files of records of the passes from a stage on."""
    later = CHAIN[CHAIN.index(stage) :]
    paths = sorted(outdir.glob(f"patches/*{SUFFIX}"))
    for path in (path for path in paths if path.name.partition("_batch")[0] in later):
        os.truncate(path, int(path.stat().st_size * (1 - rng.uniform(0, most))))


def forget_from(stage: str | None, outdir: Path) -> None:
    """Remove what a stage and those after it have written, as if the run had been killed before it."""
    if stage is None:
        return
    run = ConfiguredRun(load_config(outdir / "config.yaml"), Layout(outdir))
    for name in CHAIN[CHAIN.index(stage) :]:
        parts = [path for room in ("batches", "groups") for path in outdir.glob(f"{room}/*{name}_*")]
        for path in (*flattened(STAGES[name].writes(run)), *parts):
            if path.is_file():
                path.unlink()
