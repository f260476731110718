"""Products of an injection: tables, a picture, a page."""

from pathlib import Path

import numpy as np

from ..calibrate.report import markdown, page
from ..files import atomic, write_text
from .tables import binned

COLUMNS = (
    "band", "by", "from", "to", "n", "found", "completeness", "bias", "pull_mean", "pull_sd", "size",
)  # fmt: skip
NOTE = (
    "Sources within the images. bias: median of flux / truth - 1; pulls: (flux - truth) / error; size: "
    "median of half-light radius / truth; by AB magnitude and by true half-light radius (arcsec)."
)


def write_report(folder, table, bands, options, stages) -> str:
    """Write injection.ecsv, summary.ecsv, injection.png, .md and .html under `folder`; the Markdown."""
    folder = Path(folder)
    summary = binned(table, bands, options)
    for name, one in (("injection", table), ("summary", summary)):
        with atomic(folder / f"{name}.ecsv") as temporary:
            one.write(temporary, format="ascii.ecsv", overwrite=True)
    plot(folder / "injection.png", table, bands)
    inside = np.asarray(table["in_images"])
    facts = [
        f"{len(table)} sources injected, {inside.sum()} within the images, "
        f"{np.sum(np.asarray(table['found']) & inside)} found within {options.match_radius:g} arcsec "
        f"with S/N >= {options.min_snr:g} in a band.",
        "Drawn through the images of the PSF table; "
        + ("listed in the peak catalog." if options.listed else "not listed: only detection may find them."),
        f"Stages: {', '.join(stages)}.",
    ]
    sections = {"By magnitude and size": (COLUMNS, NOTE, summary)}
    text = markdown("Injected sources", facts, sections)
    write_text(folder / "injection.md", text)
    page(folder / "injection.html", "Injected sources", facts, sections, [folder / "injection.png"])
    return text


def plot(path, table, bands) -> None:
    """Flux bias by magnitude and distribution of pulls, a row for each band."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.6 * len(bands)), layout="constrained")
    axes = figure.subplots(len(bands), 2, squeeze=False)
    found = table[np.asarray(table["found"]) & np.asarray(table["in_images"])]
    lost = table[~np.asarray(table["found"]) & np.asarray(table["in_images"])]
    for (left, right), band in zip(axes, bands, strict=True):
        error = found[f"{band}_err"] / found[f"{band}_true"]
        left.errorbar(found[f"{band}_mag"], found[f"{band}_bias"], error, fmt=".", ms=4, lw=0.6)
        left.plot(lost[f"{band}_mag"], np.zeros(len(lost)), "x", color="tab:red", ms=5, label="not found")
        left.axhline(0, color="k", lw=0.8)
        left.set(xlabel=f"{band} (AB)", ylabel="flux / truth - 1", ylim=(-1, 1))
        pulls = np.asarray(found[f"{band}_pull"], "f8")
        right.hist(pulls[np.isfinite(pulls)], np.linspace(-5, 5, 31), color="tab:blue", alpha=0.8)
        right.set(xlabel=f"{band}: (flux - truth) / error", ylabel="sources")
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=90)
