"""Append-only files: whatever a kill or a disk leaves of one, each record is whole or not there."""

import os
import random
import subprocess
import sys
import time
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

import numpy as np
import pytest

from fpho import records
from fpho.errors import DamagedError, MachineError
from fpho.records import MAGIC, RecordFile, pack, records_in, records_of
from tests.conftest import TOP

CONTENTS = {
    "a": b"first" * 9,
    "empty": b"",
    "patch 12 \N{GREEK SMALL LETTER ALPHA}": np.random.default_rng(1).bytes(300),
    "like a head": b"--" + MAGIC + np.random.default_rng(2).bytes(60),
}


@pytest.fixture
def path(tmp_path):
    """A file with records, written one by one."""
    made = tmp_path / "some.records"
    with RecordFile(made) as file:
        for key, content in CONTENTS.items():
            file.append({key: content})
    return made


def held(path) -> dict[str, bytes]:
    """What can be read of a file, by a reader that has not seen it before."""
    records._known.clear()
    out = {}
    for key, record in records_in(path).items():
        if record.is_whole:
            out[key] = record.read()
    return out


def ends(path) -> list[int]:
    """Where each record ends."""
    return [record.at + record.size for record in records_in(path).values()]


def test_records_come_back(path):
    assert held(path) == CONTENTS and list(records_in(path)) == list(CONTENTS)
    assert ends(path)[-1] == path.stat().st_size
    assert records_in(path.parent / "none.records") == {}
    with pytest.raises(ValueError, match="longer than 1000 bytes"), RecordFile(path) as file:
        file.append({"k" * 1001: b""})
    assert held(path) == CONTENTS


def test_a_reader_sees_what_is_appended_and_the_later_of_two_counts(path):
    before = records_in(path)["a"]
    with RecordFile(path) as file:
        added = file.append({"b": b"more", "a": b"second"})
    assert added["a"].read() == b"second" == records_in(path)["a"].read()
    assert before.read() == CONTENTS["a"], "who has found it before still reads it"
    assert held(path) == CONTENTS | {"a": b"second", "b": b"more"}


def test_a_tail_that_is_torn_at_any_byte_is_not_there_and_cut_off(path, tmp_path):
    content, last = path.read_bytes(), ends(path)
    keys, torn = list(CONTENTS), tmp_path / "torn.records"
    for size in range(len(content) + 1):
        torn.write_bytes(content[:size])
        known = {key: CONTENTS[key] for key, end in zip(keys, last, strict=True) if end <= size}
        assert held(torn) == known, size
        with RecordFile(torn) as file:
            file.append({"new": b"after"})
        assert held(torn) == known | {"new": b"after"}, size
        whole = [0, *(end for end in last if end <= size)][-1]
        assert torn.read_bytes()[:whole] == content[:whole]


@pytest.mark.parametrize("filling", [b"\0", b"\xff"])
def test_a_tail_of_which_the_disk_has_the_length_alone_is_cut_off(path, filling):
    path.write_bytes(path.read_bytes() + 5000 * filling)
    assert held(path) == CONTENTS
    with RecordFile(path) as file:
        file.append({"new": b"after"})
    assert held(path) == CONTENTS | {"new": b"after"}


def test_a_bit_that_is_flipped_costs_its_own_record_alone(path):
    """Each bit of the file in turn: never another content, never another record lost."""
    content = path.read_bytes()
    last = np.array(ends(path))
    keys, lost = list(CONTENTS), 0
    for bit in range(0, 8 * len(content), 3):  # 3 is no divisor of 8: all bits of bytes come by turns
        spoiled = bytearray(content)
        spoiled[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(spoiled)
        hit = keys[np.searchsorted(last, bit // 8, side="right")]
        found = held(path)
        lost += hit not in found
        assert found.pop(hit, CONTENTS[hit]) == CONTENTS[hit], bit
        assert found == {key: value for key, value in CONTENTS.items() if key != hit}, bit
    assert lost > 0.98 * 8 * len(content) / 3, "all but padding"


def test_a_content_that_is_spoiled_is_told(path):
    record = records_in(path)["a"]
    content = bytearray(path.read_bytes())
    content[record.at + record.size - 6] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"some.records: damaged: record 'a' does not fit its checksum"):
        record.read()
    path.unlink()
    with pytest.raises(DamagedError, match="record 'a'"):
        record.read()


def test_a_spoiled_record_is_written_again(path):
    record = records_in(path)["a"]
    content = bytearray(path.read_bytes())
    content[record.at] ^= 1
    path.write_bytes(content)
    with RecordFile(path) as file:
        file.append({"a": CONTENTS["a"]})
    assert held(path) == CONTENTS
    assert record.read() == CONTENTS["a"], "found again, as it is the same"


def test_a_record_within_a_record_is_none(path, tmp_path, monkeypatch):
    """Also where the head around it is spoiled, and it stands there byte for byte."""
    monkeypatch.setattr(records, "LEVEL", 0)
    outer = tmp_path / "outer.records"
    with RecordFile(outer) as file:
        file.append({"outer": path.read_bytes()})
        file.append({"next": b"next"})
    assert set(held(outer)) == {"outer", "next"}
    content = bytearray(outer.read_bytes())
    assert content.count(MAGIC) > len(CONTENTS)
    content[10] ^= 1
    outer.write_bytes(content)
    assert held(outer) == {"next": b"next"}


def test_another_file_in_its_place_is_read_anew(path, tmp_path):
    assert set(records_in(path)) == set(CONTENTS)
    other = tmp_path / "other.records"
    with RecordFile(other) as file:
        file.append({f"{k}": bytes(200) for k in range(9)})
    path.write_bytes(other.read_bytes())
    assert set(records_in(path)) == set("012345678")


def test_a_file_that_lost_its_end_and_grew_again_is_read_anew(path):
    """By a process that has read it before; others cut and write meanwhile."""
    content, before = path.read_bytes(), dict(records_in(path))
    path.write_bytes(content[: before["a"].at + before["a"].size + 20])
    assert writer(path, 60, 3).communicate()[1] == ""
    with RecordFile(path) as file:
        file.append({key: CONTENTS[key] for key in CONTENTS if key != "a"})
        file.append({"more": random.Random(1).randbytes(900)})
    assert path.stat().st_size > len(content)
    assert all(before[key].read() == CONTENTS[key] for key in CONTENTS)


def test_files_of_any_number_are_one_catalogue(path, tmp_path):
    other = tmp_path / "z.records"
    with RecordFile(other) as file:
        file.append({"a": b"later", "only here": b"1"})
    found = records_of([path, other])
    assert set(found) == {*CONTENTS, "only here"}
    assert [one.read() for one in found["a"]] == [CONTENTS["a"], b"later"]


WRITER = """
import random
import sys
from fpho.records import RecordFile
with RecordFile(sys.argv[1], patience=float(sys.argv[2])) as file:
    print("open", flush=True)
    for k in range(int(sys.argv[3])):
        file.append({f"{sys.argv[4]}{k}": random.Random(k).randbytes(2000)})
    if sys.argv[3] == "0":
        sys.stdin.read()
"""


def writer(path, patience: float, count: int, name: str = "w"):
    command = [sys.executable, "-c", WRITER, path, patience, count, name]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*map(str, command)], cwd=TOP, text=True, **pipes)


