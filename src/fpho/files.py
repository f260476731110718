"""Outputs are whole or absent: written under a temporary name, synced, renamed. FITS inputs, opened.

A file that a later stage reads has a checksum, which `verify` holds against its content. HDF5 files carry
it in themselves (`fpho.hdf5`); all others have it beside them, in `.NAME.seal`: a line for what is there, and
one for what was there before, so that a kill between the two writes does no harm. A third line has the
file's time when it was last seen whole: who edits a file changes that, a failing disk does not.
"""

import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

from .errors import DamagedError, InputError, MachineError

DIGITS = 32  # of a checksum
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_fleeting: ContextVar[Path | None] = ContextVar("_fleeting", default=None)  # see `fleeting`
_verified: dict[str, tuple] = {}  # path to the state of the file that was found whole, in this process


@contextmanager
def atomic(path, seal: bool = False):
    """Yield a temporary path in the folder of `path`; on success it replaces `path`.

    The temporary name keeps the suffix, so that writers which look at it work, and says which process it
    belongs to (`remove_abandoned`). `seal`: keep a checksum of the content beside the file.

    Raises
    ------
    MachineError
        If the disk is full; nothing is left then, and a file of before stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{path.stem}.{_process()}.", suffix="".join(path.suffixes[-2:]), dir=path.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if not is_fleeting(path):
            with open(temporary, "rb") as stream:
                os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        if seal:
            _seal_beside(path, temporary)
        else:
            _beside(path).unlink(missing_ok=True)  # of what was there before
        os.replace(temporary, path)
    except OSError as error:
        raise of_full_disk(path, error) or error from error.__cause__
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def fleeting(folder):
    """Files that the block writes in a temporary folder need not outlive the machine.

    They are whole or absent all the same, but are not synced to the disk: a small fit writes a hundred, and
    would wait a fifth of its time for that. Files elsewhere, such as those kept between runs, are.
    """
    token = _fleeting.set(Path(folder))
    try:
        yield
    finally:
        _fleeting.reset(token)


def is_fleeting(path: Path) -> bool:
    """Whether a file need not be synced, see `fleeting`."""
    folder = _fleeting.get()
    return folder is not None and path.is_relative_to(folder)


def write_text(path, text: str, seal: bool = False) -> None:
    """Write `text` atomically, as UTF-8 whatever the user's locale."""
    with atomic(path, seal) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_abandoned(folder) -> None:
    """Remove what killed writers on this host left under temporary names in a folder and two levels below."""
    host = re.escape(_host())
    for path in (path for depth in (".*", "*/.*", "*/*/.*") for path in Path(folder).glob(depth)):
        found = re.search(rf"\.{host}-(\d+)\.", path.name)
        if found and not os.path.exists(f"/proc/{found[1]}") and os.path.exists("/proc"):
            path.unlink(missing_ok=True)


def checksum(path) -> str:
    """SHA-256 of a file's content, hexadecimal; read once in a process, as long as it does not change."""
    return _checksum(str(path), _state(path))


@lru_cache(maxsize=1 << 17)
def _checksum(path: str, state: tuple) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _state(path) -> tuple[int, int, int]:
    """What changes when a file does."""
    state = os.stat(path)
    return state.st_size, state.st_mtime_ns, state.st_ino


def verify(path, ours: bool = False, editable: bool = False) -> None:
    """Hold a file against the checksum beside it, once in a process as long as it does not change.

    HDF5 files have one in themselves, see `fpho.hdf5.verify`.
    A file without one is taken as it is, since it comes from elsewhere; not where it is known to be `ours`.
    One that is made to be edited (`editable`) may differ from what was written if its time does, too.

    Raises
    ------
    DamagedError
        If the content is not what was written.
    """
    path = Path(path)
    now = _state(path)
    if _verified.get(str(path)) == now:
        return
    beside = _beside(path)
    if not beside.is_file():
        if ours:
            raise DamagedError(path)
        return
    if _digest(path) in beside.read_bytes().split():
        _keep_time(path, beside)
    elif not (editable and was_edited(path)):
        raise DamagedError(path, more=f"; or, if you changed it yourself, delete {beside.name}")
    _verified[str(path)] = now


