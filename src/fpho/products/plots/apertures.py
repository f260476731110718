"""Model's fluxes within circles against aperture photometry: pulls by S/N, a panel for each circle."""

import numpy as np

from .style import MUTED, band_colours, figure, log_axis, short

CLIP = 6.0  # pulls beyond are triangles at the edge


def plot_apertures(path, table, bands) -> None:
    """table : as `ApertureCheck.table` makes it."""
    circles = list(dict.fromkeys(table["circle"]))
    colours = band_colours(bands)
    with figure(path, 4.2 * max(len(circles), 1), 3.2) as fig:
        for axis, circle in zip(np.ravel(fig.subplots(1, max(len(circles), 1))), circles, strict=False):
            axis.axhspan(-1, 1, color="0.90", lw=0)
            axis.axhline(0, color=MUTED, lw=0.7)
            for band in bands:
                some = table[(table["circle"] == circle) & (table["band"] == band) & (table["model"] > 0)]
                if len(some):
                    _pulls(axis, some, colours[band], short(band))
            if axis.lines[1:]:
                log_axis(axis, "x")
                axis.legend(loc="best", frameon=True)
            axis.set(xlabel="model / error of the sum", ylim=(-CLIP - 0.3, CLIP + 0.3))
            axis.set_title(
                "within the PSF's FWHM" if circle == "psf" else f"within {circle.replace('_', '.')} arcsec"
            )
        fig.supylabel("(aperture photometry - model) / error", fontsize=9)


def _pulls(axis, some, colour, label) -> None:
    """Points, and triangles at the edge for what lies beyond it."""
    pull, snr = np.asarray(some["pull"]), np.asarray(some["model"] / some["measured_err"])
    for chosen, mark in ((np.abs(pull) <= CLIP, "o"), (pull > CLIP, "^"), (pull < -CLIP, "v")):
        shown = np.clip(pull[chosen], -CLIP, CLIP)
        axis.plot(snr[chosen], shown, mark, ms=4 if mark == "o" else 6, color=colour, label=label)
        label = None
