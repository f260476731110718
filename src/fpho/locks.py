"""The lock that a killed Snakemake leaves: who holds it, and its removal when no such process is left.

Snakemake's lock does not say whose it is, so each run writes itself down beside it: host, process, and when
the process began, since numbers of processes come again. Of another host nothing can be known: where one of
its runs is written down, locks stay.
"""

import atexit
import json
import logging
import os
from pathlib import Path

from .files import write_text

log = logging.getLogger("fpho")
RUNS = Path("fpho") / "runs"


def own_locks(folder: Path) -> None:
    """Write this run down in `folder` (.snakemake); first remove locks whose runs live no more.

    Where a run may live, or nobody knows whose locks they are, they stay and Snakemake tells of them.
    """
    locks = list((folder / "locks").glob("*.lock"))
    records = list((folder / RUNS).glob("*.json"))
    gone = [path for path in records if _is_gone(path)]
    if locks and gone and len(gone) == len(records):
        for path in locks:
            path.unlink(missing_ok=True)
        log.warning("an earlier run in this folder was killed: its lock is removed, and the work goes on")
    for path in gone:
        path.unlink(missing_ok=True)
    own = folder / RUNS / f"{os.uname().nodename}-{os.getpid()}.json"
    write_text(own, json.dumps(identity(os.getpid())) + "\n")
    atexit.register(own.unlink, missing_ok=True)


def _is_gone(record: Path) -> bool:
    """Whether the process of a record ran on this host and is there no more."""
    try:
        known = json.loads(record.read_text())
        return lives(known) is False
    except (OSError, ValueError, KeyError, TypeError):
        return False


def lives(known: dict) -> bool | None:
    """Whether the process of an `identity` is still there; None on another host, where that is not known."""
    if known["host"] != os.uname().nodename:
        return None
    return identity(int(known["pid"])) == {name: known[name] for name in ("host", "pid", "began")}


def identity(pid: int) -> dict:
    """Host, number and start of a process; a start of None where there is no such process."""
    return {"host": os.uname().nodename, "pid": pid, "began": _began(pid)}


def _began(pid: int) -> str | None:
    """Clock ticks after boot at which a process began ("unknown" beyond Linux); None if it is dead."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # another user's
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else "unknown"
    return None if fields[0] == "Z" else fields[19]