def is_whole(path, ours: bool = False, check: Callable = verify) -> bool:
    """Whether a file is there and as it was written, by a check such as `verify`."""
    try:
        check(path, ours)
    except (DamagedError, FileNotFoundError):
        return False
    return True


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.seal")


def remove(path) -> None:
    """Remove a file and the checksum beside it, as far as they are there."""
    for one in (Path(path), _beside(Path(path))):
        one.unlink(missing_ok=True)


def has_seal(path) -> bool:
    """Whether a file has a checksum beside it."""
    return _beside(Path(path)).is_file()


def fits_seal(path) -> bool:
    """Whether a file has a checksum beside it that is its own; unlike `is_whole` it notes nothing."""
    return (
        Path(path).is_file() and has_seal(path) and _digest(path) in _beside(Path(path)).read_bytes().split()
    )


def was_edited(path) -> bool:
    """Whether a file with a checksum beside it has another time than when it was last seen whole."""
    with open(_beside(Path(path)), "rb") as stream:
        return _time(path) not in stream.read().split(b"\n")


def set_time(path, mtime_ns: int) -> None:
    """Give a file that is whole a time."""
    os.utime(path, ns=(mtime_ns, mtime_ns))
    if _beside(Path(path)).is_file():
        _keep_time(Path(path), _beside(Path(path)))


def _keep_time(path: Path, beside: Path) -> None:
    """Write down a file's time where it is another than known; Snakemake sets it after a job, for one."""
    lines = beside.read_bytes().split(b"\n")
    if _time(path) not in lines:
        known = [line for line in lines if line and not line.startswith(b"time ")]
        with suppress(OSError, MachineError), atomic(beside) as seal:  # a run of others is only read
            seal.write_bytes(b"\n".join([*known, _time(path)]) + b"\n")


def _time(path) -> bytes:
    return b"time %d" % os.stat(path).st_mtime_ns


def _seal_beside(path: Path, temporary: Path) -> None:
    known = [_digest(temporary), *([_digest(path)] if path.is_file() else []), _time(temporary)]
    with atomic(_beside(path)) as seal:
        seal.write_bytes(b"\n".join(known) + b"\n")


def _digest(path) -> bytes:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:DIGITS].encode()


def _process() -> str:
    return f"{_host()}-{os.getpid()}"


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", os.uname().nodename)[:40]


def of_full_disk(path, error: OSError) -> MachineError | None:
    """What to tell of a file that could not be written as a disk or quota is full; None of other errors."""
    if not _full(error):
        return None
    cure = "Make room on the disk, and run the same command again: what is finished is kept"
    return MachineError(path, f"could not be written ({error})", cure)


def _full(error: OSError) -> bool:
    """Whether a disk or quota is full; astropy and numpy tell it in words of their own."""
    numbers = "|".join(map(str, FULL))
    words = rf"requested and -?\d+ written|Not enough space on disk|\[Errno ({numbers})\]"
    return error.errno in FULL or re.search(words, str(error)) is not None


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value


def open_fits(path, table: str):
    """An open FITS file that a row of `table` names, or an error that says what is wrong with it."""
    from astropy.io import fits

    if not Path(path).is_file():
        raise InputError(path, "no such file", f"Mend the path in {table}")
    verify(path, editable=True)
    try:
        return fits.open(path, memmap=False)
    except OSError as error:
        reason = str(error).partition(". If this")[0]
        with open(path, "rb") as stream:
            other = "an ASDF file" if stream.read(6) == b"#ASDF " else f"not a FITS file ({reason})"
        raise InputError(path, other, "Give a FITS file") from None
