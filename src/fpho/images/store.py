"""Pixel store and meta store: images in 8 x 8 tiles in HDF5, read region by region.

Pixel store: one group per exposure with `data` and `ierr`, (T, 64) float32, all tiles of the padded
image row by row, and `sums`, (T, 2) uint32, a checksum of each (see `fpho.images.sums`). Meta store: one
group per exposure with its header (text), `wcs` where the header cannot hold it (bytes of an ASDF file with
the gwcs, or of a FITS file with look-up tables), and as attributes band, kind, psf, shape (ny, nx),
noise_scale and noise_slope (see `fpho.images.noise`), and footprint (ra, dec in degrees and radius in arcsec
of a circle around the image).
"""

import json
from contextlib import contextmanager
from copy import copy
from dataclasses import astuple
from pathlib import Path

import numpy as np
from astropy.io.fits import Header

from .. import __version__
from ..errors import UNREADABLE, DamagedError, InputError
from ..geometry import CircularRegion, footprint, linearize
from ..hdf5 import verify
from .exposure import Exposure, ExposureTiles, tile_image, untile_image
from .sums import read_tiles, tile_sums
from .wcs import ShiftedWCS, restore_wcs

CHUNK = 32  # tiles in a chunk: 8 kB, about what a small patch wants of a row of tiles


def write_store(pixel_path, meta_path, exposures, provenance: dict | None = None) -> list[str]:
    """Write exposures (an iterable: one at a time is held) to both stores; their ids."""
    from ..hdf5 import create

    ids = []
    with create(pixel_path) as pixels, create(meta_path) as meta:
        for file in (pixels, meta):
            file.attrs["fpho_version"] = __version__
            file.attrs["provenance"] = json.dumps(provenance or {})
        for exposure in exposures:
            _write_pixels(pixels.create_group(exposure.id), exposure)
            _write_meta(meta.create_group(exposure.id), exposure)
            ids.append(exposure.id)
            pixels.check()  # a full disk ends it now, not after the last image
        meta.attrs["ids"] = json.dumps(ids)
    return ids


def _write_pixels(group, exposure: Exposure) -> None:
    sums = []
    for name in ("data", "ierr"):
        tiles = tile_image(getattr(exposure, name))
        chunks = (min(CHUNK, len(tiles)), 64)
        group.create_dataset(name, data=tiles, chunks=chunks, compression="lzf", shuffle=True)
        sums.append(tile_sums(tiles))
    group["sums"] = np.stack(sums, axis=-1)


def _write_meta(group, exposure: Exposure) -> None:
    group.attrs.update(
        band=exposure.band,
        kind=exposure.kind,
        psf=exposure.psf,
        shape=exposure.data.shape,
        noise_scale=exposure.noise_scale,
        noise_slope=exposure.noise_slope,
        footprint=astuple(footprint(exposure.wcs, exposure.data.shape)),
    )
    text = exposure.header.tostring(sep="\n", endcard=False, padding=False)
    group["header"] = np.frombuffer(text.encode("ascii", "replace"), "u1")
    if exposure.wcs_bytes:
        group["wcs"] = np.frombuffer(exposure.wcs_bytes, "u1")


