"""Results of trials as arrays, and as a table with a row for each quantity of each source."""

import json
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outcomes:
    """S sources of one kind of trial, C quantities (`names`), N draws, B bands."""

    kind: str
    names: tuple[str, ...]
    truth: np.ndarray  # (S, C)
    draws: np.ndarray  # (S, N, C), thinned
    mean: np.ndarray  # (S, C), of all draws
    sd: np.ndarray  # (S, C)
    optimum: np.ndarray  # (S, C)
    optimum_flux_err: np.ndarray  # (S, B), nJy
    snr: np.ndarray  # (S, B), of the true flux with known shape and position
    trial: np.ndarray  # (S,) int
    meta: tuple[dict, ...]  # of each trial

    @property
    def n_bands(self) -> int:
        """Bands, B."""
        return self.snr.shape[1]

    @property
    def pulls(self) -> np.ndarray:
        """(S, C) (mean of draws - truth) / sd of draws: mean 0 and sd 1 under calibration, of any shape."""
        return (self.mean - self.truth) / self.sd

    @property
    def pit(self) -> np.ndarray:
        """(S, C) rank of the truth among the draws, as a number in (0, 1)."""
        below = np.sum(self.draws < self.truth[:, None], axis=1)
        return (below + 0.5) / (self.draws.shape[1] + 1)


def read_outcomes(kind: str, names, paths) -> Outcomes | None:
    """Join the files of one kind; None when there are none."""
    files = [np.load(path) for path in paths]
    if not files:
        return None
    arrays = {
        name: np.concatenate([file[name] for file in files])
        for name in ("truth", "mean", "sd", "optimum", "optimum_flux_err", "snr")
    }
    meta = tuple(json.loads(str(file["meta"])) for file in files)
    draws = np.concatenate([file["draws"].transpose(1, 0, 2) for file in files])
    trial = np.concatenate([np.full(len(f["truth"]), m["index"]) for f, m in zip(files, meta, strict=True)])
    return Outcomes(kind=kind, names=tuple(names), draws=draws, trial=trial, meta=meta, **arrays)


def source_table(outcomes: Outcomes):
    """Astropy table: truth, mean, sd, pull and PIT of each quantity, S/N in each band."""
    from astropy.table import Table

    table = Table({"kind": [outcomes.kind] * len(outcomes.truth), "trial": outcomes.trial})
    for b in range(outcomes.n_bands):
        table[f"snr_{outcomes.names[b]}"] = outcomes.snr[:, b]
    for c, name in enumerate(outcomes.names):
        columns = {
            "true": (outcomes.truth, "true value"),
            "mean": (outcomes.mean, "mean of the draws"),
            "sd": (outcomes.sd, "sd of the draws"),
            "optimum": (outcomes.optimum, "value at the optimum"),
            "pull": (outcomes.pulls, "(mean - truth) / sd"),
            "pit": (outcomes.pit, "rank of the truth among thinned draws, 0 to 1"),
        }
        for suffix, (values, text) in columns.items():
            table[f"{name}_{suffix}"] = values[:, c]
            table[f"{name}_{suffix}"].description = f"{name}: {text}"
    return table
