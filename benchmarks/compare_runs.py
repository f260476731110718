"""Two runs of the same data: python benchmarks/compare_runs.py A B [--kernels cpu gpu]

Optima may differ by 0.05 of a parameter's standard deviation; medians of the posterior by as much beyond the
noise of two finite samples. Exits with 1 where something differs by more, where a source is missing, or where
a run was not made with the kernel that it should have been.
"""

import argparse
from pathlib import Path

import numpy as np
from astropy.table import Table

from fpho.hdf5 import opened
from fpho.layout import Layout
from fpho.passes.kept import record_files
from fpho.products.columns import quantities
from fpho.records import records_of

LIMIT = 0.05  # standard deviations
NOISE = 4.0  # of the difference of two medians, in its standard deviations
MEDIAN = 1.2533  # standard deviation of a median of independent normal draws, times the root of their number


def optimum(layout: Layout) -> Table:
    """The scene after the last optimization."""
    last = [layout.scene(stage) for stage in ("reoptimize", "optimize") if layout.scene(stage).is_file()]
    return Table.read(last[0], hdu=1)


def kernel_of(layout: Layout) -> str:
    """What the patches of a run were sampled with."""
    found = set()
    for key, records in records_of(record_files(layout, "sample")).items():
        if key.startswith("samples "):
            with opened(records[-1].read()) as file:
                found.add(str(file.attrs["kernel"]))
    return " and ".join(sorted(found)) or "unknown"


def matched(table: Table, ids) -> Table:
    """Rows of some sources, in that order."""
    rows = {str(name): row for row, name in enumerate(table["id"])}
    missing = [name for name in ids if name not in rows]
    if missing:
        raise SystemExit(f"compare_runs.py: source {missing[0]} is in one of the runs only")
    return table[[rows[name] for name in ids]]


def difference(quantity, one, other) -> np.ndarray:
    """Between two values, angles modulo 180 and right ascensions modulo 360 degrees."""
    turn = 180.0 if quantity.angle else 360.0
    delta = np.asarray(one, "f8") - np.asarray(other, "f8")
    return np.mod(delta + turn / 2, turn) - turn / 2 if quantity.cyclic else delta


def deviations(one: Path, other: Path):
    """(what, source, difference in standard deviations, how much is allowed) of all that is compared."""
    layouts = Layout(one), Layout(other)
    first = Table.read(layouts[0].posterior, hdu=1)
    ids = [str(name) for name in first["id"]]
    second = Table.read(layouts[1].posterior, hdu=1)
    if len(second) != len(first):
        raise SystemExit(f"compare_runs.py: {len(first)} sources against {len(second)}")
    second = matched(second, ids)
    optima = [matched(optimum(layout), ids) for layout in layouts]
    noise = NOISE * MEDIAN * np.sqrt(1 / first["ess"] + 1 / second["ess"])
    bands = [name for name in optima[0].colnames if f"{name}_err" in optima[0].colnames]
    for quantity in quantities(bands):
        name, sigma = quantity.name, np.asarray(first[f"{quantity.name}_err"], "f8")
        used = np.isfinite(sigma)  # a point source has no shape
        found = [quantity.values(table.as_array()) for table in optima]
        both = {
            "optimum": (difference(quantity, *found), np.full(len(ids), LIMIT)),
            "median": (difference(quantity, first[name], second[name]), LIMIT + np.asarray(noise, "f8")),
        }
        for what, (delta, allowed) in both.items():
            for i in np.flatnonzero(used):
                yield f"{what} of {name}", ids[i], delta[i] / sigma[i], allowed[i]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("one", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--kernels", nargs=2, metavar=("OF_ONE", "OF_OTHER"), help="what they must have used")
    options = parser.parse_args()
    kernels = [kernel_of(Layout(folder)) for folder in (options.one, options.other)]
    print(f"kernels: {kernels[0]}; {kernels[1]}")
    if options.kernels not in (None, kernels):
        print(f"wanted: {'; '.join(options.kernels)}")
        return 1
    found = list(deviations(options.one, options.other))
    wrong = [row for row in found if not abs(row[2]) <= row[3]]
    for what in ("optimum", "median"):
        largest = max((abs(row[2]) for row in found if row[0].startswith(what)), default=0.0)
        print(f"{what}: largest difference {largest:.3f} standard deviations")
    for what, name, delta, allowed in wrong:
        print(f"source {name}: {what} differs by {delta:+.3f} standard deviations, {allowed:.3f} allowed")
    return 1 if wrong or not found else 0


if __name__ == "__main__":
    raise SystemExit(main())
