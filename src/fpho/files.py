"""Outputs are whole or absent: written under a temporary name, synced, renamed. FITS inputs, opened."""

import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError


@contextmanager
def atomic(path):
    """Yield a temporary path in the folder of `path`; on success it replaces `path`.

    The temporary name keeps the suffix, so that writers which look at it work.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{path.stem}.", suffix="".join(path.suffixes[-2:]), dir=path.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path, text: str) -> None:
    """Write `text` atomically, as UTF-8 whatever the user's locale."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def checksum(path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value


def open_fits(path, table: str):
    """An open FITS file that a row of `table` names, or an error that says what is wrong with it."""
    from astropy.io import fits

    if not Path(path).is_file():
        raise InputError(path, "no such file", f"Mend the path in {table}")
    try:
        return fits.open(path, memmap=False)
    except OSError as error:
        raise InputError(path, f"not a FITS file ({error})", "Give a FITS file") from None
