"""Panels of a sheet beside its images: profile, growth, fluxes, and what is said in words."""

import textwrap

import numpy as np

from ...flags import DESCRIPTIONS, Flag
from ...parameters import error_col
from ..photometry import magnitudes
from ..plots.style import MUTED, band_colours, log_axis, short
from ..report import value_text, words
from .profiles import growth, surface_brightness
from .values import Sheet

LINE = 118  # letters


def draw_profiles(axis, sheet: Sheet) -> None:
    """Surface brightness of data and model by band; half the PSF's width as a dashed line."""
    lowest = np.inf
    profiles = {band: surface_brightness(view, sheet.row) for band, view in sheet.views.items()}
    for band, colour in _colours(sheet):
        one = profiles[band]
        shown = one.data > one.error
        lowest = min([lowest, *one.data[shown], *(0.5 * one.error)])
        axis.errorbar(
            one.radius[shown], one.data[shown], one.error[shown], fmt="o", ms=3, lw=0.8, color=colour
        )
        axis.plot(one.radius[one.model > 0], one.model[one.model > 0], color=colour, label=short(band, 20))
        if band in sheet.psf_width:
            axis.axvline(0.5 * sheet.psf_width[band], color=colour, lw=0.8, ls="--")
    log_axis(axis, "y")
    if np.isfinite(lowest):
        axis.set_ylim(bottom=0.5 * lowest)
    for band, colour in _colours(sheet):
        one = profiles[band]
        faint = one.radius[~(one.data > one.error)]
        axis.plot(faint, np.full(len(faint), 0.5 * lowest), "v", ms=4, color=colour, clip_on=False)
    axis.set(xlabel="radius along the major axis (arcsec)", ylabel="nJy per arcsec²")
    title = "points data, lines model\n▼ within 1 sigma of 0, dashed: half the PSF's width"
    axis.set_title(title, fontsize=7)
    if profiles:
        axis.legend(fontsize=7)
    else:
        _nothing(axis)


def draw_growth(axis, sheet: Sheet) -> None:
    """Fluxes within circles over the model's total, of data and model."""
    for band, colour in _colours(sheet):
        one, total = growth(sheet.views[band], sheet.row), float(sheet.row[band])
        if total <= 0:
            continue
        axis.errorbar(one.radius, one.data / total, one.error / total, fmt="o", ms=3, lw=0.8, color=colour)
        axis.plot(one.radius, one.model / total, color=colour, label=short(band, 20))
    axis.axhline(1, color=MUTED, lw=0.7)
    axis.set(xlabel="radius of a circle (arcsec)", ylabel="flux / total of the model", ylim=(0, None))
    axis.set_title("curve of growth\npoints data, lines model", fontsize=7)
    if not sheet.views:
        _nothing(axis)


def _nothing(axis) -> None:
    axis.text(0.5, 0.5, "no pixels at the source's place", transform=axis.transAxes, ha="center", fontsize=8)


def draw_fluxes(axis, sheet: Sheet) -> None:
    """Fluxes by band with their uncertainties, and AB magnitudes beside them."""
    place = np.arange(len(sheet.bands))
    flux = np.array([sheet.row[band] for band in sheet.bands], "f8")
    error = np.array([sheet.row[error_col(band)] for band in sheet.bands], "f8")
    for k, (band, colour) in enumerate(band_colours(sheet.bands).items()):
        axis.errorbar(place[k], flux[k], error[k], fmt="o", ms=4, color=colour)
        if sheet.truth is not None:
            axis.plot(place[k], sheet.truth[band], "_", ms=14, color="black")
        beside = {"xytext": (9, -2), "textcoords": "offset points", "fontsize": 6.5}
        if flux[k] > 0:
            axis.annotate(f"{float(magnitudes(flux[k])):.2f}", (place[k], flux[k]), **beside)
    axis.set_xticks(place, [short(band, 12) for band in sheet.bands], rotation=0 if len(place) < 5 else 60)
    axis.set(ylabel="flux (nJy)", xlim=(-0.6, len(place) - 0.1))
    axis.set_title(
        "fluxes, numbers: AB mag" + (", black: truth" if sheet.truth is not None else ""), fontsize=7
    )
    if (flux - error > 0).all() and flux.max() > 4 * flux.min():
        log_axis(axis, "y")


def lines_of(sheet: Sheet) -> list[str]:
    """Position, fluxes and shape, quality, and each flag in words."""
    row = sheet.row
    fluxes = [
        f"{short(b, 20)} {value_text(row[b], row[error_col(b)])} nJy{_mag(row[b])}" for b in sheet.bands
    ]
    kind = "point source" if row["is_point"] else _shape(row)
    lines = [f"RA {row['ra']:.7f}  Dec {row['dec']:.7f} deg;  {kind}"]
    lines += textwrap.wrap("; ".join(fluxes), LINE)
    quality = f"patch {sheet.patch}; chi² per pixel {sheet.chi2:.2f}"
    if sheet.chains and len(sheet.draws):
        quality += f"; {len(sheet.draws)} draws in {sheet.chains} chains, R-hat {sheet.rhat:.3f}, "
        quality += f"effective sample size {sheet.ess:.0f}"
    lines.append(quality + ("" if len(sheet.draws) else "; no draws, values are those of the optimum"))
    flags = [flag for flag in Flag if int(row["flags"]) & flag]
    for flag in flags:
        lines += textwrap.wrap(
            f"FLAG {words(flag.name)}: {DESCRIPTIONS[flag]}", LINE, subsequent_indent="    "
        )
    return lines if flags else [*lines, "no flag"]


def _mag(flux) -> str:
    mag = float(magnitudes(flux))
    return f" ({mag:.2f} AB)" if np.isfinite(mag) else ""


def _shape(row) -> str:
    major = row["rhalf"] / row["q"]
    rest = f"b/a {row['q'] ** 2:.2f}, Sersic index {row['sersic']:.2f}"
    return f"half-light radius {major:.3f} arcsec (major axis), {rest}"


def _colours(sheet: Sheet):
    """(band, colour) of the bands that have a view."""
    return [(band, colour) for band, colour in band_colours(sheet.bands).items() if band in sheet.views]
