"""All trials of a calibration: a file for each, named by what it depends on, made in a pool of processes."""

import hashlib
import json
import logging
from pathlib import Path

from ..codehash import code_hash
from ..config import Config, declared
from ..files import checksum, is_whole
from ..progress import progress
from ..workers import results
from .trial import KINDS, Trial, run_trial

log = logging.getLogger("fpho")
COUNTS = ("isolated", "pairs", "empty")  # do not change a trial


def make_trials(config: Config, psf_store) -> list[Trial]:
    """The trials that the configuration asks for."""
    counts = {kind: getattr(config.calibrate, kind) for kind in KINDS}
    trials = [Trial(config, kind, i, Path(psf_store)) for kind in KINDS for i in range(counts[kind])]
    return sorted(trials, key=lambda trial: trial.index / counts[trial.kind])  # all kinds grow together


def trial_paths(config: Config, trials: list[Trial], folder) -> list[Path]:
    """The file of each trial; its name holds a hash of options, PSFs and code."""
    if not trials:
        return []
    options = {**declared(config)}
    options["calibrate"] = {k: v for k, v in options["calibrate"].items() if k not in COUNTS}
    code = code_hash("fpho.calibrate.trial", without=("products",))
    parts = [json.dumps(options), checksum(trials[0].psf_store), code]
    name = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    return [Path(folder) / t.kind / f"{t.index:05d}_{name}.npz" for t in trials]


def run_trials(config: Config, psf_store, folder, cores: int = 1) -> list[Path]:
    """Run the trials that have no file yet; the files of all."""
    trials = make_trials(config, psf_store)
    paths = trial_paths(config, trials, folder)
    waiting = [(t, path) for t, path in zip(trials, paths, strict=True) if not is_whole(path)]
    log.info("calibrate: %d trials, %d of them to be run", len(trials), len(waiting))
    with progress("calibrate, trials", len(waiting)) as advance:
        names = [f"calibrate, {path.stem}" for _, path in waiting]
        for key, _ in results(run_trial, waiting, cores, names=names):
            advance(waiting[key][1].name)
    return paths
