"""Logs of passes: a line for each patch, passed on as they are and read one by one."""

import json

import pytest

from fpho.errors import DamagedError, InputError
from fpho.passes.logs import line_of, lines_in, logs_in, read_log, write_lines
from fpho.passes.tasks import DrawsLog, PatchLog

LOGS = [
    PatchLog(patch=number, active=(f"s{number}", "a,\nb"), seen=([1.5, 2.0],), n_draws=8)
    for number in (7, 70, 3)
]


def texts(*groups) -> list[bytes]:
    return ["\n".join(map(line_of, logs)).encode() for logs in groups]


def test_shares_are_passed_on_as_one_log(tmp_path):
    path, again = tmp_path / "log.json", tmp_path / "again.json"
    write_lines(path, texts(LOGS[:2], [], LOGS[2:]))
    assert read_log(path) == LOGS
    assert [entry["patch"] for entry in json.loads(path.read_text())] == [7, 70, 3]
    write_lines(again, lines_in(path))
    assert again.read_bytes() == path.read_bytes()
    write_lines(path, [])
    assert read_log(path) == [] and json.loads(path.read_text()) == []


def test_only_logs_that_are_asked_for_are_made(tmp_path, monkeypatch):
    path, made = tmp_path / "log.json", []
    write_lines(path, texts(LOGS))
    decode = json.JSONDecoder().decode
    monkeypatch.setattr(json, "loads", lambda line: made.append(line) or decode(line.decode()))
    assert list(logs_in(path, {70})) == [LOGS[1]] and len(made) == 1


def test_draws_come_back(tmp_path):
    entry = PatchLog(patch=1, fit=DrawsLog({"max_rhat": 1.01}, 10, 2, 0))
    write_lines(tmp_path / "log.json", texts([entry]))
    assert read_log(tmp_path / "log.json") == [entry]


def test_what_is_no_log_is_named(tmp_path):
    path = tmp_path / "log.json"
    with pytest.raises(InputError, match=r"log\.json: no log of the pass"):
        read_log(path)
    write_lines(path, texts(LOGS))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"s70", b"s71"))
    with pytest.raises(DamagedError, match=r"log\.json: damaged"):
        read_log(path)
    write_lines(path, [b'{"number": 7}'])
    with pytest.raises(DamagedError, match=r"log\.json: damaged"):
        read_log(path)
