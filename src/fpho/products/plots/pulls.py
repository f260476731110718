"""Plots of results against truth: pulls of every quantity, and recovered against true values."""

import numpy as np

from .style import COLOURS, MUTED, band_colours, figure, log_axis, short

CLIP = 6.0  # pulls beyond are drawn as triangles at the edge
RATIOS = 0.7, 1.3  # likewise of result / truth
SMALL = 1e-12


def plot_pulls(path, table, bands) -> None:
    """Pulls against S/N, one panel for each kind of quantity, each with its histogram and the unit Gaussian.

    table : as `fpho.products.comparison.compare` makes it.
    """
    kinds = {"flux": list(bands), "position": ["ra", "dec"], "half-light radius": ["rhalf"]}
    kinds |= {"Sersic index": ["sersic"], "axis ratio": ["axis_ratio"], "position angle": ["position_angle"]}
    colours = band_colours(bands) | {"ra": COLOURS[0], "dec": COLOURS[1]}
    with figure(path, 11.5, 6.2) as fig:
        outer = fig.add_gridspec(2, 3)
        for cell, (kind, names) in zip(outer, kinds.items(), strict=True):
            inner = cell.subgridspec(1, 2, width_ratios=[3.2, 1], wspace=0.02)
            axis = fig.add_subplot(inner[0])
            side = fig.add_subplot(inner[1], sharey=axis)
            _pull_panel(axis, side, table, names, colours)
            axis.set_title(kind)
        fig.supxlabel(
            "true S/N in the first band (open: blended group; square: not in the input catalog; "
            f"triangle at the edge: beyond {CLIP:g})",
            fontsize=9,
        )
        fig.supylabel("(result - truth) / uncertainty", fontsize=9)


def _pull_panel(axis, side, table, names, colours) -> None:
    axis.axhspan(-1, 1, color="0.90", lw=0)
    axis.axhspan(-3, 3, color="0.95", lw=0, zorder=0)
    axis.axhline(0, color=MUTED, lw=0.7)
    blended = np.char.startswith(np.asarray(table["id"]).astype(str), "group")
    missing = ~np.asarray(table["in_catalog"], bool)
    every = []
    for i, name in enumerate(names):
        pull = np.asarray(table[f"{name}_pull"], "f8")
        every.append(pull[np.isfinite(pull)])
        colour = colours.get(name, COLOURS[0])
        x = np.asarray(table["snr"]) * 1.03 ** (i - (len(names) - 1) / 2)
        for chosen, style in (
            (~blended & ~missing, {"marker": "o", "mfc": colour}),
            (blended, {"marker": "o", "mfc": "white"}),
            (missing, {"marker": "s", "mfc": colour}),
        ):
            _points(axis, x[chosen], pull[chosen], (-CLIP, CLIP), mec=colour, **style)
        axis.plot([], [], marker="o", ls="", ms=4, color=colour, label=short(name))
    if len(names) > 1:
        axis.legend(
            loc="upper left", ncols=len(names), handletextpad=0.1, columnspacing=0.8, borderaxespad=0.1
        )
    axis.set(ylim=(-CLIP, CLIP))
    log_axis(axis, "x")
    values = np.concatenate(every)
    bins = np.linspace(-CLIP, CLIP, 25)
    side.hist(np.clip(values, -CLIP + SMALL, CLIP - SMALL), bins, orientation="horizontal", color="0.75")
    grid = np.linspace(-CLIP, CLIP, 200)
    expected = len(values) * (bins[1] - bins[0]) * np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi)
    side.plot(expected, grid, color=COLOURS[0])
    side.tick_params(labelleft=False)
    side.set(xticks=[])
    if len(values):
        axis.text(
            0.98,
            0.02,
            ", ".join(f"{100 * np.mean(np.abs(values) < s):.0f}% in {s}" for s in (1, 3)) + " sigma",
            transform=axis.transAxes,
            ha="right",
            fontsize=7,
        )


def _points(axis, x, y, limits, **style) -> None:
    """Points; those beyond the limits as triangles at the edge that point outwards."""
    low, high = limits
    edge = 0.02 * (high - low)
    for chosen, marker, shown in (
        ((y >= low) & (y <= high), style.pop("marker"), y),
        (y < low, "v", np.full(len(y), low + edge)),
        (y > high, "^", np.full(len(y), high - edge)),
    ):
        axis.plot(x[chosen], shown[chosen], ls="", ms=4, marker=marker, **style)


def plot_recovery(path, table, bands) -> None:
    """Recovered against true fluxes, sizes, indices, axis ratios, with error bars; ratios below."""
    colours = band_colours(bands)
    panels = {
        "flux (nJy)": (list(bands), True, True),
        "half-light radius (arcsec)": (["rhalf"], True, True),
        "Sersic index": (["sersic"], True, True),
        "axis ratio": (["axis_ratio"], False, False),
    }
    with figure(path, 12.0, 4.3) as fig:
        grid = fig.subplots(2, 4, height_ratios=[2.4, 1], sharex="col")
        for (top, bottom), (title, (names, log, ratio)) in zip(grid.T, panels.items(), strict=True):
            for name in names:
                _recovery(top, bottom, table, name, colours.get(name, COLOURS[0]), ratio)
            _diagonal(top, log)
            bottom.axhline(1 if ratio else 0, color=MUTED, lw=0.7)
            bottom.set_xlabel(f"true {title}")
            if len(names) > 1:
                top.legend(loc="upper left")
        grid[0, 0].set_ylabel("result")
        grid[1, 0].set_ylabel("result / truth\n(triangles: beyond)")
        grid[1, 3].set_ylabel("result - truth")


def _recovery(top, bottom, table, name, colour, ratio: bool) -> None:
    true, value = np.asarray(table[f"{name}_true"]), np.asarray(table[name])
    error = np.asarray(table[f"{name}_err"])
    style = {"fmt": "o", "ms": 3, "lw": 0.8, "color": colour}
    top.errorbar(true, value, error, label=short(name), **style)
    if ratio:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio, width = value / true, error / true
        inside = (ratio >= RATIOS[0]) & (ratio <= RATIOS[1])
        bottom.errorbar(true[inside], ratio[inside], width[inside], **style)
        _points(bottom, true[~inside], ratio[~inside], RATIOS, marker="o", color=colour)
        bottom.set_ylim(*RATIOS)
    else:
        bottom.errorbar(true, value - true, error, **style)


def _diagonal(axis, log: bool) -> None:
    if log:
        log_axis(axis, "x", "y")
    low = max(min(axis.get_xlim()[0], axis.get_ylim()[0]), 1e-3 if log else -np.inf)
    high = max(axis.get_xlim()[1], axis.get_ylim()[1])
    axis.plot([low, high], [low, high], color=MUTED, lw=0.7, zorder=0, scalex=False, scaley=False)


def plot_background(path, background) -> None:
    """Fitted and true background of each image."""
    place = np.arange(len(background))
    with figure(path, 1.2 + 0.55 * len(background), 3.4) as fig:
        axis = fig.subplots()
        axis.errorbar(
            place,
            np.asarray(background["constant"]),
            np.asarray(background["error"]),
            fmt="o",
            ms=4,
            color=COLOURS[0],
            label="fitted",
        )
        axis.hlines(
            np.asarray(background["true"]), place - 0.35, place + 0.35, color=COLOURS[5], label="truth"
        )
        axis.axhline(0, color=MUTED, lw=0.6)
        axis.set_xticks(place, [short(name, 30) for name in background["exposure"]], rotation=45, ha="right")
        axis.set(ylabel="background (nJy per pixel)")
        axis.legend()
