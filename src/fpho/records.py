"""Append-only files of records. A record is found by its key, is whole or not there, and is never changed.

    head | key | content, packed by zlib

A head has the lengths of both, a checksum of the content, and one of itself, the key and the record's place
in the file: what looks like a record in a content is none. Of two records with one key the later counts. A
writer that was killed leaves a torn record at the end, which readers do not see and the next writer cuts off.
Of a head that a disk spoiled only its own record is lost: the next one is looked for. The index, of heads
alone, is made by reading and remembered in a process: there is nothing beside the file that could differ from
it. One process writes a file at a time, any number read it meanwhile.
"""

import errno
import fcntl
import hashlib
import os
import struct
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import DamagedError, MachineError
from .files import atomic, is_fleeting, of_full_disk

SUFFIX = ".records"
MAGIC = b"\x89fpho\r\n1"
HEAD = struct.Struct("<8sHQ16s16s")  # MAGIC, length of key, of what is packed, digests of content and head
CUT = 16  # bytes of a digest
LEVEL = 6  # of zlib
PIECE = 1 << 20  # bytes that are looked through at a time
LONGEST = 1000  # bytes of a key
PATIENCE = 60.0  # seconds for which a writer waits for another one
CURE = "Run the same command again: what is damaged is made again, all else is kept"


@dataclass(frozen=True)
class StoredRecord:
    """A record of a file: what it is called, and where it lies."""

    path: Path
    key: str
    at: int  # of what is packed in the file
    size: int  # of that, bytes
    digest: str  # of the content, hexadecimal

    def read(self) -> bytes:
        """The content, held against its checksum.

        Raises
        ------
        DamagedError
            If it is not what was written.
        """
        content = self._content()
        if content is None:  # the file may have been packed since its index was read
            _known.pop(self.path, None)
            found = records_in(self.path).get(self.key)
            content = found._content() if found is not None and found.digest == self.digest else None
        if content is None:
            raise DamagedError(self.path, f"record {self.key!r} does not fit its checksum", CURE)
        return content

    def _content(self) -> bytes | None:
        try:
            with open(self.path, "rb") as stream:
                content = zlib.decompress(os.pread(stream.fileno(), self.size, self.at))
        except (FileNotFoundError, zlib.error):
            return None
        return content if _digest(content).hex() == self.digest else None

    def __str__(self) -> str:
        return f"{self.path}, {self.key}"

    @property
    def is_whole(self) -> bool:
        """Whether its content is what was written."""
        try:
            self.read()
        except DamagedError:
            return False
        return True


@dataclass
class _Index:
    """Records of a file up to `end`, where the next one begins."""

    file: int  # inode
    start: bytes = b""  # of the file: another one that takes its place has another head there
    end: int = 0
    records: dict[str, StoredRecord] = field(default_factory=dict)


_known: dict[Path, _Index] = {}  # of this process


def records_in(path) -> Mapping[str, StoredRecord]:
    """Records of a file by their keys, the latest of each; none where there is no file."""
    return _index(Path(path)).records


def records_of(paths: Iterable) -> dict[str, list[StoredRecord]]:
    """Records of several files by their keys, one of each file that has it, in the files' order."""
    out: dict[str, list[StoredRecord]] = {}
    for path in paths:
        for key, record in records_in(path).items():
            out.setdefault(key, []).append(record)
    return out


def _index(path: Path) -> _Index:
    try:
        stream = open(path, "rb")
    except FileNotFoundError:
        _known.pop(path, None)
        return _Index(-1)
    with stream:
        state, start = os.fstat(stream.fileno()), os.pread(stream.fileno(), HEAD.size, 0)
        index = _known.get(path)
        same = index is not None and index.file == state.st_ino and start.startswith(index.start)
        if not same or index.end > state.st_size:
            index = _known[path] = _Index(state.st_ino)
        index.start = start
        _read_on(index, path, stream.fileno(), state.st_size)
    return index


def _read_on(index: _Index, path: Path, handle: int, size: int) -> None:
    """Take the records into an index that were appended since."""
    at = index.end
    while at < size:
        record = _record_at(path, handle, at, size)
        if record is None:
            at = _next_magic(handle, at + 1, size)
            continue
        index.records.pop(record.key, None)  # in order of writing
        index.records[record.key] = record
        index.end = at = record.at + record.size


