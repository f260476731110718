"""Products of simulated fields: tables (ECSV, Markdown), a page and pictures."""

from pathlib import Path

import numpy as np

from ..files import atomic, write_text
from . import fieldfigures as figures
from . import report

COVERAGE = (
    "quantity", "from", "to", "n", "cover68", "cover95", "pull_mean", "pull_sd", "ratio", "beyond",
)  # fmt: skip
NOTES = {
    "measured": "Sources without flags, by flux / error of the catalog (positions and shapes: of all bands). "
    "Limits: 68% intervals cover 65-71%, 95% ones 93-97%, |mean pull| < 0.1, sd 0.9-1.1, median flux ratio "
    "within 5, 4, 2, 1, 0.5%, fewer than 0.3% beyond 5 sigma. Pulls: (mean - truth) / sd of the draws. "
    "excess: how far the worst of coverage and pulls is beyond its limits, in standard errors.",
    "true": "The same by true S/N. Faint sources that are found are those lifted by noise: a bias is right.",
    "flagged": "Sources with flags, by measured S/N.",
    "bright": "Flagged or not. Of galaxies that no Sersic profile describes colours should be within their "
    "68% interval in 60-75% of cases, sizes and total fluxes in 55-80%.",
    "optimum": "Pulls of the optimum's fluxes, without flags, by its flux / error; wanted: sd at most 1.15. "
    "In the last row are fluxes that were drawn and listed as S/N > 3 in a band and came out fainter.",
    "property": "All sources that were found, flagged or not.",
    "flags": "share: of the sources that were found; share_bright: of those with S/N > 10; wrong: how many "
    "of its sources have a flux or position off by more than 3 sigma; found_wrong: how many of all such.",
    "completeness": "True sources within 0.25 arcsec of one in the catalog, by S/N of the best band.",
    "morphology": "Relative errors by true S/N of the best band: median, half of the width from 16 to 84%, "
    "share beyond 50%.",
}


def sections_of(table) -> dict:
    """Heading to (names of columns, note, table)."""
    met = (*COVERAGE, "met", "excess")
    flags = ("flag", "n", "share", "share_bright", "wrong", "found_wrong")
    sections = {
        "By measured S/N": (met, NOTES["measured"], figures.by_snr(table)),
        "By true S/N": (COVERAGE, NOTES["true"], figures.by_snr(table, true=True)),
        "With flags, by measured S/N": (COVERAGE, NOTES["flagged"], figures.by_snr(table, flagged=True)),
        "Galaxies of S/N 20 to 500": (
            ("quantity", *COVERAGE[3:]),
            NOTES["bright"],
            figures.bright_galaxies(table),
        ),
        "The optimum": (
            ("from", "to", "n", "pull_mean", "pull_sd"),
            NOTES["optimum"],
            figures.optimum_pulls(table),
        ),
        "Flags": (flags, NOTES["flags"], figures.by_flag(table)),
        "Completeness": (
            ("from", "to", "n", "completeness"),
            NOTES["completeness"],
            figures.completeness(table),
        ),
    }
    for name, column, edges in (
        ("distance to the nearest neighbour (arcsec)", "neighbour", figures.NEIGHBOUR_EDGES),
        ("true half-light radius (arcsec)", "rhalf_true", figures.SIZE_EDGES),
    ):
        rows = figures.by_property(table, column, edges)
        sections[f"By {name}"] = (COVERAGE, NOTES["property"], rows)
    head = ("quantity", "from", "to", "n", "bias", "dispersion", "outliers")
    return sections | {"Bias, dispersion, outliers": (head, NOTES["morphology"], figures.morphology(table))}


def write_products(tables, facts, folder) -> str:
    """Write fields.fits (all sources), tables, pictures and the page under `folder`; the Markdown."""
    from astropy.table import vstack

    folder = Path(folder)
    whole = vstack(list(tables), metadata_conflicts="silent")
    whole.meta["SPURIOUS"] = sum(table.meta["SPURIOUS"] for table in tables)
    with atomic(folder / "fields.fits") as temporary:
        whole.write(temporary, format="fits", overwrite=True)
    facts = [
        *facts,
        f"{len(whole)} sources in {len(tables)} fields, {int(np.sum(whole['found']))} found; "
        f"purity {figures.purity(whole):.3f}.",
    ]
    sections = sections_of(whole)
    for heading, (_, _, rows) in sections.items():
        name = "".join(letter if letter.isalnum() else "_" for letter in heading.lower()).strip("_")
        with atomic(folder / f"{name}.ecsv") as temporary:
            rows.write(temporary, format="ascii.ecsv", overwrite=True)
    plot(folder / "fields.png", whole)
    text = report.markdown("Calibration in fields", facts, sections)
    report.page(folder / "fields.html", "Calibration in fields", facts, sections, [folder / "fields.png"])
    write_text(folder / "fields.md", text)
    return text


def plot(path, table) -> None:
    """Pulls by measured S/N, flagged sources apart, a panel for each kind of quantity."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    flagged = figures.is_flagged(table)
    for ax, group in zip(figure.subplots(2, 2).ravel(), figures.GROUPS, strict=True):
        values = figures.measured(table, group)
        snr = np.clip(values.snr, 1, None)
        for use, color, label in ((flagged, "#D55E00", "with flags"), (~flagged, "#0072B2", "without")):
            some = use[values.row]
            ax.plot(snr[some], np.clip(values.pull[some], -8, 8), ".", ms=3, color=color, label=label)
        for low, high in zip(figures.SNR_EDGES[:-1], figures.SNR_EDGES[1:], strict=True):
            use = ~flagged[values.row] & (snr >= low) & (snr < high)
            if use.sum() > 5:
                middle, spread = values.pull[use].mean(), values.pull[use].std()
                x = np.median(snr[use])
                ax.errorbar([x], [middle], [spread], fmt="ko", capsize=4, ms=4)
        ax.axhspan(-1, 1, color="0.92", zorder=0)
        ax.axhline(0, color="0.4", lw=0.8)
        ax.set(
            xscale="log", xlabel="measured S/N", ylabel=f"{group}: (value - truth) / error", ylim=(-8.5, 8.5)
        )
        if not len(snr):  # clumpy galaxies have no index; an axis of logarithms needs something on it
            ax.set_xlim(1, 1000)
            ax.text(30, 2, "no truth to compare with", ha="center", color="0.4")
    figure.axes[0].legend(fontsize=8, loc="upper left")
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=100)
