"""Stores of images: a file for each exposure, read region by region, and an index of all.

The pixel store of one kind of images is a folder with a file for each exposure, see `onefile`. The meta store
is their index: an HDF5 file with `exposures`, the JSON of a list of `ExposureEntry`. It is read once, and
says which exposures a region may touch; only these are opened, and stay open.
"""

import json
from copy import copy
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .. import __version__
from ..errors import UNREADABLE, DamagedError, InputError
from ..geometry import Circles, CircularRegion, linearize
from ..hdf5 import verify
from .exposure import Exposure, ExposureTiles, untile_image
from .onefile import ExposureEntry, OpenFiles, file_of, read_head, write_exposure
from .sums import read_tiles
from .wcs import ShiftedWCS, restore_wcs


def write_store(pixel_path, meta_path, exposures, provenance: dict | None = None) -> list[str]:
    """Write exposures (an iterable: one at a time is held) to a folder, and their index; their ids."""
    entries = [write_exposure(file_of(pixel_path, one.id), one, provenance) for one in exposures]
    write_index(pixel_path, meta_path, entries, provenance)
    return [entry.id for entry in entries]


def write_index(pixel_path, meta_path, entries: list[ExposureEntry], provenance: dict | None = None) -> None:
    """Write the index of the exposures in a folder; files of others, of an earlier run, are removed."""
    from ..hdf5 import create

    with create(meta_path) as file:
        file.attrs["fpho_version"] = __version__
        file.attrs["provenance"] = json.dumps(provenance or {})
        file["exposures"] = json.dumps([asdict(entry) for entry in entries])
    known = {file_of(pixel_path, entry.id) for entry in entries}
    for path in Path(pixel_path).glob("*.h5"):
        if path not in known:
            path.unlink(missing_ok=True)


