"""Outcomes of patches as files: of one finished patch, or of a batch.

Logs are JSON, a line for each patch. Who gathers batches passes these lines on as they are; what it has to
know of each patch stands beside them in columns.
"""

import json
from pathlib import Path

import numpy as np

from ..errors import DamagedError, InputError
from ..files import atomic, verify
from ..hdf5 import create, reading
from .tasks import PatchLog, PatchOutcome, log_from


def joined(outcomes: list[PatchOutcome], bands):
    """Rows of all outcomes in order of colour, bands, and the draws that each row got."""
    counts = [len(outcome.final) for outcome in outcomes]
    final = _stacked([outcome.final for outcome in outcomes], outcomes[0].final.dtype)
    return final, bands, np.repeat([outcome.log.n_draws for outcome in outcomes], counts)


def write_log(path, logs: list[PatchLog]) -> None:
    """Logs of patches as JSON."""
    write_lines(path, [_line(entry).encode() for entry in logs])


def write_lines(path, texts: list[bytes]) -> None:
    """The same of logs that are JSON already, in texts of a line for each patch; these may be large."""
    with atomic(path, seal=True) as temporary, open(temporary, "wb") as stream:
        stream.write(b"[\n")
        for k, text in enumerate(texts):
            stream.write((b",\n" if k else b"") + text.replace(b"\n", b",\n"))
        stream.write(b"\n]\n")


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
    """Outcomes in HDF5: rows as bytes (`dtype`, patch after patch), their numbers, logs.

    `origin`: of what they were made, for who reads them.
    """
    logs = [outcome.log for outcome in outcomes]
    with create(path, latest=True) as file:
        file.attrs["origin"] = origin
        file["rows"] = np.frombuffer(b"".join(outcome.final.tobytes() for outcome in outcomes), "u1")
        file["counts"] = np.array([len(outcome.final) for outcome in outcomes], "i8")
        file["patches"] = np.array([one.patch for one in logs], "i8")
        file["draws"] = np.array([one.n_draws for one in logs], "i8")
        file["failures"] = json.dumps({k: one.failure for k, one in enumerate(logs) if one.failure})
        file["log"] = "\n".join(map(_line, logs))


def read_outcomes(path, dtype) -> list[PatchOutcome]:
    """What `write_outcomes` wrote.

    Raises
    ------
    DamagedError
        If the file is damaged.
    """
    outcomes, text = read_share(path, dtype)
    logs = [log_from(json.loads(line)) for line in text.splitlines()]
    return [PatchOutcome(one.final, entry) for one, entry in zip(outcomes, logs, strict=True)]


def read_share(path, dtype, origin: str | None = None) -> tuple[list[PatchOutcome], bytes]:
    """The same with logs that say no more than number, draws and failure; and whole ones as lines of JSON.

    Raises
    ------
    DamagedError
        If the file is damaged or, where `origin` is given, was made of something else.
    """
    with reading(path, "Run the pass again", ours=True) as file:
        if origin is not None and file.attrs["origin"] != origin:
            raise DamagedError(path, "made from another plan or state of the scene")
        rows = np.frombuffer(file["rows"][:].tobytes(), dtype)
        ends = np.cumsum(file["counts"][:]).tolist()
        numbers, draws = file["patches"][:].tolist(), file["draws"][:].tolist()
        failures, text = json.loads(file["failures"][()]), file["log"][()]
    logs = [
        PatchLog(patch=number, n_draws=count, failure=failures.get(str(k), ""))
        for k, (number, count) in enumerate(zip(numbers, draws, strict=True))
    ]
    final = [rows[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return [PatchOutcome(*two) for two in zip(final, logs, strict=True)], text


def _line(entry: PatchLog) -> str:
    """A log as JSON on one line."""
    return json.dumps(vars(entry) | {"fit": vars(entry.fit) if entry.fit else None})


def _stacked(parts: list[np.ndarray], dtype) -> np.ndarray:
    """Scene rows one after the other; numpy compares the fields of all parts first, which takes long."""
    return np.frombuffer(b"".join(part.astype(dtype, copy=False).tobytes() for part in parts), dtype)
