"""One figure about a whole run: sizes and fluxes, how the chains mixed, how well each image is fitted."""

import numpy as np

from ..photometry import magnitudes
from .style import COLOURS, MUTED, band_colours, figure, log_axis, short


def plot_summary(path, table, bands, chi2: dict[str, float], max_rhat: float, min_ess: float) -> None:
    """Four panels: size against magnitude, S/N against magnitude, R-hat against ESS, chi2 of each image.

    table : as `postsample_catalog` makes it. chi2 : chi-square per pixel of each image. Limits as accepted.
    """
    with figure(path, 11.0, 7.2) as fig:
        (size, snr), (mixing, images) = fig.subplots(2, 2)
        _sizes(fig, size, table, bands[0])
        _signal(snr, table, bands)
        _mixing(mixing, table, max_rhat, min_ess)
        _images(images, chi2)


def _sizes(fig, axis, table, band) -> None:
    galaxies = table[~np.asarray(table["is_point"], bool)]
    mag = magnitudes(galaxies[band])
    error = np.asarray(galaxies["rhalf_major_err"]), 1.0857 * np.abs(galaxies[f"{band}_err"] / galaxies[band])
    style = {"fmt": "none", "ecolor": "0.6", "elinewidth": 0.8, "zorder": 1}
    axis.errorbar(mag, galaxies["rhalf_major"], *map(np.asarray, error), **style)
    points = axis.scatter(
        mag, galaxies["rhalf_major"], c=galaxies["sersic"], cmap="cividis", s=22, zorder=2, vmin=0.5, vmax=5
    )
    fig.colorbar(points, ax=axis, label="Sersic index", pad=0.01)
    log_axis(axis, "y")
    axis.set(xlabel=f"{short(band)} (AB mag)", ylabel="half-light radius, major axis (arcsec)")
    axis.set_title("sizes and magnitudes" + _unseen(galaxies[band]))


def _unseen(flux) -> str:
    """How many fluxes have no magnitude, for a title."""
    count = int(np.sum(~(np.asarray(flux, "f8") > 0)))
    return f" ({count} flux{'es' if count > 1 else ''} of 0 or less not shown)" if count else ""


def _signal(axis, table, bands) -> None:
    for band, colour in band_colours(bands).items():
        snr = np.asarray(table[band]) / np.asarray(table[f"{band}_err"])
        axis.plot(magnitudes(table[band]), snr, "o", ms=4, color=colour, label=short(band))
    log_axis(axis, "y")
    axis.set(xlabel="AB magnitude", ylabel="flux / uncertainty")
    missing = np.concatenate([np.asarray(table[band], "f8") for band in bands]) if len(table) else []
    axis.set_title("signal-to-noise of the fluxes" + _unseen(missing))
    axis.legend(loc="best", frameon=True)


def _mixing(axis, table, max_rhat, min_ess) -> None:
    flagged = np.asarray(table["flags"]) != 0
    for chosen, colour, label in ((~flagged, COLOURS[0], "no flag"), (flagged, COLOURS[5], "flagged")):
        if not chosen.any():
            continue
        axis.plot(
            np.asarray(table["ess"])[chosen],
            np.asarray(table["rhat"])[chosen],
            "o",
            ms=4,
            color=colour,
            label=label,
        )
    axis.axhline(max_rhat, color=MUTED, lw=0.8, ls="--")
    axis.axvline(min_ess, color=MUTED, lw=0.8, ls="--")
    log_axis(axis, "x")
    axis.set(xlabel="smallest effective sample size", ylabel="largest R-hat")
    unsampled = int(np.sum(~np.isfinite(np.asarray(table["rhat"], "f8"))))
    note = f"; {unsampled} without draws" if unsampled else ""
    axis.set_title(f"convergence of each source (dashed: accepted limits{note})")
    axis.legend(loc="best", frameon=True)


def _images(axis, chi2) -> None:
    place = np.arange(len(chi2))
    axis.axvline(1, color=MUTED, lw=0.8)
    axis.plot(list(chi2.values()), place, "o", color=COLOURS[0], ms=5)
    axis.set_yticks(place, [short(name, 30) for name in chi2])
    axis.set(xlabel="chi² per pixel", ylim=(len(chi2) - 0.5, -0.5))
    spread = max([abs(value - 1) for value in chi2.values()], default=0.0)
    axis.set_xlim(1 - 1.3 * max(spread, 0.05), 1 + 1.3 * max(spread, 0.05))
    axis.set_title("fit of each image")
