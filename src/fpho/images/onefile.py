"""The file of one exposure: its pixels in tiles of 8 x 8, header and WCS; and what the index says of it.

`pixels`, (Ty, Tx, 2, 64) float32: data and 1 / sigma of all tiles of the padded image, in chunks of CHUNK,
about what a small patch wants; `sums`, (Ty, Tx, 2) uint32, a checksum of each (see `sums`); `header` (text),
and `wcs` where the header cannot hold it (bytes of an ASDF file with the gwcs, or of a FITS file with look-up
tables). What else is known stands in the attribute `entry` (JSON), of which the index has a copy.
"""

import hashlib
import json
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io.fits import Header

from .. import __version__
from ..errors import UNREADABLE, DamagedError
from ..geometry import CircularRegion, footprint
from ..hdf5 import is_whole
from .exposure import Exposure, tile_image
from .sums import tile_sums

CHUNK = (4, 4)  # tiles (y, x) in a chunk: 8 kB, both planes together
SUMS = (16, 16)  # tiles whose checksums are one chunk
STRIP = 64  # rows of tiles that are written at a time
OPEN = 128  # files that a process keeps open; a system may allow no more than 256


@dataclass(frozen=True)
class ExposureEntry:
    """What is known of an exposure without opening its file."""

    id: str
    band: str
    kind: str  # `mosaic` or `exposure`
    psf: str  # key of its PSF as the table of images gives it; empty: by its id or band
    shape: tuple[int, int]  # (ny, nx)
    noise_scale: float
    noise_slope: float
    good: float  # fraction of its pixels
    footprint: CircularRegion  # a circle around the image
    head: str  # checksum of header and WCS
    content: str  # checksum of all: of these values, header, WCS and pixels

    @classmethod
    def of(cls, tree: dict) -> "ExposureEntry":
        """From JSON's form of it."""
        shape, around = tuple(tree["shape"]), CircularRegion(**tree["footprint"])
        return cls(**tree | {"shape": shape, "footprint": around})


def file_of(folder, name: str) -> Path:
    """The file of an exposure in a pixel store; the table of images sees to it that names can be files."""
    return Path(folder) / f"{name}.h5"


def write_exposure(path, exposure: Exposure, provenance: dict | None = None) -> ExposureEntry:
    """Write an exposure's file; what the index says of it. `provenance`: of what it was made."""
    from ..hdf5 import create

    text = exposure.header.tostring(sep="\n", endcard=False, padding=False).encode("ascii", "replace")
    entry = ExposureEntry(
        id=exposure.id,
        band=exposure.band,
        kind=exposure.kind,
        psf=exposure.psf,
        shape=tuple(map(int, exposure.data.shape)),
        noise_scale=float(exposure.noise_scale),
        noise_slope=float(exposure.noise_slope),
        good=float((exposure.ierr > 0).mean()),
        footprint=footprint(exposure.wcs, exposure.data.shape),
        head=_digest(text, exposure.wcs_bytes),
        content="",
    )
    with create(path, latest=True) as file:
        file["header"] = np.frombuffer(text, "u1")
        file["wcs"] = np.frombuffer(exposure.wcs_bytes, "u1")
        sums = _write_pixels(file, exposure)
        content = _digest(json.dumps(asdict(entry)).encode(), sums.tobytes())
        entry = replace(entry, content=content)
        file.attrs["fpho_version"] = __version__
        file.attrs["provenance"] = json.dumps(provenance or {})
        file.attrs["entry"] = json.dumps(asdict(entry))
        file.attrs["content"] = np.bytes_(content)  # fixed length: in other damaged texts HDF5 hangs
    return entry


def kept_exposure(path, provenance: dict) -> ExposureEntry | None:
    """What an exposure's file says of it, where it is there, whole, and made of just this; else None."""
    import h5py

    if not is_whole(path, ours=True):
        return None
    try:
        with h5py.File(path, "r") as file:
            same = json.loads(file.attrs["provenance"]) == json.loads(json.dumps(provenance))
            return ExposureEntry.of(json.loads(file.attrs["entry"])) if same else None
    except UNREADABLE:
        return None


def _write_pixels(file, exposure: Exposure) -> np.ndarray:
    """Write `pixels` and `sums`, which are returned."""
    ny, nx = (-(-n // 8) for n in exposure.data.shape)
    chunks = tuple(min(pair) for pair in zip(CHUNK, (ny, nx), strict=True))
    options = {"dtype": "f4", "chunks": (*chunks, 2, 64), "compression": "lzf", "shuffle": True}
    pixels = file.create_dataset("pixels", (ny, nx, 2, 64), **options)
    sums = np.zeros((ny, nx, 2), "u4")
    for start in range(0, ny, STRIP):
        lines = slice(8 * start, 8 * (start + STRIP))
        planes = [
            tile_image(plane[lines].astype("f4", copy=False)) for plane in (exposure.data, exposure.ierr)
        ]
        rows = slice(start, start + len(planes[0]) // nx)
        for k, tiles in enumerate(planes):
            sums[rows, :, k] = tile_sums(tiles).reshape(-1, nx)
        pixels[rows] = np.stack([tiles.reshape(-1, nx, 64) for tiles in planes], axis=2)
        file.check()  # a full disk ends it now
    chunks = tuple(min(pair) for pair in zip(SUMS, (ny, nx), strict=True))
    file.create_dataset("sums", data=sums, chunks=(*chunks, 2))
    return sums


class OpenFiles:
    """Files of exposures that stay open in this process, those used last; another process opens its own."""

    def __init__(self):
        self._open: OrderedDict = OrderedDict()

    def __reduce__(self):
        return OpenFiles, ()

    @contextmanager
    def reading(self, path: Path, entry: ExposureEntry):
        """The open file of an exposure.

        Raises
        ------
        DamagedError
            If it is gone, cannot be read, or is another than the index speaks of.
        """
        try:
            yield self._file(path, entry)
        except UNREADABLE as error:
            self._close(path)
            raise DamagedError(path, str(error)) from None
        except DamagedError:
            self._close(path)
            raise

    def _file(self, path: Path, entry: ExposureEntry):
        import h5py

        key = path, entry.content
        if key in self._open:
            self._open.move_to_end(key)
            return self._open[key]
        if not path.is_file():
            raise DamagedError(path, "the file is gone, though the index of exposures has it")
        file = h5py.File(path, "r", rdcc_nbytes=1 << 17)
        if file.attrs["content"] != entry.content.encode():
            file.close()
            raise DamagedError(path, "damaged, or another exposure than the index of exposures speaks of")
        self._open[key] = file
        if len(self._open) > OPEN:
            self._open.popitem(last=False)[1].close()
        return file

    def _close(self, path: Path) -> None:
        for key in [key for key in self._open if key[0] == path]:
            self._open.pop(key).close()


def read_head(path, file, entry: ExposureEntry) -> tuple[Header, bytes]:
    """Header and bytes of the WCS (none: it is in the header) of an exposure's open file."""
    text, wcs = file["header"][:].tobytes(), file["wcs"][:].tobytes()
    if _digest(text, wcs) != entry.head:
        raise DamagedError(path, "its header or WCS is not what was written")
    return Header.fromstring(text.decode(), sep="\n"), wcs


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:32]
