"""Progress of long work: a bar in a terminal, a line now and then in a log."""

import logging
import sys
import time
from contextlib import contextmanager

log = logging.getLogger("fpho")
QUIET = 5.0  # seconds between lines in a log


@contextmanager
def progress(title: str, total: int):
    """Yield a function `advance(text)`, to be called when one of `total` items is done."""
    if sys.stderr.isatty() and total:
        with _bar(title, total) as advance:
            yield advance
        return
    count, last = 0, -QUIET

    def advance(text: str = "") -> None:
        nonlocal count, last
        count += 1
        if count == total or time.monotonic() - last > QUIET:
            log.info("%s: %d of %d; %s", title, count, total, text)
            last = time.monotonic()

    yield advance


@contextmanager
def _bar(title: str, total: int):
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        item = bar.add_task(title, total=total, text="")
        yield lambda text="": bar.update(item, advance=1, text=text)
