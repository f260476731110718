"""From FITS files to exposures."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..config import Preprocess
from ..errors import InputError
from ..geometry import pixel_scale
from .exposure import Exposure
from .frames import check_wcs, pixel_areas, report_leftovers
from .instruments import find
from .keywords import Statement
from .masks import ALL_BITS, rejected
from .nodata import no_data, require_plausible
from .noise import BLOCK, WAVES, measure_noise_scale, measure_noise_slope, weight_scale
from .opening import image_hdu, known_kind, open_fits, plane, plane_hdu, with_defaults
from .poisson import with_expected_errors
from .scatter import check_scatter
from .table import ExposureSpec
from .units import flux_statement, same_unit, surface_brightness
from .wcs import best_wcs, without_lookup


def read_exposure(spec: ExposureSpec, options: Preprocess | None = None) -> Exposure:
    """The image of a row of the table, in nJy per pixel.

    A pixel is masked where the data or the uncertainty are not finite, the uncertainty is zero or
    negative, the mask rejects it, or a value says that there is no data (`nodata.py`).

    Raises
    ------
    InputError
        For files that do not hold what the row says, a calibration or a WCS that contradicts itself, and
        an image without a good pixel.
    """
    options = options or Preprocess()
    exposure = calibrated(spec, options)
    if options.errors == "expected":
        exposure = with_expected_errors(exposure)
    return cap_snr(scale_noise(exposure, options.noise_scale), options.max_snr)


def calibrated(spec: ExposureSpec, options: Preprocess) -> Exposure:
    """The image of a row in nJy per pixel with its uncertainties as the files give them."""
    stated = spec.unc_kind is not None
    with open_fits(spec.path) as hdus:
        spec = with_defaults(spec, hdus)
        science = image_hdu(hdus, spec.sci_ext, spec.path)
        data = np.array(science.data, "f8")
        instrument = find(spec.reader, hdus[0].header)
        stated |= known_kind(spec.unc_ext, spec.unc_path, instrument.uncertainties) is not None
        wcs, content = best_wcs(science.header, hdus, data.shape, spec.path, instrument.gwcs)
        check_wcs(wcs, data.shape, spec.path)
        report_leftovers(science.header, spec.path)
        factor = _factor(spec, instrument, hdus, science, options, wcs)
        header = without_lookup(science.header)
        sigma = _uncertainty(spec, data.shape, science.header)
    good = ~np.any(list(rejected_pixels(spec, options, data, sigma).values()), axis=0)
    if not good.any():
        raise InputError(spec.path, "no good pixel is left", "Check the mask, its bits and the uncertainties")
    if spec.background_path is not None:
        data = data - plane(spec.background_path, spec.background_ext, data.shape, spec.path)
        good &= np.isfinite(data)
    with np.errstate(over="ignore", invalid="ignore"):  # of pixels that are masked
        data, sigma = data * factor, sigma * factor
    require_plausible(sigma[good], spec.path)
    ierr = np.zeros(data.shape, "f4")
    ierr[good] = 1 / sigma[good]
    data = np.where(good, data, 0.0).astype("f4")
    if spec.unc_kind == "weight":
        ierr = (ierr / weight_scale(data, ierr, spec.path)).astype("f4")
    check_scatter(data, ierr, stated, spec)
    return Exposure(
        id=spec.id,
        band=spec.band,
        kind=spec.kind,
        data=data,
        ierr=ierr,
        wcs=wcs,
        header=header,
        psf=spec.psf,
        wcs_bytes=content,
    )


def rejected_pixels(spec: ExposureSpec, options: Preprocess, data, sigma) -> dict[str, np.ndarray]:
    """Pixels (ny, nx) bool that are not used, by reason, of a row with its defaults filled."""
    with np.errstate(invalid="ignore"):
        out = {
            "data not finite": ~np.isfinite(data),
            "no positive uncertainty": ~(np.isfinite(sigma) & (sigma > 0)),
            "mask": read_mask(spec, options, data.shape),
        }
    good = ~np.any(list(out.values()), axis=0)
    return out | {"value of no data": no_data(data, sigma, good, spec.path)}


@dataclass(frozen=True)
class Raw:
    """An image as its files give it, with what is not used of it and why."""

    spec: ExposureSpec  # defaults filled
    unit: str  # BUNIT
    calibration: Statement  # nJy per unit, and what says so
    rejected: dict[str, np.ndarray]  # reason to (ny, nx) bool


def read_raw(spec: ExposureSpec, options: Preprocess | None = None) -> Raw:
    """What the files of a row say of unit, calibration and bad pixels."""
    options = options or Preprocess()
    with open_fits(spec.path) as hdus:
        spec = with_defaults(spec, hdus)
        science = image_hdu(hdus, spec.sci_ext, spec.path)
        data, instrument = np.array(science.data, "f8"), find(spec.reader, hdus[0].header)
        wcs, _ = best_wcs(science.header, hdus, data.shape, spec.path, instrument.gwcs)
        _, stated = _calibration(spec, instrument, hdus, science, options, wcs)
        sigma = _uncertainty(spec, data.shape, science.header)
        unit = str(science.header.get("BUNIT", "")).strip()
    return Raw(spec, unit, stated, rejected_pixels(spec, options, data, sigma))


def read_fits(path, sci_ext="SCI", unc_ext="ERR", band=None, kind="exposure", **more) -> Exposure:
    """A plain FITS file without a table: the band is its FILTER keyword, the id its name."""
    path = Path(path)
    with open_fits(path) as hdus:
        headers = [image_hdu(hdus, sci_ext, path).header, hdus[0].header]
        named = [header["FILTER"] for header in headers if "FILTER" in header]
    if band is None and not named:
        raise InputError(path, "no keyword FILTER", "Add it to the header, or use a table of exposures")
    spec = ExposureSpec(
        id=path.name.removesuffix(".gz").removesuffix(".fits"),
        band=band or named[0].strip(),
        path=path,
        kind=kind,
        sci_ext=sci_ext,
        unc_ext=unc_ext,
        **more,
    )
    return read_exposure(spec)


def njy_per_unit(spec: ExposureSpec, options: Preprocess | None = None):
    """(row with its defaults filled, nJy per unit of its science image: a number or (ny, nx))."""
    with open_fits(spec.path) as hdus:
        spec = with_defaults(spec, hdus)
        science = image_hdu(hdus, spec.sci_ext, spec.path)
        instrument = find(spec.reader, hdus[0].header)
        wcs, _ = best_wcs(science.header, hdus, science.shape, spec.path, instrument.gwcs)
        return spec, _factor(spec, instrument, hdus, science, options or Preprocess(), wcs)


def scale_noise(exposure: Exposure, scale) -> Exposure:
    """Uncertainties multiplied by a factor, or by the one measured in blank pixels (`measure`)."""
    slope = 0.0
    if scale == "measure":
        waves = max(WAVES / pixel_scale(exposure.wcs, exposure.data.shape), 2 * BLOCK)
        scale = measure_noise_scale(exposure.data, exposure.ierr, waves=waves)
        slope = measure_noise_slope(exposure.data, exposure.ierr, waves=waves)
    ierr = (exposure.ierr / scale).astype("f4")
    return replace(exposure, ierr=ierr, noise_scale=float(scale), noise_slope=slope)


def cap_snr(exposure, max_snr: float | None):
    """An `Exposure` or its tiles with uncertainties raised so that no pixel's S/N exceeds `max_snr`."""
    if max_snr is None:
        return exposure
    snr = np.abs(exposure.data) * exposure.ierr
    return replace(exposure, ierr=(exposure.ierr / np.maximum(snr / max_snr, 1)).astype("f4"))


