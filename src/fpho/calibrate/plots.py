"""Pictures of a calibration (PNG): histograms of ranks, coverage, pulls and flux bias by S/N."""

import numpy as np

from ..files import atomic
from .figures import RANK_BINS, covered, joint_pit
from .outcomes import Outcomes


def plot_pit(path, outcomes: Outcomes) -> None:
    """Histograms of the ranks of each quantity, with the band that holds 95% of uniform ones."""
    from scipy.stats import binom

    figure, axes = _grid(len(outcomes.names) + 1)
    joint = joint_pit(outcomes, np.random.default_rng(0))
    panels = [*zip(outcomes.names, outcomes.pit.T, strict=True), ("all, jointly (TARP)", joint)]
    bins = min(RANK_BINS, max(2, len(outcomes.truth) // 5))
    for ax, (name, pit) in zip(axes, panels, strict=False):
        low, high = binom.ppf([0.025, 0.975], len(pit), 1 / bins)
        ax.axhspan(low, high, color="0.9")
        ax.axhline(len(pit) / bins, color="0.5", lw=0.8)
        ax.hist(pit, bins, range=(0, 1), color="tab:blue", histtype="stepfilled", alpha=0.8)
        ax.set_title(name, fontsize=9)
        ax.set_xlim(0, 1)
    _save(path, figure, f"{outcomes.kind}: rank of the truth among the draws, {len(joint)} sources")


def plot_coverage(path, outcomes: Outcomes) -> None:
    """Share of truths inside central intervals, minus the interval's level."""
    figure, axes = _grid(2, columns=2)
    level = np.linspace(0.01, 0.99, 99)
    n = len(outcomes.truth)
    for inside, name in zip(covered(outcomes, level).mean(axis=0), outcomes.names, strict=True):
        axes[0].plot(level, inside - level, lw=1, label=name)
    band = 2 * np.sqrt(level * (1 - level) / n)
    axes[0].fill_between(level, -band, band, color="0.9")
    axes[0].set(xlabel="level of the central interval", ylabel="coverage - level")
    axes[0].legend(fontsize=6, ncol=2)
    grid = np.linspace(-4, 4, 33)
    axes[1].hist(outcomes.pulls.ravel(), grid, density=True, color="tab:blue", alpha=0.8)
    axes[1].plot(grid, np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi), color="k", lw=1)
    axes[1].set(xlabel="(mean of draws - truth) / sd of draws", ylabel="density, all quantities")
    _save(path, figure, f"{outcomes.kind}: coverage and pulls, {n} sources")


def plot_bias(path, outcomes: Outcomes) -> None:
    """Relative error of each flux by its S/N."""
    figure, axes = _grid(outcomes.n_bands, columns=outcomes.n_bands)
    for b, ax in enumerate(axes[: outcomes.n_bands]):
        relative = outcomes.mean[:, b] / outcomes.truth[:, b] - 1
        error = outcomes.sd[:, b] / abs(outcomes.truth[:, b])
        ax.errorbar(outcomes.snr[:, b], relative, error, fmt=".", ms=2, lw=0.4, color="tab:blue")
        ax.axhline(0, color="k", lw=0.8)
        ax.set(
            xscale="log", xlabel=f"S/N in {outcomes.names[b]}", ylabel="flux / truth - 1", ylim=(-0.6, 0.6)
        )
    _save(path, figure, f"{outcomes.kind}: fluxes (mean and sd of the draws)")


def plot_empty(path, outcomes: Outcomes) -> None:
    """Flux over its error at empty places."""
    figure, axes = _grid(2, columns=2)
    bands = slice(0, outcomes.n_bands)
    panels = {
        "draws": outcomes.mean[:, bands] / outcomes.sd[:, bands],
        "optimum": outcomes.optimum[:, bands] / outcomes.optimum_flux_err,
    }
    grid = np.linspace(-5, 5, 41)
    for ax, (name, values) in zip(axes, panels.items(), strict=False):
        ax.hist(values.ravel(), grid, density=True, color="tab:blue", alpha=0.8)
        ax.plot(grid, np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi), color="k", lw=1)
        ax.set(xlabel="flux / error", title=f"{name}: {values.mean():+.3f} ± {values.std():.3f}")
    _save(path, figure, f"empty places: {len(outcomes.truth)} placements")


def _grid(panels: int, columns: int = 5):
    from matplotlib.figure import Figure

    columns = min(columns, panels)
    rows = -(-panels // columns)
    figure = Figure(
        figsize=(2.2 * columns if columns > 2 else 4.4 * columns, 2.1 * rows + 1), layout="constrained"
    )
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[panels:]:
        ax.set_visible(False)
    for ax in axes:
        ax.tick_params(labelsize=7)
    return figure, axes


def _save(path, figure, title: str) -> None:
    figure.suptitle(title, fontsize=10)
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=90)