class Store:
    """Exposures of one kind; a WCS is made at its first use, pixels are read when asked for.

    Files are opened for each reading, so that a store can be handed to worker processes.
    """

    def __init__(self, pixel_path, meta_path, shifts: dict | None = None):
        self.shifts = shifts or {}
        self.pixel_path, self.meta_path = Path(pixel_path), Path(meta_path)
        self.ids: list[str] = []
        self._meta: dict[str, dict] = {}
        self._wcs: dict[str, object] = {}
        with _open(self.meta_path, whole=True) as meta:
            for name in json.loads(meta.attrs["ids"]):
                self.ids.append(name)
                self._meta[name] = _read_meta(meta[name])

    def band(self, name: str) -> str:
        """Band of an exposure."""
        return self._meta[name]["band"]

    def kind(self, name: str) -> str:
        """`mosaic` or `exposure`."""
        return self._meta[name]["kind"]

    def psf(self, name: str) -> str:
        """Key of an exposure's PSF as the table of images gives it; empty: by its id or band."""
        return self._meta[name]["psf"]

    def wcs(self, name: str):
        """WCS of an exposure."""
        if name not in self._wcs:
            meta = self._meta[name]
            wcs = restore_wcs(meta["header"], meta["wcs_bytes"], f"{self.meta_path}:{name}")
            self._wcs[name] = ShiftedWCS(wcs, self.shifts[name]) if name in self.shifts else wcs
        return self._wcs[name]

    def shape(self, name: str) -> tuple[int, int]:
        """(ny, nx) of an exposure."""
        return self._meta[name]["shape"]

    def only(self, ids) -> "Store":
        """The same store with some of its exposures."""
        part = copy(self)
        part.ids = [name for name in self.ids if name in ids]
        return part

    def overlapping(self, region) -> list[str]:
        """Ids of the exposures whose pixels may lie in a circle on the sky."""
        return [name for name in self.ids if self._box(name, region) is not None]

    def tiles(self, name: str, region=None) -> ExposureTiles:
        """Tiles of an exposure in the box around a circle on the sky (None: all); others are not read."""
        meta, box = self._meta[name], self._box(name, region)
        across = -(-meta["shape"][1] // 8)
        with _open(self.pixel_path) as pixels:
            if box is None:
                index, data, ierr = np.zeros(0, int), np.zeros((0, 64), "f4"), np.zeros((0, 64), "f4")
            else:
                (x_low, x_high), (y_low, y_high) = box
                rows = [slice(row * across + x_low, row * across + x_high) for row in range(y_low, y_high)]
                index = np.concatenate([np.arange(row.start, row.stop) for row in rows])
                data, ierr = read_tiles(self.pixel_path, pixels[name], rows)
        return ExposureTiles(
            id=name,
            band=meta["band"],
            wcs=self.wcs(name),
            psf=meta["psf"],
            data=data,
            ierr=ierr,
            tile_x=(8 * (index % across)).astype("i4"),
            tile_y=(8 * (index // across)).astype("i4"),
            noise_slope=meta["noise_slope"],
        )

    def exposure(self, name: str) -> Exposure:
        """A whole image."""
        meta = self._meta[name]
        with _open(self.pixel_path) as pixels:
            n_tiles = int(np.prod([-(-size // 8) for size in meta["shape"]]))
            both = read_tiles(self.pixel_path, pixels[name], [slice(0, n_tiles)])
        planes = {
            kind: untile_image(one, meta["shape"]) for kind, one in zip(("data", "ierr"), both, strict=True)
        }
        names = ("band", "kind", "header", "psf", "noise_scale", "noise_slope", "wcs_bytes")
        return Exposure(id=name, wcs=self.wcs(name), **planes, **{key: meta[key] for key in names})

    def _box(self, name, region):
        """Ranges of tiles ((x), (y)) that hold a region; None where it misses the image."""
        shape = self._meta[name]["shape"]
        size = np.array([-(-shape[1] // 8), -(-shape[0] // 8)])
        if region is None:
            return (0, size[0]), (0, size[1])
        around = self._meta[name]["footprint"]
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
    """A store by the paths of its two files; `shifts`: pixels (x, y) by which exposures' WCS are moved."""
    return Store(pixel_path, meta_path, shifts)


@contextmanager
def _open(path, whole: bool = False):
    """A store, held against its checksum if `whole`; tiles have their own, see `read_tiles`."""
    import h5py

    if not path.is_file():
        raise InputError(path, "no such store", "Run `fpho preprocess` first")
    if whole:
        verify(path, ours=True)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except UNREADABLE as error:
        raise DamagedError(path, str(error)) from None


def _read_meta(group) -> dict:
    header = Header.fromstring(bytes(group["header"][:]).decode(), sep="\n")
    meta = {key: group.attrs[key] for key in ("band", "kind", "psf")}
    return meta | {
        "noise_scale": float(group.attrs["noise_scale"]),
        "noise_slope": float(group.attrs.get("noise_slope", 0.0)),
        "shape": tuple(int(n) for n in group.attrs["shape"]),
        "footprint": CircularRegion(*map(float, group.attrs["footprint"])),
        "header": header,
        "wcs_bytes": bytes(group["wcs"][:]) if "wcs" in group else b"",
    }
