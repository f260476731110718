"""Outcomes of patches as bytes: of one finished patch, or of a batch.

Logs are JSON, a line for each patch. Who gathers batches passes these lines on as they are, and never holds
them all; what it has to know of each patch stands beside them in columns.
"""

import json
from dataclasses import dataclass

import numpy as np

from ..errors import DamagedError
from ..hdf5 import create, reading
from .logs import line_of
from .tasks import PatchOutcome, log_from

CURE = "Run the pass again"


def packed(outcome: PatchOutcome) -> bytes:
    """An outcome as bytes: its log as a line of JSON, then its rows."""
    return line_of(outcome.log).encode() + b"\n" + outcome.final.tobytes()


def unpacked(content: bytes, dtype) -> PatchOutcome:
    """The outcome from its bytes, with rows of a `dtype`."""
    line, _, rows = content.partition(b"\n")
    return PatchOutcome(np.frombuffer(rows, dtype), log_from(json.loads(line)))


def joined(outcomes: list[PatchOutcome], bands):
    """Rows of all outcomes in order of colour, bands, and the draws that each row got."""
    counts = [len(outcome.final) for outcome in outcomes]
    final = _stacked([outcome.final for outcome in outcomes], outcomes[0].final.dtype)
    return final, bands, np.repeat([outcome.log.n_draws for outcome in outcomes], counts)


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
        file["log"] = "\n".join(map(line_of, logs))


def read_outcomes(path, dtype) -> list[PatchOutcome]:
    """What `write_outcomes` wrote.

    Raises
    ------
    DamagedError
        If the file is damaged.
    """
    share = read_share(path, dtype)
    logs = [log_from(json.loads(line)) for line in read_lines(path).splitlines()]
    ends = np.cumsum(share.counts).tolist()
    final = [share.rows[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return [PatchOutcome(*two) for two in zip(final, logs, strict=True)]


@dataclass(frozen=True)
class Share:
    """What a batch changes in the scene: rows of its P patches one after the other; what became of these."""

    rows: np.ndarray  # scene rows (S,)
    counts: np.ndarray  # (P,) sources
    patches: np.ndarray  # (P,) numbers in the plan
    draws: np.ndarray  # (P,) that each of its sources got
    failures: dict[int, str]  # by number in the plan


def read_share(path, dtype, origin: str | None = None) -> Share:
    """What a gathering has to know of a batch.

    Raises
    ------
    DamagedError
        If the file is damaged or, where `origin` is given, was made of something else.
    """
    with reading(path, CURE, ours=True) as file:
        if origin is not None and file.attrs["origin"] != origin:
            raise DamagedError(path, "made from another plan or state of the scene")
        rows = np.frombuffer(file["rows"][:].tobytes(), dtype)
        counts, patches, draws = (file[name][:] for name in ("counts", "patches", "draws"))
        failures = json.loads(file["failures"][()])
    return Share(rows, counts, patches, draws, {int(patches[int(k)]): text for k, text in failures.items()})


def read_lines(path) -> bytes:
    """Logs of a batch as they are: JSON, a line for each patch."""
    with reading(path, CURE, ours=True) as file:
        return file["log"][()]


def changed_rows(shares: list[Share], bands):
    """Rows of all shares one after the other, bands, and the draws that each row got: for `checkin`."""
    draws = np.concatenate([np.repeat(share.draws, share.counts) for share in shares])
    return np.concatenate([share.rows for share in shares]), bands, draws


def _stacked(parts: list[np.ndarray], dtype) -> np.ndarray:
    """Scene rows one after the other; numpy compares the fields of all parts first, which takes long."""
    return np.frombuffer(b"".join(part.astype(dtype, copy=False).tobytes() for part in parts), dtype)