def _record_at(path: Path, handle: int, at: int, size: int) -> StoredRecord | None:
    """The record whose head begins at a place; None where none does, or where it is not all there."""
    head = os.pread(handle, HEAD.size + LONGEST, at)
    if len(head) < HEAD.size or not head.startswith(MAGIC):
        return None
    _, n, length, content, digest = HEAD.unpack_from(head)
    key = head[HEAD.size : HEAD.size + n]
    start = at + HEAD.size + n
    if digest != _head_digest(at, n, length, content, key) or start + length > size:
        return None
    return StoredRecord(path, key.decode(), start, length, content.hex())


def _next_magic(handle: int, at: int, size: int) -> int:
    """Where the next head may begin; the end of the file where there is none."""
    while at < size:
        piece = os.pread(handle, PIECE + len(MAGIC), at)
        found = piece.find(MAGIC)
        if found >= 0:
            return at + found
        at += PIECE
    return size


def _record(at: int, key: str, content: bytes) -> bytes:
    """The bytes of a record that begins at a place."""
    name, digest, packed = key.encode(), _digest(content), zlib.compress(content, LEVEL)
    of_head = _head_digest(at, len(name), len(packed), digest, name)
    return HEAD.pack(MAGIC, len(name), len(packed), digest, of_head) + name + packed


def digest_of(content: bytes) -> str:
    """What a record's `digest` is for a content."""
    return _digest(content).hex()


def _head_digest(at: int, *parts) -> bytes:
    return _digest(repr((at, *parts)).encode())


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:CUT]


class RecordFile:
    """A file of records that this process alone appends to; a context, which closes it.

    Raises
    ------
    MachineError
        If another process writes it for longer than `patience` (seconds).
    """

    def __init__(self, path, patience: float | None = None):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = _alone(self.path, PATIENCE if patience is None else patience)
        index = _index(self.path)
        os.ftruncate(self._handle, index.end)  # what a killed writer has left

    def __enter__(self) -> "RecordFile":
        return self

    def __exit__(self, *error) -> None:
        os.close(self._handle)

    def append(self, contents: Mapping[str, bytes]) -> dict[str, StoredRecord]:
        """Write records, in order, and wait for the disk; they are there by their keys when this returns.

        Raises
        ------
        MachineError
            If the disk is full; nothing of them is left then.
        """
        start = at = os.fstat(self._handle).st_size
        pieces = []
        for key, content in contents.items():
            if len(key.encode()) > LONGEST:
                raise ValueError(f"{key!r} is longer than {LONGEST} bytes")
            pieces.append(_record(at, key, content))
            at += len(pieces[-1])
        try:
            _write(self._handle, b"".join(pieces), start)
            if not is_fleeting(self.path):
                os.fsync(self._handle)
        except OSError as error:
            os.ftruncate(self._handle, start)
            raise of_full_disk(self.path, error) or error from error
        found = records_in(self.path)
        return {key: found[key] for key in contents}


def pack(path, wanted: set[str]) -> None:
    """Leave out the records of a file that are not wanted, where they are more than half of it.

    Whoever reads meanwhile has the file as it was. Without a record that is wanted the file is removed.
    """
    with RecordFile(path) as file:
        live = [record for key, record in records_in(path).items() if key in wanted]
        if not live:
            file.path.unlink()
        elif 2 * sum(record.size for record in live) < os.stat(path).st_size:
            with atomic(path) as temporary, open(temporary, "wb") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX)  # nobody appends to it before it is synced and named
                for record in live:
                    if (content := record._content()) is not None:
                        stream.write(_record(stream.tell(), record.key, content))


def _write(handle: int, content: bytes, at: int) -> None:
    view = memoryview(content)
    while view:
        n = os.pwrite(handle, view, at)
        at, view = at + n, view[n:]


def _alone(path: Path, patience: float) -> int:
    """The handle of a file that no other process writes; a file system without locks is taken as it is."""
    end = time.monotonic() + patience
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            held = error.errno in (errno.EWOULDBLOCK, errno.EACCES)
            if not held:
                return handle
        else:
            if path.exists() and os.fstat(handle).st_ino == path.stat().st_ino:
                return handle
        os.close(handle)  # held by another, or replaced by a packed one since it was opened
        if time.monotonic() > end:
            cure = "Wait until that job has ended, or end it; then run the same command again"
            raise MachineError(path, "another process writes it", cure)
        time.sleep(0.05)
