"""Columns of the model's fluxes within circles; `results.apertures` says what they are."""

import numpy as np

from ..parameters import FLUX_UNIT
from ..results import Apertures
from .columns import Cell

PSF = "psf"  # the circle whose radius is the FWHM of the PSF


def circle_names(radii) -> tuple[str, ...]:
    """Names of circles: `psf`, and the other radii (arcsec), such as `0_3`."""
    return (PSF, *(f"{radius:g}".replace(".", "_") for radius in radii))


def aperture_column(band: str, circle: str) -> str:
    """Column of a flux, such as `F200W_aper_0_3`."""
    return f"{band}_aper_{circle}"


def fixed_radii(found) -> tuple[float, ...]:
    """Radii (arcsec) of the circles beside the PSF's, of some sources' `Apertures`; they have the same."""
    return next((tuple(map(float, one.radius[0, 1:])) for one in found if one is not None), ())


def aperture_cells(own: Apertures | None, bands, radii, how: tuple[str, str]) -> dict[str, Cell]:
    """Columns of one source: its circles (B, A), or NaN. `how`: what value and error are."""
    blank = np.full((len(bands), 1 + len(radii)), np.nan)
    own = Apertures(blank, blank, blank) if own is None else own
    columns = {}
    value, error = how
    for b, band in enumerate(bands):
        for a, circle in enumerate(circle_names(radii)):
            name = aperture_column(band, circle)
            radius = f"{radii[a - 1]:g} arcsec" if a else f"{name}_radius"
            text = f"model's flux in {band} within {radius} of the source: {value}"
            columns[name] = Cell(own.flux[b, a], FLUX_UNIT, text, "phot.flux.density;meta.modelled")
            text = f"uncertainty of {name}: {error}"
            columns[f"{name}_err"] = Cell(own.error[b, a], FLUX_UNIT, text, "stat.error;phot.flux.density")
        text = f"FWHM of the PSF in {band}, the radius of {aperture_column(band, PSF)}"
        name = f"{aperture_column(band, PSF)}_radius"
        columns[name] = Cell(own.radius[b, 0], "arcsec", text, "phys.angSize;instr.det.psf")
    return columns


DRAWN = ("median of the draws", "their standard deviation")
AT_OPTIMUM = ("at the optimum", "from its covariance")


def optimum_columns(found: dict[int, Apertures], count: int, bands) -> dict:
    """Columns (values (S,), unit, description) of sources at their optimum, by row."""
    radii = fixed_radii(found.values())
    rows = [aperture_cells(found.get(i), bands, radii, AT_OPTIMUM) for i in range(count)]
    names = rows[0] if rows else {}
    return {n: (np.array([row[n].value for row in rows]), rows[0][n].unit, rows[0][n].text) for n in names}
