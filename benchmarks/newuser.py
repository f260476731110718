"""What a new user has: a folder of exposures in JWST's layout, and nothing else; and what came of it.

    python benchmarks/newuser.py draw FOLDER --sources 1000 --stars 15
    fpho init FOLDER/data; fpho run FOLDER/data/fpho.yaml --cores 2; fpho view FOLDER/data/results
    python benchmarks/newuser.py judge FOLDER FOLDER/data/results [--other RUN]

`draw` writes FOLDER/data (the exposures) and FOLDER/drawn (truth, PSF images, the same exposures). `judge`
holds a run's catalog against the truth, and against that of a run with the true PSFs.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from fpho.config import make_config
from fpho.layout import Layout
from fpho.simulate import write_cal, write_field
from fpho.simulate.jwst import cal_name

PROGRAM = 9999
SAME = 0.1  # arcsec between a source and its truth
BRIGHT = (50, 200, np.inf)  # S/N


def draw(folder: Path, sources: int, stars: int, seed: int) -> None:
    """A field of two bands, four exposures each, as `_cal` files."""
    field = {"sources": sources, "stars": stars, "mosaic": False, "exposures": 4, "density": 150.0}
    options = make_config({"simulate": {"field": field}}).simulate.field
    write_field(options, folder / "drawn", seed)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for visit, band in enumerate(options.bands, 1):
        for number in range(1, options.exposures + 1):
            name = cal_name(PROGRAM, visit, number, options.pixel_scale[visit - 1])
            with fits.open(folder / "drawn" / "images" / f"{band}_{number}.fits") as hdus:
                wcs = WCS(hdus["SCI"].header)
                write_cal(folder / "data" / name, hdus["SCI"].data, hdus["ERR"].data, wcs, band)


def judge(folder: Path, run: Path, other: Path | None) -> None:
    """Found and false sources; fluxes over the truth's, and over another run's, by S/N."""
    truth = Table.read(folder / "drawn" / "truth.fits", hdu=1)
    for name in ("postop", "posterior"):
        path = getattr(Layout(run), name)
        if path.is_file():
            print(f"{path.name}:")
            found = Table.read(path, hdu=1)
            by_truth(found, truth)
            if other and getattr(Layout(other), name).is_file():
                by_other(found, Table.read(getattr(Layout(other), name), hdu=1))


def by_truth(found: Table, truth: Table) -> None:
    """How many are true, and the fluxes of those."""
    near, distance = matched(found, truth)
    real = distance < SAME * np.where(truth["is_point"][near], 1, 1 + truth["rhalf"][near] / 0.1)
    flagged = np.mean(found["flags"] > 0)
    print(f"  {len(found)} sources, {int(real.sum())} near a true one; flags on {flagged:.1%}")
    for snr in (5, 10, 20, 50):
        wanted = np.flatnonzero(truth["snr"] > snr)
        print(f"  of {len(wanted)} true ones above S/N {snr}, {np.isin(wanted, near[real]).sum()} are there")
    for band in bands_of(found):
        tell(f"{band} over the truth", found[real], band, truth[near[real]][band])


def by_other(found: Table, other: Table) -> None:
    """Fluxes over those of a run with other PSFs."""
    near, distance = matched(found, other)
    same = distance < SAME
    for band in bands_of(found):
        tell(f"{band} over the other run", found[same], band, other[near[same]][band])


def tell(text: str, found: Table, band: str, wanted) -> None:
    snr, ratio = found[band] / found[f"{band}_err"], np.asarray(found[band] / wanted)
    for low, high in pairwise(BRIGHT):
        chosen = ratio[(snr > low) & (snr <= high)]
        if len(chosen):
            low16, middle, high84 = np.percentile(chosen, [16, 50, 84])
            error = np.std(chosen) / np.sqrt(len(chosen))
            spread = f"16 and 84% at {low16:.4f}, {high84:.4f}"
            print(f"  {text}, S/N {low}-{high}: {len(chosen)}, median {middle:.4f} +- {error:.4f}, {spread}")


def bands_of(table: Table) -> list[str]:
    return table.meta["FILTERS"].split(",")


def matched(found: Table, others: Table):
    """(Index of the nearest other, arcsec to it) of each."""
    places = [SkyCoord(one["ra"], one["dec"], unit="deg") for one in (found, others)]
    near, distance, _ = places[0].match_to_catalog_sky(places[1])
    return near, distance.arcsec


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("draw")
    one.add_argument("folder", type=Path)
    one.add_argument("--sources", type=int, default=1000)
    one.add_argument("--stars", type=int, default=15)
    one.add_argument("--seed", type=int, default=31)
    two = commands.add_parser("judge")
    two.add_argument("folder", type=Path)
    two.add_argument("run", type=Path)
    two.add_argument("--other", type=Path)
    chosen = vars(parser.parse_args())
    {"draw": draw, "judge": judge}[chosen.pop("command")](**chosen)
