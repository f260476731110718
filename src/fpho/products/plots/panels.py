"""Data, model and residual side by side: of whole exposures and of patches."""

import numpy as np

from ...geometry import linearize
from ..picture import Picture
from .marks import compass_and_scale, mark_sources
from .sky import sky_axes
from .style import (
    COLOURS,
    DATA_MAP,
    OTHERS,
    RESIDUAL_MAP,
    RESIDUAL_RANGE,
    WIDEST,
    figure,
    grey_bar,
    grey_norm,
    headline,
    hide_axes,
    log_axis,
    short,
    with_blank,
)

BEYOND = 6.0  # sigma; residuals beyond are counted in the outermost bins of the histogram
TITLES = ("data", "model, half-light ellipses", "data − model")


def plot_exposure(path, picture: Picture, rows) -> None:
    """One exposure: data, model with half-light ellipses, residual in sigma with its histogram."""
    small = picture.thinned(WIDEST)
    ny, nx = small.data.shape
    with figure(path, 14.0, 3.0 * ny / nx + 1.0) as fig:
        grid = fig.add_gridspec(1, 4, width_ratios=[1, 1, 1, 0.62])
        axes, greys, pull = picture_row(fig, grid, 0, small, rows)
        grey_bar(fig, greys, ax=axes[:2], label="flux / sigma of a pixel", **bar_options())
        fig.colorbar(pull, ax=axes[2], label="residual / sigma", extend="both", **bar_options())
        residual_histogram(fig.add_subplot(grid[0, 3]), picture.pull)
        for axis, title in zip(axes, TITLES, strict=True):
            axis.set_title(title)
        headline(fig, f"{short(picture.id)}  ({short(picture.band)}, {picture.kind})")


def plot_patch(path, title: str, pictures, rows, active, max_rows: int = 8):
    """A patch: one line of panels for each exposure; active sources are labelled; the figure.

    pictures : cut-outs of the patch (see `around`), of which the first `max_rows` are drawn.
    rows : all sources near the patch (scene rows). active : source indices that the patch fitted.
    """
    shown = pictures[:max_rows]
    if not shown:
        return None
    left_out = len(pictures) - len(shown)
    mine = np.isin(rows["source_index"], active)
    with figure(path, 8.6, 2.55 * len(shown) + 1.0) as fig:
        grid = fig.add_gridspec(len(shown), 3)
        every = []
        for line, picture in enumerate(shown):
            axes, _, pull = picture_row(fig, grid, line, picture, rows[mine], inches=2.2)
            shape = picture.data.shape
            mark_sources(axes[1], rows[~mine], picture.wcs, shape, labels=False, colour=OTHERS)
            axes[0].set_title(short(picture.id, 30) if picture is not shown[0] else "", fontsize=8)
            every.append(axes)
        for axis, name in zip(every[0], (short(shown[0].id, 30), *TITLES[1:]), strict=True):
            axis.set_title(name, fontsize=8)
        bars = np.array(every)
        fig.colorbar(
            pull,
            ax=list(bars[:, 2]),
            label="residual / sigma",
            extend="both",
            **bar_options(min(1, 2.2 / len(shown))),
        )
        note = f", {left_out} more images not shown" if left_out else ""
        others = "; blue: sources of other patches" if _any_within(shown, rows[~mine]) else ""
        headline(fig, f"{title}{note}{others}")
    return fig


def _any_within(pictures, rows) -> bool:
    """Whether any of these sources lies in one of the pictures."""
    for picture in pictures:
        xy, _ = linearize(picture.wcs, rows["ra"], rows["dec"])
        ny, nx = picture.data.shape
        if np.any((xy > -0.5).all(axis=1) & (xy[:, 0] < nx - 0.5) & (xy[:, 1] < ny - 0.5)):
            return True
    return False


def around(picture: Picture, region) -> Picture | None:
    """The part of a picture within a region's radius; None where they do not meet."""
    xy, scale = linearize(picture.wcs, np.array([region.ra]), np.array([region.dec]))
    if not np.isfinite(xy).all():
        return None
    part = picture.cut(xy[0], region.radius * np.sqrt(abs(np.linalg.det(scale[0]))))
    return part if min(part.data.shape) >= 4 and part.good.any() else None


def residual_histogram(axes, pull) -> None:
    """Histogram of residuals in sigma over the unit Gaussian, logarithmic; what lies beyond is counted."""
    values = pull[np.isfinite(pull)]
    bins = np.linspace(-BEYOND, BEYOND, 61)
    inner = np.clip(values, -BEYOND + 0.01, BEYOND - 0.01)
    axes.hist(inner, bins, histtype="stepfilled", color="0.75")
    normal = np.exp(-0.5 * bins**2) / np.sqrt(2 * np.pi)
    axes.plot(bins, normal * len(values) * (bins[1] - bins[0]), color=COLOURS[0], lw=1.2)
    axes.set(xlim=(-BEYOND, BEYOND), ylim=(0.5, 20.0 * max(len(values), 10)))
    axes.set(xlabel="residual / sigma", ylabel="number of pixels")
    log_axis(axes, "y")
    beyond = np.sum(np.abs(values) > BEYOND)
    lines = [
        f"chi² per pixel {np.mean(values**2):.3f}",
        f"mean {values.mean():+.3f}",
        f"{len(values)} pixels",
    ]
    lines.append(f"{beyond or 'none'} beyond ±{BEYOND:g}{' (outermost bins)' if beyond else ''}")
    lines.append("line: Gaussian of width 1")
    axes.text(0.04, 0.98, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=7)


def picture_row(fig, grid, line: int, picture: Picture, rows, inches: float = 3.0):
    """Data, model and residual in a line of a grid; (axes, image of the greys, image of the residual).

    Data and model share one stretch; the data's axes are ticked in RA and Dec.
    """
    shape, norm = picture.data.shape, grey_norm(picture.shown, picture.noise)
    axes = [sky_axes(fig, grid[line, 0], picture.wcs, shape)]
    axes += [fig.add_subplot(grid[line, column]) for column in (1, 2)]
    axes[0].imshow(picture.shown / picture.noise, cmap=with_blank(DATA_MAP), norm=norm)
    greys = axes[1].imshow(picture.model / picture.noise, cmap=with_blank(DATA_MAP), norm=norm)
    pull = axes[2].imshow(
        picture.pull, cmap=with_blank(RESIDUAL_MAP), vmin=-RESIDUAL_RANGE, vmax=RESIDUAL_RANGE
    )
    mark_sources(axes[1], rows, picture.wcs, shape, inches=inches)
    for axis in axes:
        axis.set(xlim=(-0.5, shape[1] - 0.5), ylim=(-0.5, shape[0] - 0.5))
    for axis in axes[1:]:
        hide_axes(axis)
    compass_and_scale(axes[0], picture.wcs, shape)
    return axes, greys, pull


def bar_options(shrink: float = 0.85) -> dict:
    """Keywords of a colour bar that is `shrink` of its axes high."""
    return {"shrink": shrink, "pad": 0.01, "aspect": 30}
