"""Outcomes of patches as files: of one finished patch, or of a batch."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..errors import DamagedError, InputError
from ..files import verify, write_text
from ..hdf5 import create, reading
from .tasks import PatchLog, PatchOutcome, log_from


def joined(outcomes: list[PatchOutcome], bands):
    """Rows of all outcomes in order of colour, bands, and the draws that each row got."""
    final = np.concatenate([outcome.final for outcome in outcomes])
    counts = [len(outcome.final) for outcome in outcomes]
    return final, bands, np.repeat([outcome.log.n_draws for outcome in outcomes], counts)


def write_log(path, logs: list[PatchLog]) -> None:
    """Logs of patches as JSON."""
    write_text(path, json.dumps([asdict(one) for one in logs], indent=1) + "\n", seal=True)


def read_log(path) -> list[PatchLog]:
    """Logs of patches, of a pass or of one of its steps.

    Raises
    ------
    InputError
        If there are none, or the file is damaged.
    """
    if not Path(path).is_file():
        raise InputError(path, "no log of the pass", "Run the pass again; what is finished is kept")
    verify(path)
    return [log_from(tree) for tree in json.loads(Path(path).read_text(encoding="utf-8"))]


def write_outcomes(path, outcomes: list[PatchOutcome], dtype, origin: str = "") -> None:
    """Outcomes in HDF5: rows as bytes (`dtype`, patch after patch), their numbers, logs, covariances.

    `origin`: of what they were made, for `read_outcomes`.
    """
    rows = np.concatenate([np.zeros(0, dtype), *(outcome.final for outcome in outcomes)])
    with create(path) as file:
        file.attrs["origin"] = origin
        file["rows"] = np.frombuffer(rows.tobytes(), "u1")
        file["counts"] = np.array([len(outcome.final) for outcome in outcomes], "i8")
        file["log"] = json.dumps([asdict(outcome.log) for outcome in outcomes])
        for i, outcome in enumerate(outcomes):
            if outcome.covs is not None:
                file[f"covs/{i}"] = np.asarray(outcome.covs)


def read_outcomes(path, dtype, origin: str | None = None) -> list[PatchOutcome]:
    """What `write_outcomes` wrote.

    Raises
    ------
    DamagedError
        If the file is damaged or, where `origin` is given, was made of something else.
    """
    with reading(path, "Run the pass again", ours=True) as file:
        if origin is not None and file.attrs["origin"] != origin:
            raise DamagedError(path, "made from another plan or state of the scene")
        rows = np.frombuffer(file["rows"][:].tobytes(), dtype)
        final = np.split(rows, np.cumsum(file["counts"][:])[:-1])
        logs = [log_from(tree) for tree in json.loads(file["log"][()])]
        covs = [file[f"covs/{i}"][:] if f"covs/{i}" in file else None for i in range(len(logs))]
    return [PatchOutcome(*parts) for parts in zip(final[: len(logs)], logs, covs, strict=True)]
