"""Plots of single sources: their parameters as shown, ranks by chain, and corner plots."""

import numpy as np

from ...extras import require
from ...parameters import POSITION_COLS
from ..columns import continuous, quantities
from .style import COLOURS, TRUTH, figure, short

CELLS = 30  # of a corner plot, on each axis


def shown_quantities(bands, is_point: bool) -> list:
    """Quantities of a source's plots: no shapes for a point source; rhalf_major follows from the others."""
    return [q for q in quantities(bands) if q.name != "rhalf_major" and not (q.shape and is_point)]


def parameters_of(draws, bands, is_point: bool) -> dict[str, tuple[str, np.ndarray]]:
    """Draws of one source as shown in plots: name to (label with unit, (N,)).

    Positions are offsets from their median in mas on the sky, angles are unwrapped.
    """
    shown = {}
    for quantity in shown_quantities(bands, is_point):
        values = continuous(quantity, quantity.values(draws))
        label, unit = short(quantity.label, 30), quantity.unit
        if quantity.name in POSITION_COLS:
            values, unit = (values - np.median(values)) * mas(quantity, draws), "mas"
            label = f"Δ {label}"
        shown[quantity.name] = f"{label} ({unit})" if unit else label, values
    return shown


def true_values(truth, draws, bands, is_point: bool) -> dict[str, float]:
    """True values in the units of `parameters_of`, on the side of the draws where they wrap."""
    found = {}
    for quantity in shown_quantities(bands, is_point) if truth is not None else ():
        middle = np.median(continuous(quantity, quantity.values(draws)))
        delta = float(quantity.values(truth)) - middle
        if quantity.cyclic:
            period = 180.0 if quantity.angle else 360.0
            delta = np.mod(delta + period / 2, period) - period / 2
        position = quantity.name in POSITION_COLS
        found[quantity.name] = delta * mas(quantity, draws) if position else middle + delta
    return found


def mas(quantity, draws) -> float:
    """Milliarcseconds on the sky per degree of ra or dec."""
    return 3.6e6 * (np.cos(np.radians(np.median(draws["dec"]))) if quantity.name == "ra" else 1.0)


def draw_ranks(axis, chains) -> None:
    """Ranks of each chain's draws (chains, draws) among all, by ArviZ; even where chains agree.

    Vehtari et al. 2021, section 6.
    """
    import arviz

    colours = [COLOURS[number % len(COLOURS)] for number in range(len(chains))]
    arviz.plot_rank({"value": chains}, ax=axis, colors=colours, labels=False)
    axis.set(xlabel="", ylabel="", title="", yticks=[])
    axis.tick_params(labelsize=7)


def plot_corner(path, title: str, draws, bands, is_point: bool, truth=None):
    """Figure of one source, see `draw_corner`."""
    size = 1.15 * len(shown_quantities(bands, is_point)) + 1.0
    with figure(path, size, size, layout=None) as fig:
        draw_corner(fig, size, title, draws, bands, is_point, truth)
    return fig


def draw_corner(fig, inches: float, title: str, draws, bands, is_point: bool, truth=None) -> None:
    """Corner plot on a figure, `inches` wide: marginals with 16, 50, 84% and joint 39 and 86% contours.

    Histograms are smoothed by the width of Scott's rule (1992, eq. 6.42) for their number of draws.
    """
    require("corner plots", "corner")
    import corner

    shown = parameters_of(draws, bands, is_point)
    true = true_values(truth, draws, bands, is_point)
    values = np.stack([v for _, v in shown.values()], axis=-1)
    labels = [label.replace(", ", ",\n").replace(" (", "\n(") for label, _ in shown.values()]
    small = np.clip(inches / (1.15 * len(shown) + 1.0), 0.6, 1.0)  # of letters, where many share the width
    width = CELLS / 6.5  # cells per standard deviation: axes show some 6.5 of these
    corner.corner(
        values,
        fig=fig,
        labels=labels,
        range=[_span(values[:, i], true.get(name)) for i, name in enumerate(shown)],
        quantiles=(0.16, 0.5, 0.84),
        levels=(0.393, 0.865),  # 1 and 2 sigma of a two-dimensional Gaussian
        color=COLOURS[0],
        truths=[true.get(name) for name in shown] if true else None,
        truth_color=TRUTH,
        plot_datapoints=False,
        fill_contours=True,
        smooth=width * len(values) ** (-1 / 6),
        smooth1d=width * len(values) ** (-1 / 5),
        bins=CELLS,
        max_n_ticks=3,
        label_kwargs={"fontsize": 8 * small},
        labelpad=0.05,
    )
    for axis in fig.axes:
        axis.tick_params(labelsize=6.5 * small, width=0.8 * small, length=3.5 * small)
    margin = 1.05 * small / inches
    fig.subplots_adjust(left=margin, bottom=margin, right=0.99, top=0.985, wspace=0.06, hspace=0.06)
    lines = [short(title, 60), *(["orange: truth"] if true else []), ""]
    lines += ["median, and from there to 84% and 16%"]
    lines += [_result(label, v) for label, v in shown.values()]
    fig.text(0.98, 0.97, "\n".join(lines), ha="right", va="top", fontsize=9 * small, linespacing=1.5)


def _result(label: str, values) -> str:
    low, middle, high = np.percentile(values, (16, 50, 84))
    digits = max(0, 1 - int(np.floor(np.log10(max(high - low, 1e-12) / 2))))
    return f"{label} = {middle:.{digits}f}  +{high - middle:.{digits}f}  −{middle - low:.{digits}f}"


def _span(values, true=None) -> tuple[float, float]:
    """Range of an axis: four standard deviations, as far as the draws go, with a margin; and the truth."""
    middle, spread = np.median(values), np.std(values)
    low, high = max(values.min(), middle - 4 * spread), min(values.max(), middle + 4 * spread)
    if true is not None:
        low, high = min(low, true), max(high, true)
    margin = 0.15 * (high - low) or 1e-6
    return low - margin, high + margin
