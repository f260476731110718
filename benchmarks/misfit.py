"""Galaxies that no Sersic profile describes: do intervals of fluxes, colours and sizes hold the truth?

python benchmarks/misfit.py TABLE_OF_PSFS [--galaxies N] [--seed N] [--out FILE] [--report FILE ...]

GalSim draws galaxies of S/N 20 to 500 (log-uniform, in the better of two bands), alike in both bands, each on
a cut-out: `arms` have a bulge, a disc, arms and knots (`fpho.simulate.knots`); `twisted` a bulge and a disc
of other axis ratio and angle, and random knots; `sersic` are for comparison. PSFs are two images of a table
(TSV) of PSFs, pixel response included. Each is measured as a user would, `fpho.fit(..., draws=0)`, with
`model.misfit` on and off. Printed by kind and S/N: how often the truth is within 68% intervals, sd of pulls,
median ratio (of colours and ln of sizes: difference), and the median factor by which variances grew.
"""

import argparse
from itertools import pairwise, product
from pathlib import Path

import galsim
import numpy as np
import pandas as pd
from astropy.table import Table

import fpho
from fpho.simulate.knots import clumpy_galaxy

PIXEL = {"blue": 0.031, "red": 0.063}  # arcsec
SIDE = 3.6  # arcsec
SNR = 20.0, 500.0
BINS = 20.0, 60.0, 170.0, 500.0
KINDS = "arms", "twisted", "sersic"
MODES = "measure", "off"
QUANTITIES = "blue", "red", "colour", "ln_size"
COLOUR = 1.5  # red over blue


def galaxy(kind: str, rng):
    """(GalSim object of flux 1 on the sky, circularised half-light radius in arcsec or NaN)."""
    size, ratio, pa = np.exp(rng.normal(np.log(0.22), 0.45)), rng.uniform(0.3, 1.0), rng.uniform(-1.5, 1.5)
    if kind == "arms":
        return clumpy_galaxy(size, ratio, pa, rng)
    if kind == "sersic":
        index = np.clip(rng.lognormal(np.log(1.5), 0.5), 0.6, 5.0)
        smooth = galsim.Sersic(n=index, half_light_radius=size)
        return smooth.shear(q=ratio, beta=pa * galsim.radians), size
    disc = galsim.Exponential(half_light_radius=size).shear(q=ratio, beta=pa * galsim.radians)
    dots = galsim.RandomKnots(20, profile=disc, rng=galsim.BaseDeviate(int(rng.integers(2**31))))
    dots = galsim.Convolve(dots, galsim.Gaussian(sigma=0.1 * size))
    bulge = galsim.DeVaucouleurs(half_light_radius=0.3 * size, trunc=3 * size)
    bulge = bulge.shear(q=0.8, beta=rng.uniform(-1.5, 1.5) * galsim.radians)
    shares = rng.uniform(0.05, 0.5), rng.uniform(0.1, 0.4)
    whole = bulge * shares[0] + (disc * (1 - shares[1]) + dots * shares[1]) * (1 - shares[0])
    return whole.withFlux(1.0), np.nan


def psf_images(table: Path) -> list[tuple[np.ndarray, float]]:
    """(image, samples per pixel) of the first two PSFs."""
    from astropy.io import fits

    out = []
    for row in pd.read_csv(table, sep="\t").to_dict("records")[:2]:
        with fits.open(table.parent / row["path"]) as hdus:
            image = next(np.asarray(hdu.data, "f8") for hdu in hdus if hdu.data is not None)
        out.append((image / image.sum(), float(row["oversample"])))
    return out


def exposures(kind: str, psfs, rng):
    """(images by band, true fluxes, true size) of one galaxy, noise of 1 nJy in a pixel."""
    profile, size = galaxy(kind, rng)
    images, shift = {}, rng.uniform(-0.03, 0.03, 2)
    for (band, pixel), (psf, oversample) in zip(PIXEL.items(), psfs, strict=True):
        seen = galsim.InterpolatedImage(galsim.Image(psf), scale=pixel / oversample, flux=1.0)
        side = int(SIDE / pixel)
        params = galsim.GSParams(maximum_fft_size=16384)
        light = galsim.Convolve(profile.shift(*shift), seen, gsparams=params)
        # x runs west on the sky's image, as `fpho.fit` takes images without a WCS
        light = light.transform(-1, 0, 0, 1)
        images[band] = light.drawImage(nx=side, ny=side, scale=pixel, method="no_pixel").array.astype("f8")
    powers = {"blue": np.sum(images["blue"] ** 2), "red": COLOUR**2 * np.sum(images["red"] ** 2)}
    flux = np.exp(rng.uniform(*np.log(SNR))) / np.sqrt(max(powers.values()))
    fluxes = {"blue": flux, "red": COLOUR * flux}
    noisy = {band: fluxes[band] * one + rng.normal(size=one.shape) for band, one in images.items()}
    return noisy, fluxes, size


