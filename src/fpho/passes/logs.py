"""Logs of passes: JSON with a line for each patch, passed on as they are and read one by one.

Those of 10^5 sources have some hundred megabytes: nobody holds them all.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import DamagedError, InputError
from ..files import atomic, verify
from .tasks import PatchLog, log_from

PATCH = re.compile(rb'\{"patch": (-?\d+),')  # how a line begins: with the first field of `PatchLog`


def line_of(entry: PatchLog) -> str:
    """A log as JSON on one line."""
    return json.dumps(vars(entry) | {"fit": vars(entry.fit) if entry.fit else None})


def write_lines(path, texts: Iterable[bytes]) -> None:
    """The log of a pass, from texts of JSON with a line for each patch; an empty text has none."""
    with atomic(path, seal=True) as temporary, open(temporary, "wb") as stream:
        stream.write(b"[\n")
        between = b""
        for text in filter(None, texts):
            stream.write(between + text.replace(b"\n", b",\n"))
            between = b",\n"
        stream.write(b"\n]\n")


def lines_in(path) -> Iterator[bytes]:
    """The lines of a log, of a pass or of one of its steps.

    Raises
    ------
    InputError
        If there is no log, or the file is damaged.
    """
    if not Path(path).is_file():
        raise InputError(path, "no log of the pass", "Run the pass again; what is finished is kept")
    verify(path)
    with open(path, "rb") as stream:
        for line in stream:
            if line.startswith(b"{"):
                yield line.rstrip(b",\n")


def logs_in(path, numbers: set[int] | None = None) -> Iterator[PatchLog]:
    """The logs of patches one by one, of all or of those with some numbers; errors as of `lines_in`."""
    for line in lines_in(path):
        found = PATCH.match(line)
        if found is None:
            raise DamagedError(path)
        if numbers is None or int(found[1]) in numbers:
            yield log_from(json.loads(line))


def read_log(path) -> list[PatchLog]:
    """All logs of patches; errors as of `lines_in`."""
    return list(logs_in(path))
