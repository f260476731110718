"""A crowded field as a user runs it: what its patches cost against what was predicted, and pulls.

    python benchmarks/crowded.py FOLDER [--seeds 11 12 13] [--table]

For each seed `fpho calibrate --field --config benchmarks/crowded.yaml`, which goes on where it was stopped:
GalSim draws 150 sources on 30 x 30 arcsec, all are measured from a rough catalog (a selection by true S/N
would be one that no prior knows of), default options but for `patches.default_roi` of 2 arcsec, which joins
nearly all to one group. `--table`: only print what has been measured.
"""

import argparse
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from fpho.calibrate.fieldfigures import GROUPS, SNR_EDGES, is_flagged, measured, summary, worst_pull
from fpho.config import load_config
from fpho.layout import Layout
from fpho.passes.logs import logs_in
from fpho.passes.plan import read_plan
from fpho.sampling.rules import Limits, budget

CONFIG = Path(__file__).with_name("crowded.yaml")
COORDINATES = 8, 4  # of a galaxy, of a star, in two bands
WHOLE = [(-np.inf, np.inf), (SNR_EDGES[0], np.inf)]  # measured S/N
BINS = [(-np.inf, SNR_EDGES[0]), *pairwise(SNR_EDGES)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11])
    parser.add_argument("--table", action="store_true", help="measure nothing")
    given = parser.parse_args()
    tables = []
    for seed in given.seeds:
        outdir = given.folder / f"seed{seed}"
        if not given.table:
            sets = ["--set", f"outdir={outdir}", "--set", f"seed={seed}"]
            subprocess.run(
                [sys.executable, "-m", "fpho", "calibrate", "--field", "--config", str(CONFIG), *sets],
                check=True,
            )
        (run,) = Layout(outdir).field_calibration.glob("runs/*")
        print_patches(seed, Layout(run))
        tables.append(Table.read(Layout(outdir).field_calibration / "fields.fits"))
    print_pulls(vstack(tables, metadata_conflicts="silent"))


def print_patches(seed: int, layout: Layout) -> None:
    """A row for each patch and round: sizes, seconds by the clock, evaluations, how it ended."""
    config, rows = load_config(CONFIG), Table.read(layout.scene("sample"), hdu=1)
    sample = config.sample
    limits, n_draws = Limits(evaluations=sample.evaluations), sample.chains * sample.sampling_draws
    entries = {entry.patch: entry for entry in logs_in(layout.patch_log("sample"))}
    print(f"\nseed {seed}: {len(rows)} sources\n")
    print("| patch | round | sources, fitted along | s predicted, taken | evaluations | of budget | |")
    print("|---|---|---|---|---|---|---|")
    for patch in read_plan(layout.plan("sample")).patches:
        entry, fitted = entries[patch.index], [*patch.active, *patch.halo]
        n = sum(COORDINATES[int(point)] for point in rows["is_point"][fitted])
        calls = entry.fit.ncall if entry.fit else 0
        print(
            f"| {patch.index} | {patch.round + 1} | {len(patch.active)}, {len(patch.halo)} "
            f"| {patch.seconds:.0f}, {entry.seconds:.0f} | {calls} "
            f"| {calls / budget(limits, n, n_draws):.1%} | {entry.failure or entry.message} |"
        )


def print_pulls(table) -> None:
    """Pulls and coverage by measured S/N: of all that were found, then without flags, and with."""
    flagged = is_flagged(table)
    found, worst = np.asarray(table["found"], bool), worst_pull(table)
    print(f"\n{found.sum()} found, {np.sum(found & flagged)} flagged; pulls beyond 5: {np.sum(worst > 5)}\n")
    print("| | S/N | n | mean | sd | 68% | 95% | beyond 5 |\n|---|---|---|---|---|---|---|---|")
    for name, chosen in (("all", found), ("no flag", found & ~flagged), ("flagged", found & flagged)):
        for group in GROUPS:
            values = measured(table, group)
            for low, high in WHOLE + (BINS if name == "all" else []):
                one = summary(values, chosen[values.row] & (values.snr >= low) & (values.snr < high))
                if one["n"]:
                    print(f"| {group}, {name} | {low:g} to {high:g} {figures(one)}")


def figures(one: dict) -> str:
    """Cells of a row of `summary`, with standard errors of so many independent values."""
    n = one["n"]
    mean, sd, cover = 1 / np.sqrt(n), 1 / np.sqrt(2 * n), np.sqrt(0.68 * 0.32 / n)
    return (
        f"| {n} | {one['pull_mean']:.2f} +- {mean:.2f} | {one['pull_sd']:.2f} +- {sd:.2f} "
        f"| {one['cover68']:.0%} +- {cover:.0%} | {one['cover95']:.0%} | {one['beyond']:.1%} |"
    )


if __name__ == "__main__":
    main()
