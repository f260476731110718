"""Faults of the machine, which are no fault of the data; and processes that end when others do.

Apart from the pool of `workers`, as every command needs these, and few need a pool.
"""

import errno
import os
import select
import sys
import threading
from pathlib import Path

from .errors import InputError, MachineError

MACHINE = (OSError, MemoryError, EOFError, MachineError)
KEPT = "and run the same command again: finished work is kept"


def trouble(name: str, error) -> MachineError:
    """What to tell about a fault of the machine."""
    if isinstance(error, MachineError):
        return MachineError(f"{name}: {error.where}", error.found, error.cure)
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return MachineError(name, words_of(error), f"Make room on the disk, {KEPT}")
    if isinstance(error, Lost | MemoryError):
        return MachineError(name, words_of(error), f"Give it more memory or fewer --cores, {KEPT}")
    return MachineError(name, words_of(error), f"See that files can be read and written, {KEPT}")


class Lost(Exception):
    """A worker ended in the middle of its work."""

    def __init__(self, code: int | None):
        self.code = code
        by = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
        super().__init__(f"the worker process died ({by}; out of memory?)")


def words_of(error) -> str:
    """What is told of a fault."""
    text = str(error).strip()
    return text if isinstance(error, Lost | InputError) else f"{type(error).__name__}: {text}".rstrip(": ")


def end_with_program(name: str) -> None:
    """This process ends when one of those above it that run a program of this name does (Linux).

    At once where that has ended already, while this one began: then neither it nor a Python that could have
    called it is there, only a shell and who takes in orphans.
    """
    if sys.platform != "linux":
        return
    words = set()
    for pid in _above():
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            program = os.pidfd_open(pid)
        except OSError:
            continue  # it has just ended
        here = {word.rpartition(b"/")[-1].decode(errors="replace") for word in line[:3]}
        if name in here:
            ended = select.poll()
            ended.register(program, select.POLLIN)
            end_with(ended.poll)
        words |= here
    if name not in words and not any(word.startswith("python") for word in words):
        os._exit(1)


def _above() -> list[int]:
    """Processes above this one, the nearest first, without the first of all."""
    found, pid = [], os.getppid()
    while pid > 1:
        found.append(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[-1].split()[1])
        except OSError:
            break
    return found


def end_with(wait) -> None:
    """End this process, whatever it does, when `wait()` returns."""

    def watch():
        wait()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
