"""The PSF store: HDF5, one group per band, exposure or name, with a mixture at each detector location.

Layout (that of the older code): `parameters`, structured (locations, components) with amp, xcen,
ycen, Cxx, Cyy, Cxy (native pixels) and sersic_bin; `detector_locations` (2, locations);
attribute `n_psf_per_source`. Written here, a group also has `includes_pixel` = true, a dataset `quality`
(locations,) of figures of merit, and for each location i a dataset `remainder/i` (ny, nx) float32, the PSF's
samples minus the mixture, with attributes `step` (native pixels) and `center` (x, y of the source, samples).
"""

import hashlib
import warnings

import h5py
import numpy as np

from .. import __version__
from ..errors import InputError
from ..hdf5 import create, verify
from .interpolate import Locations
from .mixture import FIELDS, PIXEL_VARIANCE
from .remainder import Remainder
from .validity import check_mixtures

DTYPE = np.dtype([*((name, "f8") for name in FIELDS), ("sersic_bin", "i4")])


def write_store(path, groups: dict, **attributes) -> None:
    """Write mixtures of the effective PSF.

    Parameters
    ----------
    groups : key to (mixtures (L, J, 6), locations (L, 2) or None, quality: list of L dicts, and where known
        a dict of the group's attributes: `pixel_scale` in arcsec, `half_width` of the stamps in pixels;
        and a list of L `Remainder`, None where there is none); see `build.as_group`
    attributes : of the file's root, beside the version
    """
    with create(path) as file:
        file.attrs.update({"fpho_version": __version__, **attributes})
        for key, (mixtures, locations, quality, *more) in groups.items():
            group = file.create_group(key)
            group.attrs.update({"n_psf_per_source": mixtures.shape[1], "includes_pixel": True})
            group.attrs.update(more[0] if more else {})
            rows = np.zeros(mixtures.shape[:2], DTYPE)
            for i, name in enumerate(FIELDS):
                rows[name] = mixtures[..., i]
            group["parameters"] = rows
            if locations is not None:
                group["detector_locations"] = np.asarray(locations, "f8").T
            if quality:
                group["quality"] = _quality_rows(quality)
            for i, remainder in enumerate(more[1] if len(more) > 1 else ()):
                if remainder is not None:
                    group[f"remainder/{i}"] = remainder.values
                    group[f"remainder/{i}"].attrs.update({"step": remainder.step, "center": remainder.center})


def _quality_rows(quality):
    names = list(quality[0])
    dtype = [(name, "?" if isinstance(quality[0][name], bool | np.bool_) else "f8") for name in names]
    return np.array([tuple(row[name] for name in names) for row in quality], dtype)


class PSFStore:
    """Mixtures by key, read once and kept; see `mixture` and `resolve`."""

    def __init__(self, path):
        self.path = path
        self._remainders: dict[tuple[str, int], Remainder | None] = {}
        self._contents: dict[str, str] = {}
        try:
            verify(path)
            with h5py.File(path, "r") as file:
                self._groups = {key: _read_group(group, path) for key, group in _groups(file)}
                self._whole = {key for key, group in _groups(file) if "remainder" in group}
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            cure = "Give the path of a PSF store (HDF5), or of a table of PSF images (TSV)"
            raise InputError(path, f"cannot be read as a PSF store ({error})", cure) from None
        if not self._groups:
            raise InputError(path, "no group with `parameters` in it", "Give a PSF store (HDF5)")

    def keys(self) -> list[str]:
        """Keys of the store's groups."""
        return list(self._groups)

    def has(self, key) -> bool:
        """Whether there is a PSF of this key."""
        return key in self._groups

    def resolve(self, exposure_id, band, psf="") -> str:
        """Key of an exposure's PSF: `psf` where given, else its id, else its band.

        Raises
        ------
        InputError
            If the store has none of them.
        """
        wanted = [str(psf)] if psf else [str(exposure_id), str(band)]
        for key in wanted:
            if key in self._groups:
                return key
        found = f"no PSF {' or '.join(map(repr, wanted))} for exposure {exposure_id!r}; it has {self.keys()}"
        raise InputError(self.path, found, "Add a row with that key to the table of PSF images")

    def mixture(self, key, x=None, y=None, interpolation="nearest") -> np.ndarray:
        """Gaussians (J, 6) of the effective PSF: amplitude, x, y, Cxx, Cyy, Cxy (native pixels).

        Parameters
        ----------
        x, y : detector position, pixels; needed only where the PSF has several locations
        interpolation : `nearest` or `linear`
        """
        mixtures, locations, *_ = self._groups[key]
        if len(mixtures) == 1:
            return mixtures[0].copy()
        if x is None or y is None:
            raise ValueError(f"PSF {key!r} varies over the detector: give x and y")
        return locations.mix(mixtures, float(x), float(y), interpolation)

    def quality(self, key, x=None, y=None) -> dict:
        """Figures of merit (see `fpho.psf.quality`) of the nearest location, or the worst of all.

        `poor` says if a limit is missed. A store without figures gives {'poor': False, 'known': False}.
        """
        _, locations, quality, _ = self._groups[key]
        if quality is None:
            return {"poor": False, "known": False}
        if x is not None and locations is not None:
            row = quality[locations.weights(x, y)[0][0]]
            worst = {name: row[name].item() for name in quality.dtype.names}
        else:
            worst = {
                name: quality[name][np.argmax(np.abs(quality[name]))].item() for name in quality.dtype.names
            }
        return worst | {"known": True}

    def has_remainders(self) -> bool:
        """Whether the store holds what a mixture leaves of its PSF, of any key."""
        return bool(self._whole)

    def remainder(self, key, x=None, y=None) -> Remainder | None:
        """What the mixture leaves of the PSF at the nearest location; None where the store has none."""
        if key not in self._whole:
            return None
        mixtures, locations, *_ = self._groups[key]
        i = 0 if len(mixtures) == 1 else int(locations.weights(float(x), float(y))[0][0])
        if (key, i) not in self._remainders:
            self._remainders[key, i] = _read_remainder(self.path, key, i, mixtures[i])
        return self._remainders[key, i]

    def content(self, key) -> str:
        """Checksum of all that the store holds of a key."""
        if key not in self._contents:
            with h5py.File(self.path, "r") as file:
                self._contents[key] = _checksum(file[key])
        return self._contents[key]

    def pixel_scale(self, key) -> float | None:
        """Arcsec per pixel that the PSF is for by its own file; None where that says nothing."""
        return self._groups[key][3]


