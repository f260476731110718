"""What a patch reads of its exposures: reads, bytes and seconds for many overlapping ones.

`python benchmarks/reads.py [--exposures 100] [--radius 1.2]`: exposures with noise, turned and shifted, are
written to stores in a temporary folder; then a patch in their middle is collected, by a process that has
opened none of them, and its neighbour beside it. Reads are system calls and bytes as the kernel counts them
(/proc/self/io, Linux), whether or not pages are in its cache.
"""

import argparse
import resource
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from fpho.geometry import CircularRegion
from fpho.images import Exposure, open_store, write_store
from fpho.patch.tiles import keep_region

RA, DEC, SCALE = 53.1, -27.8, 0.06  # degrees, arcsec per pixel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--exposures", type=int, default=100)
    parser.add_argument("--radius", type=float, default=1.2, help="of the patch, arcsec")
    parser.add_argument("--size", type=int, default=512, help="of an exposure, pixels")
    parser.add_argument("--far", type=int, default=0, help="further exposures that the patch does not touch")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder) / "pixels", Path(folder) / "meta.h5"
        write_store(*paths, made(given.exposures, given.far, given.size))
        disk = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        pixels = 8 * given.size**2 * (given.exposures + given.far)
        print(f"disk: {disk / 1e6:.1f} MB for {pixels / 1e6:.1f} MB of pixels")
        store, text = measured(lambda: open_store(*paths))
        print(f"{'opening the stores':24s}{text}")
        for name, east in (("patch", 0.0), ("patch beside it", 2.0), ("the first again", 0.0)):
            region = CircularRegion(RA + east / 3600 / np.cos(np.radians(DEC)), DEC, given.radius)
            useful, text = measured(lambda at=region: collect(store, at))
            print(f"{name:24s}{text}, of which {useful / 1e6:.2f} MB are the patch's")


def made(count: int, far: int, size: int):
    """Exposures (`Exposure`) around one place, and others a degree away."""
    rng = np.random.default_rng(1)
    for i in range(count + far):
        ra, dec = (RA, DEC) if i < count else (RA + 1, DEC)
        angle = rng.uniform(0, 2 * np.pi)
        turn = np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        wcs = WCS(naxis=2)
        wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [ra, dec]
        wcs.wcs.cd, wcs.wcs.crpix = turn * SCALE / 3600, size / 2 + rng.uniform(-0.2, 0.2, 2) * size
        header = wcs.to_header()
        yield Exposure(
            id=f"e{i}",
            band=f"b{i % 10}",
            kind="exposure",
            data=rng.normal(0, 2, (size, size)).astype("f4"),
            ierr=(1 / rng.uniform(1.9, 2.1, (size, size))).astype("f4"),
            wcs=WCS(header),
            header=fits.Header(header),
        )


def collect(store, region) -> int:
    """Collect a patch; bytes of its pixels and their errors."""
    tiles = [keep_region(store.tiles(name, region), region) for name in store.near(region)]
    return sum(one.data.nbytes + one.ierr.nbytes for one in tiles)


def measured(action):
    """(what an action gives, in words what it read and how long the processor worked)."""
    before, start = counts(), processor()
    value = action()
    seconds = processor() - start
    reads, size = (b - a for a, b in zip(before, counts(), strict=True))
    return value, f"{reads:6d} reads, {size / 1e6:7.2f} MB, {1e3 * seconds:7.1f} ms"


def counts() -> tuple[int, int]:
    """(reads, bytes read) of this process so far."""
    with open("/proc/self/io") as stream:
        values = dict(line.split(": ") for line in stream.read().splitlines())
    return int(values["syscr"]), int(values["rchar"])


def processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
