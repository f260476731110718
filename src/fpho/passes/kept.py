"""Finished patches of a pass: found again whatever batch did them, kept as soon as they are done.

A batch appends to a file of its own. It looks for what is finished in the files of all batches, so their
number may change from run to run; where a file was damaged or torn, the same may stand in two. A patch has
one record for its draws, one for its residuals and, written with them, one that says what became of it and
which draws are its own; their keys have the hash of all that it depends on.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import DamagedError, InputError
from ..layout import Layout
from ..records import CURE, SUFFIX, RecordFile, StoredRecord, pack, records_in, records_of
from .outcomes import packed, unpacked
from .tasks import PatchLog, PatchOutcome, PatchTask

log = logging.getLogger("fpho")
OUTCOME = "outcome"


@dataclass
class KeptPatches:
    """Records of a pass by their keys, of all files; `file` takes new ones."""

    place: Path  # of a file of the pass, for messages
    records: dict[str, list[StoredRecord]]
    file: RecordFile | None = None

    @classmethod
    def of(cls, layout: Layout, stage: str) -> "KeptPatches":
        """What there is, to be read."""
        return cls(layout.records(stage, 0), records_of(record_files(layout, stage)))

    @classmethod
    @contextmanager
    def written_by(cls, layout: Layout, stage: str, batch: int) -> Iterator["KeptPatches"]:
        """The same for a batch, which keeps what it does."""
        with RecordFile(layout.records(stage, batch)) as file:
            yield replace(cls.of(layout, stage), file=file)

    def outcome(self, task: PatchTask) -> PatchOutcome | None:
        """A finished patch, if it is there, and whole with all that is kept beside it."""
        trouble = None
        for found in reversed(self.records.get(key_of(OUTCOME, task.patch.name, task.identity), [])):
            try:
                outcome = unpacked(found.read(), task.active.dtype)
                for kind in outcome.log.sums:
                    self.beside(kind, task.patch.name, outcome.log).read()
            except DamagedError as error:
                trouble = error
            else:
                return replace(
                    outcome, log=replace(outcome.log, patch=task.patch.index)
                )  # in the present plan
        if trouble is not None:
            log.warning("%s, patch %d is done again: %s", task.stage, task.patch.index, trouble)
        return None

    def keep(self, task: PatchTask, outcome: PatchOutcome) -> None:
        """Write a finished patch; it is there when this returns."""
        name = task.patch.name
        contents = {key_of(kind, name, task.identity): one for kind, one in outcome.contents.items()}
        contents[key_of(OUTCOME, name, task.identity)] = packed(outcome)
        for key, record in self.file.append(contents).items():
            self.records.setdefault(key, []).append(record)

    def beside(self, kind: str, name: str, entry: PatchLog) -> StoredRecord | None:
        """What is kept beside an outcome, given the patch's name and log; None where its fit failed.

        Raises
        ------
        InputError
            If the log speaks of no such thing: it was not wanted, or an earlier version of fpho wrote it.
        DamagedError
            If it is gone, or not what the log speaks of.
        """
        if entry.failure:
            return None
        if kind not in entry.sums:
            cure = "Run the pass again; residuals are kept with sample.residuals: true"
            raise InputError(self.place, f"no {kind} of patch {name} were kept here", cure)
        records = self.records.get(key_of(kind, name, entry.task), [])
        same = [record for record in records if record.digest == entry.sums[kind]]
        if not same:
            found = f"{kind} of patch {name} are gone, though the pass wrote them, or are another run's"
            raise DamagedError(records[-1].path if records else self.place, found, CURE)
        return same[0] if len(same) == 1 else next((one for one in same if one.is_whole), same[0])


def key_of(kind: str, name: str, identity: str) -> str:
    """Key of a record: what it is, the patch's name, and the hash of what it depends on."""
    return f"{kind} {name} {identity}"


def record_files(layout: Layout, stage: str) -> list[Path]:
    """The files of all batches of a pass, of this and earlier runs."""
    return sorted(layout.patches.glob(f"{stage}_batch*{SUFFIX}"))


def pack_records(layout: Layout, stage: str, wanted: set[str]) -> None:
    """Leave out what is of no use any more, where it is most of a file; `wanted`: hashes of the last pass."""
    for path in record_files(layout, stage):
        pack(path, {key for key in records_in(path) if key.rpartition(" ")[2] in wanted})
