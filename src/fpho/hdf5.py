"""HDF5 files, written so that a full disk is an error and read only when they are whole.

A file carries its checksum in itself: MARK and 32 digits, the SHA-256 of the file with these digits as zeros,
cut. So file and checksum are replaced at once.

HDF5 ends the process (SIGSEGV) when it closes a file that it could not write. So it writes to `_Sink`, which
keeps in memory what the disk does not take, and says afterwards what was wrong.
"""

import hashlib
import io
import os
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from . import files
from .errors import UNREADABLE, DamagedError, InputError
from .files import DIGITS, atomic

MARK = b"fpho-seal:"
BLANK = b"0" * DIGITS
PIECE = 1 << 20  # bytes that are read at a time
_verified: dict[str, tuple] = {}  # path to the state of the file that was found whole, in this process


@contextmanager
def create(path, latest: bool = False):
    """A new HDF5 file to be filled, which replaces `path` when the block ends; it carries its checksum.

    latest : in HDF5's newest format, whose indices of chunks are small and have checksums

    Raises
    ------
    MachineError
        If the disk is full; nothing is left then.
    """
    import h5py

    with atomic(path) as temporary:
        with open(temporary, "r+b", buffering=0) as stream:
            sink = _Sink(stream)
            with h5py.File(sink, "w", libver="latest" if latest else None) as file:
                file.attrs["seal"] = (MARK + BLANK).decode()
                file.check = sink.check
                yield file
            sink.check()
        _seal(temporary)


@contextmanager
def reading(path, cure: str, ours: bool = False):
    """An open HDF5 file, held against its checksum.

    Raises
    ------
    InputError
        If there is none, if it is damaged or no HDF5 file, or lacks what the block reads.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such file", cure)
    verify(path, ours)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except UNREADABLE as error:
        raise InputError(path, f"cannot be read ({error})", cure) from None


def content_of(fill: Callable) -> bytes:
    """The bytes of a new HDF5 file, in its newest format, that `fill(file)` fills; without a checksum."""
    import h5py

    with h5py.File("memory", "w", driver="core", backing_store=False, libver="latest") as file:
        fill(file)
        file.flush()
        return file.id.get_file_image()


def opened(content: bytes):
    """An HDF5 file from its bytes, to be read."""
    import h5py

    return h5py.File(h5py.h5f.open_file_image(content))


def copy(source, path, cure: str) -> None:
    """Copy an HDF5 file: byte by byte where it carries a checksum, else so that the copy carries one.

    Raises
    ------
    InputError
        If `source` is damaged or no HDF5 file.
    """
    with reading(source, cure) as given:
        if _place(source) is not None:
            with atomic(path) as temporary:
                shutil.copyfile(source, temporary)
        else:
            _rewrite(given, path)


def _rewrite(given, path) -> None:
    with create(path) as file:
        for name, value in given.attrs.items():
            file.attrs[name] = value
        for name in given:
            given.copy(name, file)


def verify(path, ours: bool = False) -> None:
    """Hold a file against the checksum in it, once in a process as long as it does not change.

    A file without one is taken as it is, since it comes from elsewhere; not where it is known to be `ours`.

    Raises
    ------
    DamagedError
        If the content is not what was written.
    """
    seen = os.stat(path)
    state = seen.st_size, seen.st_mtime_ns, seen.st_ino
    if _verified.get(str(path)) == state:
        return
    at = _place(path)
    if at is None and not ours:
        return
    if at is None or _digest(path, at) != _digits(path, at):
        raise DamagedError(path)
    _verified[str(path)] = state


def is_whole(path, ours: bool = False) -> bool:
    """Whether a file is there and as it was written."""
    return files.is_whole(path, ours, verify)


def _seal(path) -> None:
    """Put the checksum of a file into its place in it, behind MARK."""
    at = _place(path)
    digest = _digest(path, at)
    with open(path, "r+b") as stream:
        stream.seek(at)
        stream.write(digest)


def _place(path) -> int | None:
    """Where the digits of the checksum stand in a file."""
    start, before = 0, b""
    with open(path, "rb") as stream:
        while piece := stream.read(PIECE):
            found = (before + piece).find(MARK)
            if found >= 0:
                return start - len(before) + found + len(MARK)
            start, before = start + len(piece), (before + piece)[-len(MARK) :]
    return None


def _digits(path, at: int) -> bytes:
    with open(path, "rb") as stream:
        stream.seek(at)
        return stream.read(DIGITS)


def _digest(path, at: int) -> bytes:
    """Checksum of a file, with the digits at `at` as zeros."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        digest.update(stream.read(at) + BLANK)
        stream.seek(at + DIGITS)
        while piece := stream.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()[:DIGITS].encode()


class _Sink(io.RawIOBase):
    """A file for HDF5 that takes every write; those that the disk refused are kept in memory."""

    def __init__(self, stream):
        super().__init__()
        self.stream, self.at, self.end = stream, 0, 0
        self.error: OSError | None = None
        self.kept: list[tuple[int, bytes]] = []

    def check(self) -> None:
        """Raise the first error that the disk gave."""
        if self.error is not None:
            raise self.error

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset + (0, self.at, self.end)[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def write(self, data) -> int:
        data = memoryview(data).cast("B")
        if self.error is None:
            self._try(self._to_disk, data)
        if self.error is not None:
            self.kept.append((self.at, bytes(data)))
        self.at += len(data)
        self.end = max(self.end, self.at)
        return len(data)

    def readinto(self, buffer) -> int:
        buffer = memoryview(buffer).cast("B")
        n = max(0, min(len(buffer), self.end - self.at))
        buffer[:n] = bytes(n)
        self.stream.seek(self.at)
        self.stream.readinto(buffer[:n])
        for start, data in self.kept:
            low, high = max(start, self.at), min(start + len(data), self.at + n)
            if low < high:
                buffer[low - self.at : high - self.at] = data[low - start : high - start]
        self.at += n
        return n

    def truncate(self, size: int | None = None) -> int:
        self.end = self.at if size is None else size
        self._try(self.stream.truncate, self.end)
        return self.end

    def readable(self) -> bool:
        return True

    writable = seekable = readable

    def _to_disk(self, data) -> None:
        self.stream.seek(self.at)
        while len(data):
            data = data[self.stream.write(data) :]

    def _try(self, action, argument) -> None:
        try:
            action(argument)
        except OSError as error:
            self.error = self.error or error
