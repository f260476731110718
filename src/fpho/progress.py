"""Progress of long work: a bar in a terminal, a line a minute in a log, and a record that others can read.

A job keeps a small file in the run's folder (`recorded`): who it is, how many of how many items are done, how
many sources of them are flagged, and how it ended. `fpho status` and `fpho run` read these.
"""

import json
import logging
import os
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from .files import write_text
from .locks import identity

log = logging.getLogger("fpho")
QUIET = 60.0  # seconds between lines in a log
OFTEN = 1.0  # seconds between records


class Record:
    """The file of one job; `ended` is None, `done` or `failed`."""

    def __init__(self, path: Path):
        self.path, self.written = path, 0.0
        self.values = identity(os.getpid()) | {
            "job": path.stem,
            "started": time.time(),
            "done": 0,
            "total": 0,
            "flagged": 0,
            "ended": None,
        }

    def write(self, now: bool = True, **values) -> None:
        """Keep values; where the last writing is recent and it need not be `now`, in memory only."""
        self.values |= values
        if now or time.monotonic() - self.written > OFTEN:
            self.written = time.monotonic()
            with suppress(OSError):  # a full disk is told by what matters more
                self.path.parent.mkdir(parents=True, exist_ok=True)
                write_text(self.path, json.dumps(self.values | {"updated": time.time()}) + "\n")


current: list[Record] = []  # of this process: the job that it is


@contextmanager
def recorded(path):
    """Keep the record of a job in the block; `progress` fills it."""
    record = Record(Path(path))
    record.write()
    current.append(record)
    try:
        yield
    except BaseException:
        record.write(ended="failed")
        raise
    else:
        record.write(ended="done")
    finally:
        current.remove(record)


@contextmanager
def progress(title: str, total: int, work: float | None = None):
    """Yield a function `advance(text, flagged, work)`, to be called when one of `total` items is done.

    work : what all items take, in any unit (predicted seconds), where they differ much: that of one is told
        when it is done, and the time left follows from it
    """
    record, whole = current[-1] if current else None, float(total if work is None else work)
    if record is not None:
        record.write(total=total, done=0, flagged=0, share=0.0, counting=time.time())
    with _shown(title, total) as show:
        count, flagged, done = 0, 0, 0.0

        def advance(text: str = "", flagged_here: int = 0, work_here: float = 1.0) -> None:
            nonlocal count, flagged, done
            count, flagged, done = count + 1, flagged + flagged_here, done + work_here
            share = 1.0 if count == total else min(done / whole, 1.0) if whole > 0 else count / total
            if record is not None:
                record.write(count == total, done=count, flagged=flagged, share=share, text=text)
            show(count, flagged, share, text)

        yield advance


def pace(done: int, total: int, share: float, seconds: float) -> str:
    """Rate and time left, in words, of items of which so many and this share of the work is done."""
    if not done or seconds <= 0:
        return ""
    rate = done / seconds
    per = f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"
    if done >= total:
        return f"{per}, all done"
    return f"{per}, {duration(seconds * (1 - share) / share)} left" if share > 0 else per


def duration(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def _shown(title: str, total: int):
    if sys.stderr.isatty() and total:
        with _bar(title, total) as show:
            yield show
        return
    start, last = time.monotonic(), -QUIET

    def show(count: int, flagged: int, share: float, text: str) -> None:
        nonlocal last
        now = time.monotonic()
        if count == total or now - last > QUIET:
            left = pace(count, total, share, now - start)
            log.info("%s: %d of %d, %d sources flagged; %s; %s", title, count, total, flagged, left, text)
            last = now

    yield show


@contextmanager
def _bar(title: str, total: int):
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]} of {task.fields[of]}"),
        TextColumn("{task.fields[flagged]} flagged"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        item = bar.add_task(title, total=1.0, text="", flagged=0, count=0, of=total)
        yield lambda count, flagged, share, text: bar.update(
            item, completed=share, count=count, flagged=flagged, text=text
        )
