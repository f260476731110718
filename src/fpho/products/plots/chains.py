"""Chain plots (trace and histogram of every parameter) and corner plots of single sources."""

import numpy as np

from ...parameters import POSITION_COLS
from ..columns import continuous, quantities
from .style import COLOURS, TRUTH, figure, short


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
        label, unit = short(quantity.name, 24), quantity.unit
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


def plot_chains(path, title: str, draws, bands, is_point: bool, n_chains: int, truth=None) -> None:
    """Trace of each parameter by chain, with its histogram at the right.

    draws : structured (N,), chain after chain. truth : structured row like `draws`, or None.
    """
    shown = parameters_of(draws, bands, is_point)
    true = true_values(truth, draws, bands, is_point)
    height = 0.95 * len(shown) + 0.8
    margins = {"left": 0.17, "right": 0.99, "bottom": 0.45 / height, "top": 1 - 0.35 / height}
    # fixed margins: a constrained layout of so many axes takes longer than the drawing
    with figure(path, 8.2, height, layout=None) as fig:
        grid = fig.subplots(len(shown), 2, squeeze=False, width_ratios=[4, 1], sharey="row")
        fig.subplots_adjust(**margins, wspace=0.03, hspace=0.18)
        for (name, (label, values)), (trace, marginal) in zip(shown.items(), grid, strict=True):
            for number, chain in enumerate(np.array_split(values, n_chains)):
                colour = COLOURS[number % len(COLOURS)]
                trace.plot(chain, lw=0.5, color=colour, alpha=0.8)
                marginal.hist(chain, 30, orientation="horizontal", histtype="step", color=colour, lw=0.9)
            for axis in (trace, marginal):
                if name in true:
                    axis.axhline(true[name], color="black", lw=1.0, ls="--")
                axis.tick_params(labelbottom=axis is trace and axis is grid[-1, 0])
            trace.set_ylabel(label.replace(" (", "\n("), rotation=0, ha="right", va="center")
            trace.margins(x=0)
            marginal.set(xticks=[])
            trace.yaxis.set_label_coords(-0.09, 0.5)
        grid[-1, 0].set_xlabel("draw")
        fig.suptitle(title + (", dashed: truth" if true else ""), fontsize=10, y=1 - 0.12 / height)


def plot_corner(path, title: str, draws, bands, is_point: bool, truth=None) -> None:
    """Corner plot of one source: marginals with 16, 50, 84% and joint 39 and 86% contours."""
    import corner

    shown = parameters_of(draws, bands, is_point)
    true = true_values(truth, draws, bands, is_point)
    values = np.stack([v for _, v in shown.values()], axis=-1)
    labels = [label.replace(" (", "\n(") for label, _ in shown.values()]
    size = 1.15 * len(shown) + 1.0
    with figure(path, size, size, layout=None) as fig:
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
            smooth=1.0,
            bins=24,
            max_n_ticks=3,
            label_kwargs={"fontsize": 8},
            labelpad=0.05,
        )
        for axis in fig.axes:
            axis.tick_params(labelsize=6.5)
        margin = 0.95 / size
        fig.subplots_adjust(left=margin, bottom=margin, right=0.99, top=0.985, wspace=0.06, hspace=0.06)
        lines = [_result(label, v) for label, v in shown.values()]
        fig.text(
            0.98, 0.97, "\n".join([title, "", *lines]), ha="right", va="top", fontsize=9, linespacing=1.5
        )


def _result(label: str, values) -> str:
    low, middle, high = np.percentile(values, (16, 50, 84))
    digits = max(0, 1 - int(np.floor(np.log10(max(high - low, 1e-12) / 2))))
    return f"{label} = {middle:.{digits}f}  +{high - middle:.{digits}f}  −{middle - low:.{digits}f}"


def _span(values, true=None) -> tuple[float, float]:
    """Range of an axis: the inner 99.6% of the draws with a margin, and the truth."""
    low, high = np.percentile(values, (0.2, 99.8))
    if true is not None:
        low, high = min(low, true), max(high, true)
    margin = 0.05 * (high - low) or 1e-6
    return low - margin, high + margin
