"""One trial: draw a source (or a pair, or nothing) and its images, fit, sample, keep truth and draws.

A trial is fitted by the code that fits patches of a run: `DirectPatch`, `run_opt`, `run_lmc`, with the
configuration's priors and options.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..bounds import make_bounds
from ..config import Config, Priors
from ..errors import InputError
from ..files import atomic
from ..geometry import CircularRegion, offset
from ..optimize import run_opt
from ..parameters import ellipticity, error_col, q_names, scene_dtype
from ..patch import CPUPatchMixin, DirectPatch
from ..psf import PSFStore
from ..results import optimum_rows, plain
from ..sampling import run_lmc
from ..sampling.options import sampler_options
from ..sersic import load_table
from .camera import REFERENCE, bands_of, cameras, snr_of, unit_snr
from .priors import draw_truth

KINDS = ("isolated", "pairs", "empty")
SPREAD = 0.5  # of ln S/N between bands
DRAWN = 6.2  # largest Sersic index that GalSim draws
START = {"q": 0.9, "pa": 0.3, "sersic": 1.5, "rhalf": 0.2}  # a catalog's first guess


class Patcher(DirectPatch, CPUPatchMixin):
    """Pixels in memory, likelihood on the CPU."""


@dataclass(frozen=True)
class Trial:
    """A trial to be run: `seed` makes it what it is."""

    config: Config
    kind: str  # one of KINDS
    index: int
    psf_store: Path

    @property
    def priors(self) -> Priors:
        """Those of the fit: the flat ones that truths are drawn from, unless a population is asked for."""
        priors = self.config.priors
        flat = priors.population.model_copy(update={"use": bool(priors.population.use)})
        return priors.model_copy(update={"population": flat})

    @property
    def seed(self) -> np.random.SeedSequence:
        """Random numbers of this trial and of no other."""
        return np.random.SeedSequence(self.config.seed, spawn_key=(1000, KINDS.index(self.kind), self.index))


def run_trial(trial: Trial, path) -> None:
    """Run a trial and write its file (npz)."""
    config = trial.config
    drawing, sampling = trial.seed.spawn(2)
    rng = np.random.default_rng(drawing)
    known, bounds, truth = make_truth(trial, rng)
    drawn = truth if trial.kind != "empty" else truth[:0]
    exposures = [camera.expose(drawn, rng) for camera in cameras(config)]
    outcome = fit(exposures, known, bounds, trial, sampling)
    snr = snr_of(truth, config) if len(drawn) else np.zeros((len(truth), len(bands_of(config))))
    meta = {"kind": trial.kind, "index": trial.index, **outcome.pop("meta")}
    values = values_of(truth, known, bands_of(config))
    with atomic(path, seal=True) as temporary:
        np.savez(temporary, meta=json.dumps(meta), truth=values, snr=snr, **outcome)


def make_truth(trial: Trial, rng):
    """(rows that the fit starts from, bounds, true rows) of a trial."""
    config, bands = trial.config, bands_of(trial.config)
    if trial.priors.has_population:
        found = "true, and true fluxes are drawn from flat priors"
        raise InputError("priors.population.use", found, "Leave it out for the calibration")
    known = np.zeros(2 if trial.kind == "pairs" else 1, scene_dtype(bands))
    known["id"], known["is_valid"], known["roi"] = [f"s{i}" for i in range(len(known))], True, 1.0
    known["source_index"] = np.arange(len(known))
    known["ra"], known["dec"] = offset(*REFERENCE, *_places(config, len(known), rng))
    for name, value in START.items():
        known[name] = value
    low, high = config.bounds.sersic_range
    ranges = {"rhalf_range": config.calibrate.rhalf_range, "sersic_range": (low, min(high, DRAWN))}
    options = config.bounds.model_copy(update=ranges)
    bounds = make_bounds(known, bands, options, max(config.calibrate.pixel_scale))
    for row, limits in zip(known, bounds, strict=True):
        _flux_bounds(row, limits, trial, rng)
    return known, bounds, draw_truth(known, bands, bounds, trial.priors, rng)


def _places(config, count, rng):
    """Offsets (east, north) in arcsec: in the middle, or to both sides of it; the pixel phase varies."""
    east, north = rng.uniform(-0.5, 0.5, 2) * max(config.calibrate.pixel_scale)
    if count == 1:
        return np.array([east]), np.array([north])
    angle, half = rng.uniform(0, 2 * np.pi), 0.5 * rng.uniform(*config.calibrate.separation)
    side = np.array([-1.0, 1.0]) * half
    return east + side * np.cos(angle), north + side * np.sin(angle)


def _flux_bounds(row, limits, trial: Trial, rng) -> None:
    """Bounds about a level that does not depend on the source, and a first guess of the fluxes there."""
    options, bands = trial.config.calibrate, bands_of(trial.config)
    low, high = np.log(options.snr_range)
    level = np.exp(rng.uniform(low, high) + np.concatenate([[0], rng.normal(0, SPREAD, len(bands) - 1)]))
    for band, snr, unit in zip(bands, level, unit_snr(trial.config), strict=True):
        flux = snr / unit
        limits[band] = np.array(options.flux_range) * flux
        if trial.kind == "empty":  # the wide bounds of a catalog that lists a source of S/N 2
            limits[band] = np.array([-1.0, 1.0]) * trial.config.bounds.n_sig_flux / unit
            flux = 2.0 / unit
        row[band], row[error_col(band)] = flux, 1 / unit


def fit(exposures, known, bounds, trial: Trial, seed) -> dict:
    """Optimum and draws: arrays by name, and `meta`.

    As in a run, the catalog's first guess is optimized with the mixtures of the PSFs alone; what they leave
    is taken off at that optimum before the second, and at the second before the draws.
    """
    config, bands = trial.config, bands_of(trial.config)
    store = PSFStore(trial.psf_store)
    rows, spent = known, []
    for remainder in (False, True) if store.has_remainders() else (False,):
        model, q = prepare(exposures, rows, bounds, config, store, remainder, trial.priors)
        optimum, info = run_opt(
            model, q, gtol=config.optimize.gtol, max_iterations=config.optimize.max_iterations
        )
        rows = optimum_rows(model, optimum, rows)
        spent.append(info)
    model, q = prepare(exposures, rows, bounds, config, store, True, trial.priors)
    out, _, _ = run_lmc(model, q, seed=seed, **run_options(config, trial.kind))
    blocks = out.chain[:, : len(known) * len(q_names(bands))].reshape(len(out.chain), len(known), -1)
    keep = np.linspace(0, len(blocks) - 1, config.calibrate.draws).astype(int)
    values = block_values(blocks, known, bands, model.reference)
    return {
        "draws": values[keep],
        "mean": values.mean(axis=0),
        "sd": values.std(axis=0),
        "optimum": values_of(rows, known, bands),
        "optimum_flux_err": np.stack([rows[error_col(band)] for band in bands], axis=-1),
        "meta": {
            "summary": plain(out.summary),
            "flags": int(out.flags),
            "converged": bool(optimum.converged),
            "ncall": out.ncall + sum(info["ncall"] for info in spent),
            "wall_time": out.wall_time + sum(info["wall_time"] for info in spent),
            "divergences": int(out.summary.divergences),
        },
    }


def prepare(exposures, rows, bounds, config: Config, store: PSFStore, remainder: bool, priors=None):
    """(model, q) of scene rows on the pixels of a trial."""
    patcher = Patcher(exposures, store, load_table("default"), remainder=remainder)
    size = config.calibrate.size * max(config.calibrate.pixel_scale)
    patcher.build_patch(CircularRegion(*REFERENCE, size), None, allbands=bands_of(config))
    return patcher.prepare_model(active=rows, bounds=bounds, priors=priors)


def run_options(config: Config, kind: str) -> dict:
    """Those of the stage `sample`; empty places, of which only mean and sd are asked, do not run on."""
    changed = {"max_extensions": 0} if kind == "empty" else {}
    return sampler_options(config.sample.model_copy(update=changed))[0]


def names_of(bands) -> tuple[str, ...]:
    """Quantities that are ranked; positions are offsets in arcsec from the place given to the fit."""
    return (*bands, "east", "north", "e1", "e2", "ln_sersic", "ln_rhalf")


def values_of(rows, known, bands) -> np.ndarray:
    """(S, C) values of scene rows in the order of `names_of`."""
    e1, e2 = ellipticity(rows["q"], rows["pa"])
    east = (rows["ra"] - known["ra"]) * 3600 * np.cos(np.radians(known["dec"]))
    north = (rows["dec"] - known["dec"]) * 3600
    fluxes = [rows[band] for band in bands]
    return np.stack([*fluxes, east, north, e1, e2, np.log(rows["sersic"]), np.log(rows["rhalf"])], axis=-1)


def block_values(blocks, known, bands, reference) -> np.ndarray:
    """(N, S, C) values of vectors q (N, S, B + 6)."""
    n = len(bands)
    names = q_names(bands)
    rows = {name: blocks[..., k] for k, name in enumerate(names)}
    rows["ra"] = rows["ra"] + reference[0]
    rows["dec"] = rows["dec"] + reference[1]
    return values_of({name: rows[name] for name in (*bands, *names[n:])}, known, bands)
