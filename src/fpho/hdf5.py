"""HDF5 files, written so that a full disk is an error and read only when they are whole.

HDF5 ends the process (SIGSEGV) when it closes a file that it could not write. So it writes to `_Sink`, which
keeps in memory what the disk does not take, and says afterwards what was wrong.
"""

import io
from contextlib import contextmanager
from pathlib import Path

import h5py

from .errors import UNREADABLE, InputError
from .files import BLANK, MARK, atomic, seal_inside, verify


@contextmanager
def create(path):
    """A new HDF5 file to be filled, which replaces `path` when the block ends; it carries its checksum.

    Raises
    ------
    MachineError
        If the disk is full; nothing is left then.
    """
    with atomic(path) as temporary:
        with open(temporary, "r+b", buffering=0) as stream:
            sink = _Sink(stream)
            with h5py.File(sink, "w") as file:
                file.attrs["seal"] = (MARK + BLANK).decode()
                file.check = sink.check
                yield file
            sink.check()
        seal_inside(temporary)


@contextmanager
def reading(path, cure: str, ours: bool = False):
    """An open HDF5 file, held against its checksum.

    Raises
    ------
    InputError
        If there is none, if it is damaged or no HDF5 file, or lacks what the block reads.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such file", cure)
    verify(path, ours)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except UNREADABLE as error:
        raise InputError(path, f"cannot be read ({error})", cure) from None


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
