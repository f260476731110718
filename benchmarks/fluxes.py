"""End-to-end bias of fluxes and sizes: bright isolated galaxies by GalSim, measured by the stages of a run.

python benchmarks/fluxes.py [--fields N] [--folder DIR] [--sample]

Every field holds 25 galaxies of S/N 60-400 in the images of the built-in example's cameras (scene
`isolated`); the PSF mixtures are those that stage `psf` fits to the PSF images that a user would have.
Printed are median relative deviations of what is measured from the truth, by band and Sersic index, with the
error of the median.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
from astropy.table import Table

from fpho.config import load_config
from fpho.layout import Layout
from fpho.passes import steps
from fpho.products.comparison import matched
from fpho.scene import read_scene
from fpho.stages import background, detect, postop, preprocess, psf, scene, sersic, simulate

BINS = ((0.5, 1.5), (1.5, 3.0), (3.0, 6.0))
MEDIAN = 1.2533  # error of a median in units of that of a mean, for a normal distribution


def measure(folder, seed: int, mixtures: Path | None, sample: bool):
    """(truth, rows, bands, PSF store) of one field, through all stages."""
    options = [f"outdir={folder}", f"seed={seed}", "simulate.scene=isolated", "optimize.rounds=2"]
    config, layout = load_config(None, options), Layout(folder)
    simulate.run(config, layout)
    if mixtures is None:
        psf.run(config, layout)
    else:
        Path(layout.psf_store).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(mixtures, layout.psf_store)
    for stage in (sersic, preprocess, scene):
        stage.run(config, layout)
    steps.run(config, layout, "optimize")
    for stage in (background, detect):
        stage.run(config, layout)
    steps.run(config, layout, "reoptimize")
    last = "reoptimize"
    if sample:
        postop.run(config, layout)
        steps.run(config, layout, "sample")
        last = "sample"
    rows, bands, _ = read_scene(layout.scene(last))
    return Table.read(layout.simulation / "truth.fits", hdu=1), rows, bands, layout.psf_store


def deviations(truth, rows, bands) -> dict:
    """Relative deviations of found sources by quantity, with the true index."""
    match = matched(truth, rows)
    found = match >= 0
    true, ours = truth[found], rows[match[found]]
    out = {name: ours[name] / np.asarray(true[name]) - 1 for name in (*bands, "rhalf")}
    pulls = {name: (ours[name] - np.asarray(true[name])) / ours[f"{name}_err"] for name in bands}
    return {"n": np.asarray(true["sersic"])} | out | {f"{name} pull": pull for name, pull in pulls.items()}


def report(table: dict, names) -> None:
    """Print medians by bin."""
    print(f"{'index':>10s} {'galaxies':>8s} " + " ".join(f"{name:>17s}" for name in names))
    for low, high in (*BINS, (0.5, 6.0)):
        inside = (table["n"] >= low) & (table["n"] < high)
        cells = []
        for name in names:
            values = table[name][inside]
            scatter = 0.7413 * np.subtract(*np.percentile(values, [75, 25]))
            cells.append(f"{np.median(values):+.3%} +- {MEDIAN * scatter / np.sqrt(len(values)):.3%}")
        print(f"{low:.1f} - {high:.1f} {inside.sum():8d}  " + " ".join(f"{cell:>17s}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fields", type=int, default=8, help="fields of 25 galaxies")
    parser.add_argument("--sample", action="store_true", help="measure by sampling, not by the optimum")
    parser.add_argument("--folder", type=Path, default=None, help="where the runs are kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        top, mixtures, parts = options.folder or Path(temporary), None, []
        for seed in range(options.fields):
            truth, rows, bands, mixtures = measure(top / f"field{seed}", seed, mixtures, options.sample)
            parts.append(deviations(truth, rows, bands))
            table = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            print(f"after {seed + 1} fields")
            report(table, (*bands, "rhalf"))
        for band in bands:
            pulls = table[f"{band} pull"]
            middle, spread = np.median(pulls), pulls.std()
            print(f"pulls {band}: mean {pulls.mean():+.2f}, median {middle:+.2f}, sd {spread:.2f}")


if __name__ == "__main__":
    main()