class Store:
    """Exposures of one kind; header and WCS are read at their first use, pixels when asked for.

    A store can be handed to worker processes, which open its files anew.
    """

    def __init__(self, pixel_path, meta_path, shifts: dict | None = None):
        self.shifts = shifts or {}
        self.pixel_path, self.meta_path = Path(pixel_path), Path(meta_path)
        self._entries = {entry.id: entry for entry in _read_index(self.meta_path)}
        self.ids = list(self._entries)
        self._around = self._footprints()
        self._wcs: dict[str, object] = {}
        self._files = OpenFiles()

    def band(self, name: str) -> str:
        """Band of an exposure."""
        return self._entries[name].band

    def kind(self, name: str) -> str:
        """`mosaic` or `exposure`."""
        return self._entries[name].kind

    def psf(self, name: str) -> str:
        """Key of an exposure's PSF as the table of images gives it; empty: by its id or band."""
        return self._entries[name].psf

    def shape(self, name: str) -> tuple[int, int]:
        """(ny, nx) of an exposure."""
        return self._entries[name].shape

    def footprint(self, name: str) -> CircularRegion:
        """A circle around an exposure on the sky."""
        return self._entries[name].footprint

    def content(self, name: str) -> str:
        """Checksum of all that is in an exposure's file."""
        return self._entries[name].content

    def wcs(self, name: str):
        """WCS of an exposure."""
        if name not in self._wcs:
            wcs = restore_wcs(*self._head(name), f"{self.pixel_path}:{name}")
            self._wcs[name] = ShiftedWCS(wcs, self.shifts[name]) if name in self.shifts else wcs
        return self._wcs[name]

    def only(self, ids) -> "Store":
        """The same store with some of its exposures."""
        part = copy(self)
        part.ids = [name for name in self.ids if name in ids]
        part._around = part._footprints()
        return part

    def _footprints(self) -> Circles:
        """The circles around all exposures."""
        return Circles(self._entries[name].footprint for name in self.ids)

    def near(self, region) -> list[str]:
        """Ids of the exposures whose footprints meet a circle on the sky; no file is opened."""
        return [self.ids[i] for i in self._around.meeting(region)]

    def overlapping(self, region) -> list[str]:
        """Ids of the exposures whose pixels may lie in a circle on the sky."""
        return [name for name in self.near(region) if self._box(name, region) is not None]

    def tiles(self, name: str, region=None) -> ExposureTiles:
        """Tiles of an exposure in the box around a circle on the sky (None: all); others are not read."""
        entry, box = self._entries[name], self._box(name, region)
        if box is None:
            data, ierr, index = np.zeros((0, 64), "f4"), np.zeros((0, 64), "f4"), np.zeros((2, 0), "i4")
        else:
            columns, rows = (slice(*ends) for ends in box)
            index = np.mgrid[rows, columns].reshape(2, -1)
            data, ierr = self._read(entry, lambda path, file: read_tiles(path, file, rows, columns))
        return ExposureTiles(
            id=name,
            band=entry.band,
            wcs=self.wcs(name),
            psf=entry.psf,
            data=data,
            ierr=ierr,
            tile_x=(8 * index[1]).astype("i4"),
            tile_y=(8 * index[0]).astype("i4"),
            noise_slope=entry.noise_slope,
        )

    def exposure(self, name: str) -> Exposure:
        """A whole image."""
        entry = self._entries[name]
        rows, columns = (slice(0, -(-size // 8)) for size in entry.shape)
        both = self._read(entry, lambda path, file: read_tiles(path, file, rows, columns))
        data, ierr = (untile_image(one, entry.shape) for one in both)
        header, wcs_bytes = self._head(name)
        known = {
            key: getattr(entry, key) for key in ("id", "band", "kind", "psf", "noise_scale", "noise_slope")
        }
        return Exposure(data=data, ierr=ierr, wcs=self.wcs(name), header=header, wcs_bytes=wcs_bytes, **known)

    def _head(self, name: str) -> tuple:
        """Header, and bytes of the WCS where that cannot hold it."""
        entry = self._entries[name]
        return self._read(entry, lambda path, file: read_head(path, file, entry))

    def _read(self, entry: ExposureEntry, reader):
        """What a function of path and open file reads of an exposure."""
        path = file_of(self.pixel_path, entry.id)
        with self._files.reading(path, entry) as file:
            return reader(path, file)

    def _box(self, name, region):
        """Ranges of tiles ((x), (y)) that hold a region; None where it misses the image."""
        shape = self._entries[name].shape
        size = np.array([-(-shape[1] // 8), -(-shape[0] // 8)])
        if region is None:
            return (0, size[0]), (0, size[1])
        around = self._entries[name].footprint
        if around.separation(region.ra, region.dec) > around.radius + region.radius:
            return None  # far off, where the WCS need not even be made
        xy, scale = linearize(self.wcs(name), region.ra, region.dec)
        if not (np.all(np.isfinite(xy)) and np.all(np.isfinite(scale))):
            return None
        reach = region.radius * np.sqrt(np.sum(scale[0] ** 2, axis=1)) + 1
        low = np.clip(np.floor((xy[0] - reach) / 8), 0, size).astype(int)
        high = np.clip(np.floor((xy[0] + reach) / 8) + 1, 0, size).astype(int)
        return None if np.any(low >= high) else tuple(zip(low.tolist(), high.tolist(), strict=True))


def open_store(pixel_path, meta_path, shifts: dict | None = None) -> Store:
    """A store by its folder and its index; `shifts`: pixels (x, y) by which exposures' WCS are moved."""
    return Store(pixel_path, meta_path, shifts)


def _read_index(path: Path) -> list[ExposureEntry]:
    """Entries of all exposures of an index, held against its checksum."""
    import h5py

    if not path.is_file():
        raise InputError(path, "no such store", "Run `fpho preprocess` first")
    verify(path, ours=True)
    try:
        with h5py.File(path, "r") as file:
            return [ExposureEntry.of(tree) for tree in json.loads(file["exposures"][()])]
    except UNREADABLE as error:
        raise DamagedError(path, str(error)) from None