def measured(noisy, psfs, fluxes, mode: str) -> dict:
    """Values and errors by QUANTITIES, and the factor on variances."""
    bands = tuple(PIXEL)
    y, x = (0.5 * (n - 1) for n in noisy["blue"].shape)
    start = {"x": x, "y": y, "rhalf": 0.2} | {band: 0.7 * fluxes[band] for band in bands}
    found = fpho.fit(
        noisy,
        {band: psf for band, (psf, _) in zip(bands, psfs, strict=True)},
        dict.fromkeys(bands, 1.0),
        sources=Table([start]),
        pixel_scale=PIXEL,
        psf_oversample={band: oversample for band, (_, oversample) in zip(bands, psfs, strict=True)},
        background="off",
        draws=0,
        progress=False,
        options={"model.misfit": mode},
    )
    return {name: row_value(found.table, name) for name in (*QUANTITIES, "misfit", "snr")}


def row_value(table, name: str) -> tuple[float, float]:
    """(value, error) of the only source."""
    row = table[0]

    def number(column: str) -> float:
        return float(getattr(row[column], "value", row[column]))

    if name == "misfit":
        return number("misfit"), 0.0
    if name == "snr":
        return max(number(b) / number(f"{b}_err") for b in PIXEL), 0.0
    if name == "colour":
        column = next(c for c in table.colnames if "blue" in c and "red" in c and not c.endswith("err"))
        return number(column), number(f"{column}_err")
    if name == "ln_size":
        return np.log(number("rhalf")), number("rhalf_err") / number("rhalf")
    return number(name), number(f"{name}_err")


def measure(psfs, galaxies: int, seed: int, out: Path | None):
    """By name, arrays (N,): kind, mode, snr, factor and (truth, value, error) of each quantity."""
    rows = []
    for index in range(galaxies):
        rng = np.random.default_rng([seed, index])
        kind = KINDS[index % len(KINDS)]
        noisy, fluxes, size = exposures(kind, psfs, rng)
        truth = {**fluxes, "colour": -2.5 * np.log10(1 / COLOUR), "ln_size": np.log(size)}
        for mode in MODES:
            values = measured(noisy, psfs, fluxes, mode)
            row = [kind, mode, values["snr"][0], values["misfit"][0]]
            rows.append(row + [x for name in QUANTITIES for x in (truth[name], *values[name])])
        if out:
            np.savez(out, rows=np.array(rows, object).astype(str))
    return np.array(rows, object).astype(str)


def report(rows) -> None:
    """The table."""
    kind, mode, numbers = rows[:, 0], rows[:, 1], rows[:, 2:].astype("f8")
    snr = np.repeat(numbers[mode == "off", 0], len(MODES))  # without the misfit's errors
    heads = "kind", "misfit", "S/N", "N", "factor", *(f"{q}: 68%, sd, ratio" for q in QUANTITIES)
    print(f"| {' | '.join(heads)} |")
    for k, m, (low, high) in product(KINDS, MODES, (*pairwise(BINS), (BINS[0], BINS[-1]))):
        here = numbers[(kind == k) & (mode == m) & (snr >= low) & (snr < high)]
        if len(here):
            cells = [summary(*here[:, 2 + 3 * q : 5 + 3 * q].T, q > 1) for q in range(len(QUANTITIES))]
            bins = f"{low:g}-{high:g} | {len(here)} | {np.median(here[:, 1]):.1f}"
            print(f"| {k} | {m} | {bins} | {' | '.join(cells)} |")


def summary(true, value, error, is_difference: bool) -> str:
    """A cell of the table."""
    pull = (value - true) / error
    off = np.median(value - true if is_difference else value / true)
    return f"{np.mean(abs(pull) < 1):.0%}, {np.std(pull):.2f}, {off:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("psfs", type=Path)
    parser.add_argument("--galaxies", type=int, default=180)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="keep the numbers (npz)")
    parser.add_argument("--report", type=Path, nargs="+", help="only print what these files hold")
    arguments = parser.parse_args()
    if arguments.report:
        rows = np.concatenate([np.load(path)["rows"] for path in arguments.report])
    else:
        rows = measure(psf_images(arguments.psfs), arguments.galaxies, arguments.seed, arguments.out)
    report(rows)


if __name__ == "__main__":
    main()