def read_mask(spec: ExposureSpec, options: Preprocess, shape) -> np.ndarray:
    """Pixels (ny, nx) bool that the mask of a row (with its defaults filled) rejects."""
    if spec.mask_path is None:
        return np.zeros(shape, bool)
    with open_fits(spec.mask_path) as hdus:
        hdu = plane_hdu(hdus, spec.mask_path, spec.mask_ext, shape, spec.path)
        own = spec.mask_path == spec.path
        bad_bits = find(spec.reader, hdus[0].header).bad_bits if own else ALL_BITS
        names = {name.upper() for name in options.mask_planes}
        return rejected(hdu.data, hdu.header, options.bitmask, names, bad_bits, spec.mask_path)


def _factor(spec, instrument, hdus, science, options, wcs) -> float | np.ndarray:
    """nJy per unit: a number, or (ny, nx) where the pixels' areas differ."""
    area, stated = _calibration(spec, instrument, hdus, science, options, wcs)
    return area * stated.njy


def _calibration(spec, instrument, hdus, science, options, wcs) -> tuple[float | np.ndarray, Statement]:
    """(Relative areas of the pixels, 1 or (ny, nx); nJy per unit of a pixel of area 1, and what says so)."""
    if spec.flux_scale is not None:
        return 1.0, Statement(f"flux_scale = {spec.flux_scale:g} of the table", spec.flux_scale)
    if not options.do_fluxcal:
        return 1.0, Statement("preprocess.do_fluxcal: false", 1.0)
    area = 1.0
    name = instrument.area_ext
    if name is not None and name in hdus and surface_brightness(science.header):
        area = np.array(hdus[name].data, "f8")
    headers, areas = (science.header, hdus[0].header), pixel_areas(wcs, science.shape)
    return area, flux_statement(headers, spec.path, areas, float(np.nanmean(area)), instrument)


def _uncertainty(spec, shape, science) -> np.ndarray:
    """Sigma in the image's units; not positive or not finite where there is none."""
    with open_fits(spec.unc_path) as hdus:
        hdu = plane_hdu(hdus, spec.unc_path, spec.unc_ext, shape, spec.path)
        values = np.array(hdu.data, "f8")
        if spec.unc_kind == "sigma":
            same_unit(science, hdu.header, spec.path, f"the uncertainty {spec.unc_path.name}[{hdu.name}]")
    with np.errstate(divide="ignore", invalid="ignore"):
        if spec.unc_kind == "variance":
            return np.sqrt(values)
        if spec.unc_kind in ("ivar", "weight"):
            return 1 / np.sqrt(values)
    return values
