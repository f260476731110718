"""What a person waits for: from a new process to the first optimum, and compiling on a new machine.

    python benchmarks/first_fit.py [--runs N] [--compile] [--out docs/speed.md]

Each row has the least processor time (user and system, of the process and its children) of N new processes.
`--compile` measures one fit with an empty cache of compiled code, too; `--out` puts the table into a page.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

IMPORT = "import fpho"
FIT = """
import numpy as np
import fpho

y, x = np.mgrid[:61, :61] - 30
psf = np.exp(-0.5 * (x**2 + y**2) / 1.5**2) / (2 * np.pi * 1.5**2)
galaxy = 1000 * np.exp(-0.5 * (x**2 + 2 * y**2) / 2.5**2) / (2 * np.pi * 2.5**2)
image = galaxy + np.random.default_rng(1).normal(size=galaxy.shape)
fit = fpho.fit(image, psf, 1.0, pixel_scale=0.05, sources=(30, 30), draws=0, progress=False)
"""
TABLE = FIT + "fit.table\n"


def seconds(code: str, runs: int = 1, **environment) -> float:
    """Least processor time of some new processes that run `code`."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found = []
    for _ in range(runs):
        before = _children()
        subprocess.run([sys.executable, "-c", code], check=True, env=variables | environment)
        found.append(_children() - before)
    return min(found)


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def rows(runs: int, anew: bool) -> dict[str, float]:
    """Seconds of processor time by what is done."""
    seconds(TABLE)  # what is compiled, and the PSF's mixture, are kept from here on
    cases = {
        "`import fpho`": IMPORT,
        "one galaxy, 61 x 61 pixels, to the optimum": FIT,
        "and to its table": TABLE,
    }
    found = {name: seconds(code, runs) for name, code in cases.items()}
    if anew:
        with tempfile.TemporaryDirectory() as empty:
            found["to the optimum, all compiled anew"] = seconds(FIT, NUMBA_CACHE_DIR=empty)
    return found


def put(page: Path, table: str) -> None:
    """Write the table between its marks in a page."""
    text = page.read_text()
    start, end = text.index("| what | processor time |"), text.index("<!-- end -->")
    page.write_text(f"{text[:start]}{table}{text[end:]}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = [f"| {name} | {value:.2f} s |" for name, value in rows(options.runs, options.compile).items()]
    table = "\n".join(["| what | processor time |", "|---|---|", *lines]) + "\n"
    print(table, end="")
    if options.out:
        put(options.out, table)


if __name__ == "__main__":
    main()
