"""Products of a calibration from the files of its trials."""

from pathlib import Path

import numpy as np

from ..config import Config
from ..files import atomic
from . import plots, report
from .camera import bands_of
from .figures import bias_table, coverage_table, empty_table, joint_pit, uniform_ks
from .outcomes import read_outcomes, source_table
from .trial import KINDS, names_of

TITLES = {"isolated": "Isolated sources", "pairs": "Close pairs"}


def write_products(config: Config, paths, folder) -> str:
    """Write tables (FITS, ECSV), pictures and the page under `folder`; the tables as Markdown."""
    folder = Path(folder)
    names = names_of(bands_of(config))
    by_kind = {kind: [path for path in paths if path.parent.name == kind] for kind in KINDS}
    outcomes = {kind: read_outcomes(kind, names, some) for kind, some in by_kind.items()}
    outcomes = {kind: some for kind, some in outcomes.items() if some is not None}
    sections, pictures = {}, []
    for kind, some in outcomes.items():
        _write_table(folder / f"{kind}.fits", source_table(some))
        for heading, part in _sections(kind, some).items():
            sections[heading] = report.section(*part)
            suffix = "" if part[0] == "empty" else f"_{part[0]}"
            _write_table(folder / f"{kind}{suffix}.ecsv", part[1])
        pictures += _pictures(folder, kind, some)
    facts = _facts(config, outcomes)
    text = report.markdown("Calibration of the posterior", facts, sections)
    report.page(folder / "calibration.html", "Calibration of the posterior", facts, sections, pictures)
    with atomic(folder / "calibration.md") as temporary:
        temporary.write_text(text)
    return text


def _sections(kind, outcomes) -> dict:
    if kind == "empty":
        return {"Empty places": ("empty", empty_table(outcomes))}
    return {
        f"{TITLES[kind]}: coverage, pulls, ranks": ("coverage", coverage_table(outcomes)),
        f"{TITLES[kind]}: flux bias": ("bias", bias_table(outcomes)),
    }


def _pictures(folder, kind, outcomes) -> list[Path]:
    if kind == "empty":
        plots.plot_empty(folder / "empty.png", outcomes)
        return [folder / "empty.png"]
    drawn = {"pit": plots.plot_pit, "coverage": plots.plot_coverage, "bias": plots.plot_bias}
    made = {folder / f"{kind}_{name}.png": draw for name, draw in drawn.items()}
    for path, draw in made.items():
        draw(path, outcomes)
    return list(made)


def _facts(config: Config, outcomes) -> list[str]:
    """What was done, in sentences."""
    options, sample = config.calibrate, config.sample
    facts = [
        f"Seed {config.seed}; bands {', '.join(bands_of(config))}, {options.size} x {options.size} pixels of "
        f"{options.pixel_scale} arcsec, white noise.",
        f"Sampling: {sample.chains} chains of {sample.sampling_draws} draws after {sample.warmup}, run on "
        f"up to {sample.max_extensions} times until R-hat <= {sample.max_rhat:g} and {sample.min_ess:g} "
        f"effective samples; truth ranked among {options.draws} thinned draws.",
    ]
    for kind, some in outcomes.items():
        facts.append(_fact(kind, some))
    return facts


def _fact(kind, outcomes) -> str:
    calls = np.array([meta["ncall"] for meta in outcomes.meta])
    failed = sum(not meta["converged"] for meta in outcomes.meta)
    short = sum(not meta["summary"]["accepted"] for meta in outcomes.meta)
    text = f"{kind}: {len(outcomes.meta)} trials, {len(outcomes.truth)} sources, "
    if kind != "empty":
        best = outcomes.snr.max(axis=1)
        inside = np.sum((best >= 5) & (best <= 200))
        low, high = np.percentile(best, [1, 99])
        p = uniform_ks(joint_pit(outcomes, np.random.default_rng(0)))
        text += (
            f"S/N {low:.0f} to {high:.0f} (1% to 99%; {inside} within 5-200), joint rank test p = {p:.3f}, "
        )
    return text + (
        f"median {np.median(calls):.0f} likelihood calls; {failed} optima not converged, "
        f"{short} with chains below the limits (kept all the same)."
    )


def _write_table(path, table) -> None:
    with atomic(path) as temporary:
        if path.suffix == ".fits":
            table.write(temporary, format="fits", overwrite=True)
        else:
            table.write(temporary, format="ascii.ecsv", overwrite=True)