def _checksum(group) -> str:
    """SHA-256 over names, attributes and values of all that is in a group."""
    digest = hashlib.sha256()

    def add(name, item):
        attributes = [(key, np.asarray(value).tolist()) for key, value in sorted(item.attrs.items())]
        digest.update(repr((name, attributes)).encode())
        if isinstance(item, h5py.Dataset):
            values = np.asarray(item[()])
            digest.update(repr((values.shape, values.dtype.descr)).encode() + values.tobytes())

    add("", group)
    group.visititems(add)
    return digest.hexdigest()


def _groups(file):
    """(key, group) of all groups with `parameters`, also nested ones."""
    found = []
    file.visititems(lambda name, item: found.append((name, item)) if "parameters" in _names(item) else None)
    return found


def _names(item):
    return item.keys() if isinstance(item, h5py.Group) else ()


def _read_group(group, path):
    """(mixtures (L, J, 6) with the pixel in them, Locations or None, quality (L,) or None, pixel scale)."""
    rows = np.atleast_2d(group["parameters"][...] if isinstance(group["parameters"], h5py.Dataset) else [])
    missing = set(FIELDS) - set(rows.dtype.names or ())
    if missing:
        raise InputError(path, f"{group.name}/parameters lacks {sorted(missing)}", "Give a PSF store")
    if rows.ndim != 2 or not rows.size:
        found = f"{group.name}/parameters has the shape {rows.shape}"
        raise InputError(path, found, "Give (locations, components)")
    mixtures = np.stack([rows[name].astype("f8") for name in FIELDS], axis=-1)
    mixtures = _drop_repeats(mixtures, rows, f"{path}:{group.name}")
    check_mixtures(mixtures, path, group.name, group.attrs.get("half_width"))
    if not group.attrs.get("includes_pixel", False):
        mixtures[..., 3:5] += PIXEL_VARIANCE
    locations = _read_locations(group, len(mixtures), path)
    quality = group["quality"][...] if "quality" in group else None
    if quality is not None and len(quality) != len(mixtures):
        found = f"{group.name}: {len(mixtures)} mixtures, {len(quality)} rows of quality"
        raise InputError(path, found, "Make the store again")
    scale = group.attrs.get("pixel_scale")
    return mixtures, locations, quality, None if scale is None else float(scale)


def _read_remainder(path, key, i, mixture) -> Remainder | None:
    with h5py.File(path, "r") as file:
        data = file.get(f"{key}/remainder/{i}")
        if data is None:
            return None
        return Remainder(data[...], float(data.attrs["step"]), tuple(data.attrs["center"]), mixture)


def _read_locations(group, n_mixtures, path):
    """`Locations` of a group; None without them."""
    places = group["detector_locations"][...].T.astype("f8") if "detector_locations" in group else None
    if n_mixtures > 1 and (places is None or places.shape != (n_mixtures, 2)):
        n_found = 0 if places is None else len(places)
        found = f"{group.name}: {n_mixtures} mixtures, {n_found} detector_locations"
        raise InputError(path, found, "Give detector_locations (2, locations)")
    if places is not None and not np.isfinite(places).all():
        found = f"{group.name}: detector_locations are not finite"
        raise InputError(path, found, "Give pixels (2, locations)")
    return None if places is None else Locations(places)


def _drop_repeats(mixtures, rows, where):
    """The older layout repeats the PSF for each radius of the profile (`sersic_bin`)."""
    if "sersic_bin" not in rows.dtype.names or len(np.unique(rows["sersic_bin"])) == 1:
        return mixtures
    bins = rows["sersic_bin"][0]
    parts = [mixtures[:, bins == value] for value in np.unique(bins)]
    if any(
        part.shape != parts[0].shape or not np.allclose(part, parts[0], rtol=1e-5, atol=1e-7)
        for part in parts
    ):
        warnings.warn(
            f"{where}: the PSF differs between radii of the profile (sersic_bin); the first is used for all",
            stacklevel=2,
        )
    return parts[0]
