"""Whether errors agree with the scatter of simulated sources in the blank sky of real mosaics.

python benchmarks/placements.py [--run results/jwst_ceers] [--snr 20] [--per-size N] [--scale measure|NUMBER]

Takes a run of config/jwst_ceers.yaml (`snakemake optimize`), puts one source at a time at blank places of
each mosaic, drawn by GalSim through the band's PSF image, and fits it with the run's PSF mixtures, the run's
galaxies fixed and their pixels masked, and a constant background in the fit: flux alone (position and shape
held), and all parameters (sampled). Prints by band the sd of (fit - truth) over the mean error, with its own
uncertainty.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from fpho.bounds import make_bounds
from fpho.config import Bounds, load_config
from fpho.geometry import CircularRegion, pixel_scale
from fpho.images import read_exposure, read_table
from fpho.images.noise import blank_pixels
from fpho.inject.sources import TruePSFs
from fpho.layout import Layout
from fpho.optimize import run_opt
from fpho.parameters import scene_dtype
from fpho.patch import CPUPatchMixin, DirectPatch
from fpho.psf import PSFStore
from fpho.sampling import run_lmc
from fpho.scene import read_scene
from fpho.sersic import load_table
from fpho.simulate import draw_effective

SIZES = (0.0, 0.06, 0.12, 0.25)  # half-light radii in arcsec; 0: a point source
HELD = ("ra", "dec", "q", "pa", "sersic", "rhalf")


class Patcher(DirectPatch, CPUPatchMixin):
    """Patches from memory."""


def blank_places(blank, radius: float, number: int, rng) -> np.ndarray:
    """Centres (N, 2) in pixels whose surroundings of `radius` pixels are blank, as far apart as possible."""
    from scipy.ndimage import distance_transform_edt

    y, x = np.nonzero(distance_transform_edt(np.pad(blank, 1))[1:-1, 1:-1] > radius)
    places = np.stack([x, y], axis=1)[rng.permutation(len(x))]
    chosen = places[:1]
    for _ in range(min(number, len(places)) - 1):
        nearest = np.min(np.hypot(*(places[:, None] - chosen[None]).transpose(2, 0, 1)), axis=1)
        if nearest.max() < 0.7 * radius + 2:
            break
        chosen = np.concatenate([chosen, places[nearest.argmax()][None]])
    return chosen + rng.uniform(-0.5, 0.5, chosen.shape)


def make_source(exposure, place, rhalf: float, rng) -> np.ndarray:
    """Scene row (1,) of a source of 1 nJy at a pixel."""
    row = np.zeros(1, scene_dtype((exposure.band,)))
    row["ra"], row["dec"] = exposure.wcs.pixel_to_world_values(*place)
    row["is_valid"], row["id"], row["roi"] = True, "placed", 1.0
    row["is_point"], row["rhalf"], row["sersic"], row["q"] = rhalf == 0, rhalf, 1.0, 1.0
    if rhalf:
        row["sersic"], row["q"] = rng.uniform(0.8, 2.0), rng.uniform(0.75, 0.95)
        row["pa"] = rng.uniform(-1.5, 1.5)
    row[exposure.band], row[f"{exposure.band}_err"] = 1.0, np.nan
    return row


def fit(exposure, row, galaxies, store, table, radius, held, config):
    """(flux, its error) of a source, nJy."""
    patcher = Patcher([exposure], store, table)
    patcher.build_patch(CircularRegion(row["ra"][0], row["dec"][0], radius), None, allbands=(exposure.band,))
    limits = Bounds(held=held, dpos=0.1, rhalf_range=config.bounds.rhalf_range)
    model, q = patcher.prepare_model(
        active=row,
        fixed=galaxies,
        bounds=make_bounds(row, (exposure.band,), limits),
        in_fit_background=config.background.mode == "in_fit",
    )
    if held:  # linear: the optimum says all
        optimum, _ = run_opt(model, q)
        return optimum.q[0], model.plan.unit[0, 0] * np.sqrt(optimum.covariance[0, 0])
    draws = run_lmc(model, q, n_draws=200, chains=2, seed=1)[0].chain[:, 0]
    return np.median(draws), np.std(draws)


def placed(spec, exposure, psfs, rhalf, options, galaxies, store, table, config, rng):
    """(fit - truth, error), each (N, 2): shape held and free, of sources of one size in one mosaic."""
    scale, blank = pixel_scale(exposure.wcs, exposure.data.shape), blank_pixels(exposure.data, exposure.ierr)
    out = []
    for place in blank_places(blank, 3 + rhalf / scale, options.per_size, rng):
        row = make_source(exposure, place, rhalf, rng)
        light = np.zeros(exposure.data.shape)
        draw_effective(light, row[0], exposure.wcs, *psfs.at(spec, *place), exposure.band, scale)
        flux = options.snr / np.sqrt(np.sum((light * exposure.ierr) ** 2))
        row[exposure.band] = flux
        data = np.where(exposure.ierr > 0, exposure.data + flux * light, 0)
        ierr = np.where(blank, exposure.ierr, 0)
        image = replace(exposure, data=data.astype("f4"), ierr=ierr.astype("f4"))
        radius = 0.4 + 3 * rhalf
        pairs = [fit(image, row, galaxies, store, table, radius, held, config) for held in options.shapes]
        out.append([(value - flux, error) for value, error in pairs])
    return np.array(out).reshape(-1, len(options.shapes), 2).transpose(2, 0, 1)


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", default="results/jwst_ceers", help="a run of config/jwst_ceers.yaml")
    parser.add_argument("--snr", type=float, default=20.0, help="by the measured noise, shape known")
    parser.add_argument("--per-size", type=int, default=40, help="most places for each size in each mosaic")
    parser.add_argument("--scale", default="measure", help="preprocess.noise_scale")
    parser.add_argument(
        "--flat", action="store_true", help="the same noise at all scales, that of 8 x 8 blocks"
    )
    parser.add_argument("--held", action="store_true", help="only with the shape held")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    options.shapes = (HELD,) if options.held else (HELD, ())
    layout = Layout(Path(options.run))
    config = load_config(layout.config)
    scale = options.scale if options.scale == "measure" else float(options.scale)
    preprocess = config.preprocess.model_copy(update={"noise_scale": scale})
    galaxies, _, _ = read_scene(layout.scene("optimize"))
    store, table, psfs = PSFStore(layout.psf_store), load_table(layout.sersic_table), TruePSFs(config.psfs)
    rng = np.random.default_rng(options.seed)
    by_band: dict[str, list] = {}
    for spec in read_table(config.images):
        exposure = read_exposure(spec, preprocess)
        if options.flat:
            exposure = replace(exposure, noise_slope=0.0)
        for rhalf in SIZES:
            found = placed(spec, exposure, psfs, rhalf, options, galaxies, store, table, config, rng)
            by_band.setdefault(spec.band, []).append((rhalf, *found))
        print(
            spec.id, f"noise scale {exposure.noise_scale:.2f}, slope {exposure.noise_slope:.2f}", flush=True
        )
    print("sd of (fit - truth) over mean error: shape held, free (places)")
    print("band   ", *(f"rhalf {rhalf:<20}" for rhalf in SIZES), "all sizes")
    for band, parts in [*by_band.items(), ("all", [part for some in by_band.values() for part in some])]:
        cells = [ratio([part for part in parts if part[0] == rhalf]) for rhalf in SIZES]
        print(f"{band:7s}", *cells, ratio(parts))


def ratio(parts) -> str:
    """sd of (fit - truth) / error over mosaics and places, each mosaic about its mean."""
    pulls = np.concatenate([difference / error.mean(axis=0) for _, difference, error in parts])
    sd = np.sqrt(np.mean(pulls**2, axis=0))
    values = ", ".join(f"{value:.2f}" for value in sd)
    return f"{values} +- {1 / np.sqrt(2 * len(pulls)):.2f} ({len(pulls)})".ljust(26)


if __name__ == "__main__":
    main()
