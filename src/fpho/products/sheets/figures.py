"""The two pages of a sheet: values in, a matplotlib Figure out (or a file, see `plots.style.figure`)."""

import numpy as np

from ...sampling.diagnostics import bulk_ess, rhat, tail_ess
from ..plots.chains import draw_corner, draw_ranks, parameters_of
from ..plots.colour import about_grey, colours, layers_of
from ..plots.marks import mark_sources
from ..plots.panels import bar_options, picture_row
from ..plots.style import OTHERS, figure, hide_axes, short
from .panels import draw_fluxes, draw_growth, draw_profiles, lines_of
from .values import Sheet

WIDTH = 8.3  # inches, of A4
ROW, PLOTS, TEXT = 2.05, 2.7, 0.155  # inches, of a line of images, of the plots below, of a line of text
MOST_BANDS = 12  # whose images are shown


def picture_page(sheet: Sheet, path=None):
    """Data, model and residual in each band, colour, profile, growth, fluxes, flags in words."""
    bands = [band for band in sheet.bands if band in sheet.views][:MOST_BANDS]
    in_colour = len(bands) > 1
    lines, rows = lines_of(sheet), len(bands) + in_colour
    heights = [0.35 + TEXT * len(lines), max(ROW * rows, 0.1), PLOTS]
    with figure(path, WIDTH, sum(heights)) as fig:
        head, images, plots = fig.subfigures(3, 1, height_ratios=heights)
        title = {"fontsize": 11, "va": "top", "weight": "bold"}
        head.text(0.02, 1 - 0.08 / heights[0], short(f"source {sheet.name}", 80), **title)
        text = {"fontsize": 7.5, "va": "top", "linespacing": 1.35}
        head.text(0.02, 1 - 0.31 / heights[0], "\n".join(lines), **text)
        if rows:
            _draw_images(images, images.add_gridspec(rows, 3), sheet, bands, in_colour)
        draws = (draw_profiles, draw_growth, draw_fluxes)
        for axis, draw in zip(plots.subplots(1, 3), draws, strict=True):
            draw(axis, sheet)
            for label in (axis.xaxis.label, axis.yaxis.label):
                label.set_size(7.5)
            axis.tick_params(labelsize=7)
    return fig


def _draw_images(fig, grid, sheet: Sheet, bands, in_colour: bool) -> None:
    own = sheet.near["source_index"] == sheet.row["source_index"]
    residuals, pull = [], None
    for line, band in enumerate(bands):
        picture = sheet.views[band].picture
        axes, _, pull = picture_row(fig, grid, line, picture, sheet.near[own], inches=2.0)
        mark_sources(axes[1], sheet.near[~own], picture.wcs, picture.data.shape, labels=False, colour=OTHERS)
        count = sheet.images.get(band, 1)
        title = f"{short(band, 16)}: {short(picture.id, 26)}" + (
            f", 1 of {count} images" if count > 1 else ""
        )
        axes[0].set_title(title, fontsize=6.5, loc="left")  # beside the numbers of its axis, not over them
        for axis, text in zip(axes[1:], ("model", "residual / sigma"), strict=True):
            axis.set_title(text, fontsize=6.5)
        residuals.append(axes[2])
    if in_colour:
        residuals.append(_draw_in_colour(fig, grid, sheet, bands))  # below the others: the bar is beside all
    fig.colorbar(pull, ax=residuals, extend="both", **bar_options(1 / len(residuals)))


def _draw_in_colour(fig, grid, sheet: Sheet, bands):
    """Data, model and residual; the axes of the last."""
    pictures = [sheet.views[band].picture for band in bands]
    for column, (layer, paint) in enumerate(
        {"data": colours, "model": colours, "residual": about_grey}.items()
    ):
        axis = fig.add_subplot(grid[len(bands), column])
        axis.imshow(paint(layers_of(pictures, layer, pictures[0])))
        axis.set_title(f"{layer} in colour" if column else f"red, green, blue: {_rgb(bands)}", fontsize=6.5)
        hide_axes(axis)
    return axis


def _rgb(bands) -> str:
    middle = bands[len(bands) // 2] if len(bands) > 2 else "mean"
    return ", ".join(short(band, 12) for band in (bands[-1], middle, bands[0]))


def posterior_page(sheet: Sheet, path=None):
    """Corner plot of the physical parameters; ranks by chain with R-hat and effective sample size."""
    point = bool(sheet.row["is_point"])
    shown = parameters_of(sheet.draws, sheet.bands, point)
    columns = min(6, len(shown))
    rows = -(-len(shown) // columns)
    with figure(path, WIDTH, 8.6 + 1.25 * rows, layout=None) as fig:
        upper, lower = fig.subfigures(2, 1, height_ratios=[8.6, 1.25 * rows])
        draw_corner(upper, WIDTH, f"source {sheet.name}", sheet.draws, sheet.bands, point, sheet.truth)
        grid = lower.subplots(rows, columns, squeeze=False)
        lower.subplots_adjust(
            left=0.03, right=0.985, top=1 - 0.42 / rows, bottom=0.12 / rows, hspace=0.75, wspace=0.12
        )
        note = "ranks of each chain's draws among all: even where the chains agree (Vehtari et al. 2021)"
        lower.text(0.03, 0.985, note, fontsize=7.5, va="top")
        for axis in grid.ravel()[len(shown) :]:
            axis.set_axis_off()
        for axis, (label, values) in zip(grid.ravel(), shown.values(), strict=False):
            chains = values.reshape(max(sheet.chains, 1), -1)
            draw_ranks(axis, chains)
            axis.set_xticks([])
            axis.set_title(f"{short(label.partition(' (')[0], 22)}\n{_mixing(chains)}", fontsize=6)
    return fig


def _mixing(chains) -> str:
    if chains.shape[1] < 4 or np.ptp(chains) == 0:
        return "held fixed" if np.ptp(chains) == 0 else ""
    stacked = chains[..., None]
    size = min(float(bulk_ess(stacked)[0]), float(tail_ess(stacked)[0]))
    return f"R-hat {float(rhat(stacked)[0]):.3f}, ESS {size:.0f}"
