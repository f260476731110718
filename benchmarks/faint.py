"""Faint galaxies of a deep population, as a catalog lists them: fluxes and sizes under a prior.

python benchmarks/faint.py [--sources N] [--seed N] [--set OPTION=VALUE] [--out FILE] [--report FILE ...]

Galaxies are drawn by `fpho.simulate.population` (counts, sizes, indices, colours as published there) to far
below the noise, their stamps by GalSim; a stamp is kept where a matched filter for a small galaxy sees S/N >
3 in the data, as a catalog is made. Each is fitted and sampled by the code of a run, from a rough first
guess, once with flat fluxes and once with the prior of the population. Printed by *measured* S/N (flux over
its error): median ratio of measured to true flux, mean pull and its error, sd of pulls, coverage of 68%
intervals, the same of ln(size).
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from fpho.bounds import make_bounds
from fpho.calibrate.camera import REFERENCE, bands_of, cameras, make_store, snr_of
from fpho.calibrate.trial import Trial, fit, names_of, values_of
from fpho.config import load_config
from fpho.geometry import offset
from fpho.parameters import error_col, scene_dtype
from fpho.simulate.population import draw_population

DEPTH = 28.5  # AB magnitude of a point source of S/N 5 in the first band
LISTED = 3.0  # S/N of the filter
FAINTEST = 0.7  # S/N: sources are drawn to the magnitude of a point source of this
ROUGH = 0.3  # dex of fluxes and sizes that fits start from
BINS = ((3.0, 5.0), (5.0, 10.0), (10.0, 30.0))
PRIORS = {"flat": False, "population": True}
QUANTITIES = ("truth", "mean", "sd", "low", "median", "high")
BRIGHTEST = 40.0  # S/N of the filter: what is brighter tells nothing here


def configured(options: list[str]):
    """The configuration, its noise such that the depth is DEPTH."""
    config = load_config(None, options)
    point = np.zeros(1, scene_dtype(bands_of(config)))
    point["ra"], point["dec"], point["is_point"] = *REFERENCE, True
    for band in bands_of(config):
        point[band] = 10 ** (-0.4 * (DEPTH - 31.4))
    return load_config(None, [*options, f"calibrate.noise={snr_of(point, config)[0, 0] / 5.0}"])


def filtered(exposures, templates) -> float:
    """Largest S/N of the bands that a matched filter sees at the place where a source may be."""
    return max(
        float(np.sum(one.data * t) / np.sqrt(np.sum(t**2)) * one.ierr.max())
        for one, t in zip(exposures, templates, strict=True)
    )


def galaxies(config, rng):
    """Yield (true row (1,), its exposures) of galaxies that are listed, and never those that are not."""
    bands, looks = bands_of(config), cameras(config)
    template = np.zeros(1, scene_dtype(bands))
    template["ra"], template["dec"], template["q"], template["sersic"], template["rhalf"] = (
        *REFERENCE,
        1,
        1,
        0.1,
    )
    for band in bands:
        template[band] = 1.0
    templates = [look.noiseless(template) for look in looks]
    faintest = DEPTH + 2.5 * np.log10(5.0 / FAINTEST)
    pixel = max(config.calibrate.pixel_scale)
    place = (
        lambda n, rng: rng.uniform(-0.5, 0.5, (n, 2)) * pixel,
        lambda xy: offset(*REFERENCE, *np.asarray(xy).T),
    )
    while True:
        rows = draw_population(500, bands, faintest, place, rng)
        rows["ra"], rows["dec"] = place[1](place[0](len(rows), rng))  # no companions: one galaxy on a stamp
        for i in rng.permutation(np.flatnonzero(~rows["is_point"])):
            truth = rows[i : i + 1]
            exposures = [look.expose(truth, rng) for look in looks]
            if LISTED < filtered(exposures, templates) < BRIGHTEST:
                yield truth, exposures


def guessed(truth, config, rng):
    """(scene row to start from, its bounds): rough values, the noise of a small source as errors."""
    bands, known = bands_of(config), truth.copy()
    unit = np.zeros(1, truth.dtype)
    unit["ra"], unit["dec"], unit["q"], unit["sersic"], unit["rhalf"] = *REFERENCE, 1, 1, 0.1
    for band in bands:
        unit[band] = 1.0
    for band, snr in zip(bands, snr_of(unit, config)[0], strict=True):
        known[error_col(band)] = 1 / snr
        known[band] = np.maximum(truth[band], 2 / snr) * 10 ** (ROUGH * rng.standard_normal())
    known["rhalf"] *= 10 ** (ROUGH * rng.standard_normal())
    known["sersic"], known["q"], known["pa"], known["roi"] = 1.5, 0.9, 0.3, 1.0
    known["ra"], known["dec"] = REFERENCE
    return known, make_bounds(known, bands, config.bounds, max(config.calibrate.pixel_scale))


def measure(config, sources: int, store: Path, out: Path | None) -> dict[str, dict[str, np.ndarray]]:
    """By prior: QUANTITIES (N, C) of the true values and of the draws, in the order of `names_of`."""
    rng = np.random.default_rng([config.seed, 77])
    drawn, bands = galaxies(config, rng), bands_of(config)
    found: dict[str, list] = {prior: [] for prior in PRIORS}
    draws = []
    for index in range(sources):
        truth, exposures = next(drawn)
        known, bounds = guessed(truth, config, rng)
        true = values_of(truth, known, bands)[0]
        for prior, options in PRIORS.items():
            trial = Trial(with_population(config, options), "isolated", index, store)
            one = fit(exposures, known, bounds, trial, trial.seed)
            parts = np.percentile(one["draws"][:, 0], [15.8655, 50, 84.1345], axis=0)
            found[prior].append([true, one["mean"][0], one["sd"][0], *parts])
            if prior == "flat":
                draws.append(one["draws"][:, 0])
        if out and (index % 10 == 9 or index == sources - 1):
            kept = {prior: np.array(some) for prior, some in found.items()}
            np.savez(out, bands=bands, draws=np.array(draws, "f4"), **kept)
    return {prior: arrays(some) for prior, some in found.items()}


def with_population(config, use: bool):
    """The configuration with the prior of the population or without."""
    population = config.priors.population.model_copy(update={"use": use})
    return config.model_copy(update={"priors": config.priors.model_copy(update={"population": population})})


def arrays(some) -> dict[str, np.ndarray]:
    """By name, from (N, 6, C)."""
    return dict(zip(QUANTITIES, np.moveaxis(np.array(some), 1, 0), strict=True))


def report(bands, found) -> None:
    """The table, by bins of measured S/N."""
    names = names_of(bands)
    size = names.index("ln_rhalf")
    print("| S/N | band | N | median ratio | mean pull | +- | sd | 68% | ln r: mean pull | sd |")
    for low, high in BINS:
        for b, band in enumerate(bands):
            snr = found["mean"][:, b] / found["sd"][:, b]
            here = (snr >= low) & (snr < high)
            n = max(int(here.sum()), 1)
            pull = ((found["mean"] - found["truth"]) / found["sd"])[here]
            ratio = np.median(found["median"][here, b] / found["truth"][here, b]) if here.any() else np.nan
            inside = (found["low"] < found["truth"]) & (found["truth"] < found["high"])
            flux, r = pull[:, b], pull[:, size]
            print(
                f"| {low:g}-{high:g} | {band} | {here.sum()} | {ratio:.3f} | {flux.mean():.3f} | "
                f"{flux.std() / np.sqrt(n):.3f} | {flux.std():.2f} | {inside[here, b].mean():.2f} | "
                f"{r.mean():.2f} | {r.std():.2f} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sources", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--out", type=Path, help="keep the numbers (npz)")
    parser.add_argument("--report", type=Path, nargs="+", help="only print what these files hold")
    arguments = parser.parse_args()
    if arguments.report:
        kept = [dict(np.load(path)) for path in arguments.report]
        bands = tuple(map(str, kept[0]["bands"]))
        found = {prior: arrays(np.concatenate([one[prior] for one in kept])) for prior in PRIORS}
    else:
        config = configured([f"seed={arguments.seed}", *arguments.set])
        bands = bands_of(config)
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "psfs.h5"
            make_store(config, store)
            found = measure(config, arguments.sources, store, arguments.out)
    for prior, some in found.items():
        print(f"\n{prior}, {len(some['truth'])} galaxies\n")
        report(bands, some)


if __name__ == "__main__":
    main()
