"""What follows from a source's fluxes: AB magnitudes, colours, and their covariance."""

from itertools import pairwise

import numpy as np

from ..parameters import FLUX_UNIT, error_col
from .columns import Cell

AB_ZEROPOINT = 31.4  # of nJy (Oke & Gunn 1983)
PER_MAGNITUDE = 2.5 / np.log(10)  # magnitudes of a small relative change


def magnitudes(flux) -> np.ndarray:
    """AB magnitudes of fluxes in nJy; NaN where not positive."""
    flux = np.asarray(flux, "f8")
    return AB_ZEROPOINT - 2.5 * np.log10(np.where(flux > 0, flux, np.nan))


def photometry(row, draws, bands) -> dict[str, Cell]:
    """Columns of one source by name.

    row : its fluxes and their errors in nJy. draws : structured (N,); N may be 0, then colours and covariance
    are NaN. A colour has none where a draw of either flux is not positive, as its distribution has no mean.
    """
    columns = {}
    for band in bands:
        mag = float(magnitudes(row[band]))
        error = PER_MAGNITUDE * row[error_col(band)] / row[band] if np.isfinite(mag) else np.nan
        columns[f"{band}_mag"] = Cell(mag, "mag", f"AB magnitude in {band}, of the median flux", "phot.mag")
        text = f"uncertainty of {band}_mag, 2.5 / ln 10 times that of the flux over the flux"
        columns[f"{band}_mag_err"] = Cell(error, "mag", text, "stat.error;phot.mag")
    for blue, red in pairwise(bands):
        values = magnitudes(draws[blue]) - magnitudes(draws[red])
        known = len(values) > 0 and np.isfinite(values).all()
        middle, spread = (np.median(values), np.std(values)) if known else (np.nan, np.nan)
        name = colour_name(blue, red)
        text = f"colour {blue} - {red} (AB): median of the draws, NaN where a flux may be 0 or less"
        columns[name] = Cell(middle, "mag", text, "phot.color")
        columns[f"{name}_err"] = Cell(spread, "mag", f"standard deviation of {name}", "stat.error;phot.color")
    text = f"covariance of the draws of the fluxes in {', '.join(bands)}"
    fluxes = np.array([draws[band] for band in bands])
    empty = np.full((len(bands), len(bands)), np.nan)
    covariance = np.cov(fluxes).reshape(empty.shape) if fluxes.shape[1] > 1 else empty
    columns["flux_cov"] = Cell(covariance, f"{FLUX_UNIT}2", text, "stat.covariance;phot.flux.density")
    return columns


def colour_name(blue: str, red: str) -> str:
    """Column of a colour of two bands."""
    return f"colour_{blue}_{red}"
