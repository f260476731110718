"""Model's fluxes within circles against aperture photometry: pulls by S/N, a panel for each circle."""

import numpy as np

from .style import MUTED, band_colours, figure, log_axis, short

CLIP = 6.0  # pulls beyond are drawn at the edge


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
                    pull, snr = np.clip(some["pull"], -CLIP, CLIP), some["model"] / some["measured_err"]
                    axis.plot(
                        np.asarray(snr), np.asarray(pull), "o", ms=4, color=colours[band], label=short(band)
                    )
            if axis.lines[1:]:
                log_axis(axis, "x")
                axis.legend(loc="best", frameon=True)
            axis.set(xlabel="model / error of the sum", ylim=(-CLIP - 0.3, CLIP + 0.3))
            axis.set_title(
                "within the PSF's FWHM" if circle == "psf" else f"within {circle.replace('_', '.')} arcsec"
            )
        fig.supylabel("(aperture photometry - model) / error", fontsize=9)