def test_one_process_writes_at_a_time(path):
    """Another one is refused, or waits; who holds the file may be killed."""
    first = writer(path, 0, 0)
    assert first.stdout.readline() == "open\n"
    with pytest.raises(MachineError, match=r"some\.records: another process writes it"):
        RecordFile(path, patience=0.1)
    assert held(path) == CONTENTS, "reading is free"
    second = writer(path, 60, 2)
    time.sleep(0.2)
    first.kill()
    first.communicate()
    assert second.communicate()[1] == "" and second.returncode == 0
    assert held(path) == CONTENTS | {f"w{k}": random.Random(k).randbytes(2000) for k in range(2)}


def test_a_writer_that_is_killed_leaves_whole_records(path):
    """At random moments; the next one goes on."""
    rng, known = random.Random(2), len(CONTENTS)
    for turn in range(4):
        job = writer(path, 60, 100_000, f"{turn}-")
        assert job.stdout.readline() == "open\n"
        time.sleep(rng.uniform(0.02, 0.1))
        job.kill()
        job.communicate()
        found = held(path)
        mine = sorted(int(key.partition("-")[2]) for key in found if key.startswith(f"{turn}-"))
        assert mine == list(range(len(mine))), "all but the last that it wrote"
        assert len(found) == known + len(mine)
        known = len(found)
    assert known > 20


def test_a_full_disk_leaves_what_was_there(path):
    limits = getrlimit(RLIMIT_FSIZE)
    with RecordFile(path) as file:
        size = path.stat().st_size
        setrlimit(RLIMIT_FSIZE, (size + 1000, limits[1]))
        try:
            with pytest.raises(
                MachineError, match=r"some\.records: could not be written.*Make room on the disk"
            ):
                file.append({"small": b"1", "large": random.Random(3).randbytes(5000)})
        finally:
            setrlimit(RLIMIT_FSIZE, limits)
        assert path.stat().st_size == size and held(path) == CONTENTS
        file.append({"small": b"1"})
    assert held(path) == CONTENTS | {"small": b"1"}


def test_a_file_is_packed_where_most_of_it_is_not_wanted(path):
    old = {key: records_in(path)[key] for key in ("a", "empty")}
    with open(path, "rb") as reader:
        size = path.stat().st_size
        pack(path, {*CONTENTS} - {"a"})
        assert path.stat().st_size == size, "little would be gained"
        pack(path, {"a", "empty"})
        assert reader.read(8) == MAGIC, "who has it open reads on"
    assert held(path) == {key: CONTENTS[key] for key in ("a", "empty")} and path.stat().st_size < size / 2
    assert old["a"].read() == CONTENTS["a"], "found where it is now"
    with RecordFile(path) as file:
        file.append({"new": b"after"})
    assert set(held(path)) == {"a", "empty", "new"}
    pack(path, set())
    assert not path.exists() and [*path.parent.iterdir()] == []


def test_where_files_have_no_locks_they_are_written_all_the_same(path, monkeypatch):
    def unsupported(handle, how):
        raise OSError(38, os.strerror(38))

    monkeypatch.setattr(records.fcntl, "flock", unsupported)
    with RecordFile(path, patience=0) as file:
        file.append({"new": b"after"})
    assert held(path) == CONTENTS | {"new": b"after"}
