"""Data, model and residual side by side: of whole exposures, of patches, and as one colour picture."""

import numpy as np

from ...geometry import linearize
from ..picture import Picture
from .marks import compass_and_scale, mark_sources
from .style import DATA_MAP, RESIDUAL_MAP, RESIDUAL_RANGE, data_limits, figure, hide_axes, short, stretched


def plot_exposure(path, picture: Picture, rows) -> None:
    """One exposure: data, model with half-light ellipses, residual in sigma with its histogram."""
    ny, nx = picture.data.shape
    height = 3.4 * ny / nx + 0.55
    with figure(path, 13.6, height) as fig:
        axes = fig.subplots(1, 4, width_ratios=[1, 1, 1, 0.62])
        image = _row(axes[:3], picture, rows, labels=True)
        compass_and_scale(axes[0], picture.wcs, picture.data.shape)
        fig.colorbar(image, ax=axes[2], shrink=0.85, pad=0.02, label="residual / sigma", extend="both")
        residual_histogram(axes[3], picture.pull)
        for axis, title in zip(axes, ("data", "model", "residual", "residuals"), strict=False):
            axis.set_title(title)
        fig.suptitle(f"{short(picture.id)}  ({short(picture.band)}, {picture.kind})", fontsize=10)


def plot_patch(path, title: str, pictures, rows, active, max_rows: int = 8) -> None:
    """A patch: one line of panels for each exposure; active sources are labelled.

    pictures : cut-outs of the patch (see `around`), of which the first `max_rows` are drawn.
    rows : all sources near the patch (scene rows). active : source indices that the patch fitted.
    """
    pictures = pictures[:max_rows]
    if not pictures:
        return
    mine = np.isin(rows["source_index"], active)
    with figure(path, 7.4, 2.15 * len(pictures) + 0.5) as fig:
        grid = fig.subplots(len(pictures), 3, squeeze=False)
        for axes, picture in zip(grid, pictures, strict=True):
            image = _row(axes, picture, rows[mine], labels=True)
            for axis in axes[1:]:
                mark_sources(axis, rows[~mine], picture.wcs, picture.data.shape, labels=False, colour="0.5")
            axes[0].set_ylabel(short(picture.id, 24))
        for axis, name in zip(grid[0], ("data", "model", "residual"), strict=True):
            axis.set_title(name)
        compass_and_scale(grid[0, 0], pictures[0].wcs, pictures[0].data.shape)
        fig.colorbar(
            image, ax=grid, shrink=min(1.0, 2.2 / len(pictures)), label="residual / sigma", extend="both"
        )
        fig.suptitle(title, fontsize=10)


def around(picture: Picture, region) -> Picture | None:
    """The part of a picture within a region's radius; None where they do not meet."""
    xy, scale = linearize(picture.wcs, np.array([region.ra]), np.array([region.dec]))
    if not np.isfinite(xy).all():
        return None
    part = picture.cut(xy[0], region.radius * np.sqrt(abs(np.linalg.det(scale[0]))))
    return part if min(part.data.shape) >= 4 and part.good.any() else None


def _row(axes, picture: Picture, rows, labels: bool):
    """Data, model and residual on three axes; the residual's image is returned for a colour bar."""
    noise, limits = picture.noise, data_limits(picture.shown, picture.noise)
    shape = picture.data.shape
    axes[0].imshow(stretched(picture.shown, noise), cmap=DATA_MAP, **limits)
    axes[1].imshow(stretched(picture.model, noise), cmap=DATA_MAP, **limits)
    pull = axes[2].imshow(picture.pull, cmap=RESIDUAL_MAP, vmin=-RESIDUAL_RANGE, vmax=RESIDUAL_RANGE)
    mark_sources(axes[1], rows, picture.wcs, shape, labels=labels)
    for axis in axes[:3]:
        axis.set(xlim=(-0.5, shape[1] - 0.5), ylim=(-0.5, shape[0] - 0.5))
        hide_axes(axis)
    return pull


def residual_histogram(axes, pull) -> None:
    """Histogram of residuals in sigma over the unit Gaussian, logarithmic; chi2 per pixel in the corner."""
    values = pull[np.isfinite(pull)]
    bins = np.linspace(-6, 6, 61)
    axes.hist(np.clip(values, -5.99, 5.99), bins, histtype="stepfilled", color="0.75")
    axes.plot(
        bins, _gaussian(bins) * len(values) * (bins[1] - bins[0]), color="#0072B2", lw=1.2, label="N(0, 1)"
    )
    axes.set(yscale="log", ylim=(0.5, None), xlim=(-6, 6), xlabel="residual / sigma", ylabel="pixels")
    text = f"chi²/pixel = {np.mean(values**2):.3f}\nmean = {values.mean():+.3f}\n{len(values)} pixels"
    axes.text(0.03, 0.97, text, transform=axes.transAxes, va="top", fontsize=7)
    axes.legend(loc="upper right", handlelength=1.2)


def _gaussian(x):
    return np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
