"""What the stage `sample` costs for isolated galaxies, as a user runs it, in one process.

    python benchmarks/isolated.py FOLDER [--sources 110] [--seed 3]

A sparse field of one band and exposure; galaxies of S/N 5 and more, with default priors and with flat ones.
The cost is that of the stage less that of the same stage once more, when all patches are finished: imports,
plan, reading and writing. Compiled code is made before, by a first galaxy.
"""

import argparse
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from astropy.table import Table

from fpho.layout import Layout
from fpho.passes.logs import logs_in

BEFORE = (
    "simulate", "check", "settings", "sersic", "psf", "preprocess", "scene", "optimize", "background",
    "detect", "reoptimize", "postop",
)  # fmt: skip
FIELD = "density: 25, listed_snr: 5.0, exposures: 1, mosaic: false, bands: [F444W], pixel_scale: [0.063]"
PRIORS = {
    "default": [],
    "flat": [
        *(f"priors.{name}.name=uniform" for name in ("sersic", "rhalf", "q")),
        "priors.population.use=false",
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sources", type=int, default=110, help="drawn; a third of them is S/N 5 and more")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--only", default="", choices=("", *PRIORS), help="one kind of priors")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for name in [given.only] if given.only else PRIORS:
        outdir, options = given.folder / name, PRIORS[name]
        path = given.folder / f"{outdir.name}.yaml"
        field = f"{{scene: field, field: {{sources: {given.sources}, {FIELD}}}}}"
        path.write_text(f"outdir: {outdir}\nseed: {given.seed}\nsimulate: {field}\n")
        sets = [word for option in options for word in ("--set", option)]
        for stage in BEFORE:
            cost(stage, path, sets)
        report(f"{name} priors", outdir, cost("sample", path, sets), cost("sample", path, sets))


def cost(stage: str, path: Path, sets: list[str]) -> float:
    """CPU seconds of a stage, user and system, as a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "fpho", stage, "--config", str(path), *sets]
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def report(name: str, outdir: Path, spent: float, again: float) -> None:
    """Print the cost per galaxy, and how many patches were accepted."""
    layout = Layout(outdir)
    rows = Table.read(layout.scene("sample"), hdu=1)
    entries = list(logs_in(layout.patch_log("sample")))
    yes = sum(entry.message.startswith("accepted") for entry in entries)
    calls = [entry.fit.ncall for entry in entries]
    print(
        f"{name}: {len(rows)} galaxies in {len(entries)} patches: {spent:.1f} CPU s, {again:.1f} once more, "
        f"{(spent - again) / len(rows):.3f} for each; {yes} of {len(entries)} accepted; "
        f"evaluations median {np.median(calls):.0f}, most {max(calls)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
