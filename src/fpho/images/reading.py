"""From FITS files to exposures."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..config import Preprocess
from ..errors import InputError
from ..geometry import pixel_scale
from .exposure import Exposure
from .noise import BLOCK, WAVES, measure_noise_scale, measure_noise_slope, pixel_scatter
from .opening import image_hdu, open_fits, plane, with_defaults
from .table import ExposureSpec
from .units import flux_factor, surface_brightness
from .wcs import best_wcs, without_lookup

ALL_BITS = -1
DO_NOT_USE = 1  # bit of JWST's DQ; its others tell what was done to a pixel, not that it is bad


def read_exposure(spec: ExposureSpec, options: Preprocess | None = None) -> Exposure:
    """The image of a row of the table, in nJy per pixel.

    A pixel is masked where the data or the uncertainty are not finite, the uncertainty is zero or
    negative, or the mask has one of the bits of `options.bitmask`.
    """
    options = options or Preprocess()
    with open_fits(spec.path) as hdus:
        spec = with_defaults(spec, hdus)
        science = image_hdu(hdus, spec.sci_ext, spec.path)
        data = np.array(science.data, "f8")
        factor = _factor(spec, hdus, science, options)
        wcs, content = best_wcs(science.header, hdus, data.shape, spec.path)
        header = without_lookup(science.header)
    sigma = factor * _uncertainty(spec, data.shape)
    if spec.background_path is not None:
        data = data - plane(spec.background_path, spec.background_ext, data.shape, spec.path)
    data = data * factor
    good = np.isfinite(data) & np.isfinite(sigma) & (sigma > 0) & ~_masked(spec, options, data.shape)
    if not good.any():
        raise InputError(spec.path, "no good pixel is left", "Check the mask, its bits and the uncertainties")
    ierr = np.zeros(data.shape, "f4")
    ierr[good] = 1 / sigma[good]
    data = np.where(good, data, 0.0).astype("f4")
    if spec.unc_kind == "weight":
        ierr = _scale_weights(data, ierr, spec.path)
    exposure = Exposure(
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
    return cap_snr(scale_noise(exposure, options.noise_scale), options.max_snr)


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
        return spec, _factor(spec, hdus, science, options or Preprocess())


def scale_noise(exposure: Exposure, scale) -> Exposure:
    """Uncertainties multiplied by a factor, or by the one measured in blank pixels (`measure`)."""
    slope = 0.0
    if scale == "measure":
        waves = max(WAVES / pixel_scale(exposure.wcs, exposure.data.shape), 2 * BLOCK)
        scale = measure_noise_scale(exposure.data, exposure.ierr, waves=waves)
        slope = measure_noise_slope(exposure.data, exposure.ierr, waves=waves)
    ierr = (exposure.ierr / scale).astype("f4")
    return replace(exposure, ierr=ierr, noise_scale=float(scale), noise_slope=slope)


def cap_snr(exposure: Exposure, max_snr: float | None) -> Exposure:
    """Uncertainties raised so that no pixel's S/N exceeds `max_snr`."""
    if max_snr is None:
        return exposure
    snr = np.abs(exposure.data) * exposure.ierr
    return replace(exposure, ierr=(exposure.ierr / np.maximum(snr / max_snr, 1)).astype("f4"))


def _factor(spec, hdus, science, options) -> float | np.ndarray:
    """nJy per unit: a number, or (ny, nx) where the pixels' areas differ."""
    if spec.flux_scale is not None:
        return spec.flux_scale
    if not options.do_fluxcal:
        return 1.0
    factor = flux_factor((science.header, hdus[0].header), spec.path)
    if spec.reader == "jwst" and surface_brightness(science.header) and "AREA" in hdus:
        return factor * np.array(hdus["AREA"].data, "f8")
    return factor


def _uncertainty(spec, shape) -> np.ndarray:
    """Sigma in the image's units; not positive or not finite where there is none."""
    values = plane(spec.unc_path, spec.unc_ext, shape, spec.path)
    with np.errstate(divide="ignore", invalid="ignore"):
        if spec.unc_kind == "variance":
            return np.sqrt(values)
        if spec.unc_kind in ("ivar", "weight"):
            return 1 / np.sqrt(values)
    return values


def _scale_weights(data, ierr, where) -> np.ndarray:
    """Weights are inverse variances but for a factor, which blank pixels tell."""
    scatter = pixel_scatter(data, ierr)
    if not scatter > 0:
        text = "too little blank sky to find the scale of its weights: taken as inverse variances"
        warnings.warn(f"{where}: {text}", stacklevel=3)
        return ierr
    return (ierr / scatter).astype("f4")


def _masked(spec, options, shape) -> np.ndarray:
    if spec.mask_path is None:
        return np.zeros(shape, bool)
    bits = plane(spec.mask_path, spec.mask_ext, shape, spec.path).astype("i8")
    wanted = options.bitmask
    if wanted == ALL_BITS and spec.reader == "jwst" and spec.mask_path == spec.path:
        wanted = DO_NOT_USE
    return (bits & wanted) != 0
