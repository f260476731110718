"""Simulated sources put into a user's images: copies of the files with light added to the science image."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import atomic
from ..geometry import inside_image, pixel_scale
from ..images import ExposureSpec, read_exposure
from ..images.opening import image_hdu, open_fits
from ..images.reading import njy_per_unit
from ..psf.inputs import images_by_key, read_psf_table
from ..simulate import draw_effective, psf_object


class TruePSFs:
    """PSF images of a table, by exposure and place: what is drawn through, never their mixtures."""

    def __init__(self, table, center="auto"):
        import h5py

        if Path(table).is_file() and h5py.is_hdf5(table):
            cure = "Give the table of PSF images (TSV) that the store was made of as `psfs`"
            raise InputError(table, "a PSF store holds mixtures, not the PSF's image", cure)
        self._table = table
        self._images = images_by_key(read_psf_table(table, center))
        self._objects: dict = {}

    def at(self, spec: ExposureSpec, x: float, y: float):
        """(GalSim object, half-width of its stamp in pixels) of an exposure at a detector position."""
        key = next((k for k in ([spec.psf] if spec.psf else [spec.id, spec.band]) if k in self._images), None)
        if key is None:
            raise InputError(self._table, f"no PSF for exposure {spec.id!r}", "Add a row with that key")
        images = self._images[key]
        places = [np.hypot(x - i.location[0], y - i.location[1]) if i.location else 0.0 for i in images]
        nearest = int(np.argmin(places))
        if (key, nearest) not in self._objects:
            self._objects[key, nearest] = psf_object(images[nearest])
        return self._objects[key, nearest], images[nearest].half_width


@dataclass(frozen=True)
class Added:
    """What was added to one image: S/N squared of each source there (S,), 0 where it is not."""

    spec: ExposureSpec
    snr2: np.ndarray


def inject_image(spec: ExposureSpec, rows, psfs: TruePSFs, options, preprocess, folder, rng) -> Added:
    """Write a copy of an image with sources in it under `folder`; the row of the new image."""
    exposure = read_exposure(spec, preprocess)
    light, snr2 = _light(exposure, spec, rows, psfs)
    if options.poisson:
        electrons = np.maximum(light, 0) * options.electrons_per_njy
        light += rng.standard_normal(light.shape) * np.sqrt(electrons) / options.electrons_per_njy
    target = Path(folder) / f"{spec.id}.fits"
    _write(spec, light, preprocess, target)
    return Added(_moved(spec, target), snr2)


def _light(exposure, spec, rows, psfs) -> tuple[np.ndarray, np.ndarray]:
    """Image (ny, nx) of the sources in nJy per pixel, and their S/N squared."""
    shape = exposure.data.shape
    scale = pixel_scale(exposure.wcs, shape)
    near = inside_image(exposure.wcs, shape, rows["ra"], rows["dec"], margin=5 / scale)
    inside = inside_image(exposure.wcs, shape, rows["ra"], rows["dec"])
    light, snr2 = np.zeros(shape), np.zeros(len(rows))
    for s in np.flatnonzero(near):
        x, y = map(float, exposure.wcs.world_to_pixel_values(rows["ra"][s], rows["dec"][s]))
        psf, half_width = psfs.at(spec, x, y)
        one = np.zeros(shape) if inside[s] else light
        draw_effective(one, rows[s], exposure.wcs, psf, half_width, exposure.band, scale)
        if inside[s]:
            snr2[s] = np.sum((one * exposure.ierr) ** 2)
            light += one
    return light, snr2


def _write(spec, light, preprocess, target) -> None:
    """The user's file with the light added to its science image, in its own unit; masked pixels stay."""
    filled, factor = njy_per_unit(spec, preprocess)
    with open_fits(spec.path) as hdus, atomic(target) as temporary:
        science = image_hdu(hdus, filled.sci_ext, spec.path)
        kind = science.data.dtype if science.data.dtype.kind == "f" else np.dtype("f4")
        science.data = (np.asarray(science.data, "f8") + light / factor).astype(kind)
        science.header["FPHOINJ"] = (True, "simulated sources added by fpho inject")
        hdus.writeto(temporary, overwrite=True, output_verify="silentfix")


def _moved(spec: ExposureSpec, target: Path) -> ExposureSpec:
    """The row of the new file; other files of the row stay where they are."""
    values = {name: getattr(spec, name) for name in spec.__dataclass_fields__}
    for name in ("unc_path", "mask_path", "background_path"):
        if values[name] is not None:
            same = Path(values[name]).resolve() == Path(spec.path).resolve()
            values[name] = target if same else Path(values[name]).resolve()
    return ExposureSpec(**{**values, "path": target})
