"""The pool of processes: results, faults of the machine, and that nothing outlives its parent."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from fpho.errors import InputError, MachineError
from fpho.workers import mapped, results
from tests.conftest import TOP
from tests.workers import work


def test_results_in_order_from_several_processes():
    assert mapped(work.square, [(x,) for x in range(7)], 2) == [x * x for x in range(7)]
    assert mapped(work.square, [], 2) == []
    used = set(mapped(work.process, [(x,) for x in range(6)], 2))
    assert len(used) == 2 and os.getpid() not in used
    assert mapped(work.process, [(0,), (1,)], 1) == [os.getpid()] * 2


def test_linear_algebra_is_rounded_as_in_a_worker():
    """Which has one thread, also where this process has several: an inverse of 104 rows differs then."""
    sizes = [(104,), (130,)]
    with threadpool_limits(limits=2, user_api="blas"):
        here = mapped(work.decompositions, sizes, 1)
    assert here == mapped(work.decompositions, sizes, 2)
    assert all(threads == {1} for _, threads in here)


def test_a_script_without_a_guard_is_run_once(tmp_path):
    """Workers would else run the calls at its top level again, and start workers of their own."""
    script = tmp_path / "script.py"
    lines = "from fpho.workers import mapped", "from tests.workers import work"
    script.write_text("\n".join([*lines, "print(mapped(work.square, [(2,), (3,)], 2))", ""]))
    paths = os.pathsep.join([str(TOP), *sys.path])
    done = subprocess.run(
        [sys.executable, script], env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert done.stdout == "[4, 9]\n", done.stderr


def test_workers_may_have_workers():
    assert mapped(work.nested, [(3,), (5,)], 2) == [[9, 16], [25, 36]]


@pytest.mark.parametrize("fault", ["killed", "leaves", "memory", "disk"])
def test_a_fault_of_the_machine_costs_one_repeat(tmp_path, fault, caplog):
    """And nothing of the others' work."""
    arguments = [(tmp_path / f"{x}", x, fault if x == 2 else "memory") for x in range(6)]
    for x in (0, 1, 3, 4, 5):
        (tmp_path / f"{x}").touch()
    assert mapped(work.once, arguments, 2) == list(range(6))
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["part 2"]


WORDS = {"killed": "signal 9.*fewer --cores", "memory": "MemoryError.*more memory", "disk": "No space.*room"}


@pytest.mark.parametrize("fault", WORDS)
def test_what_fails_twice_stops_with_a_message(fault):
    with pytest.raises(MachineError, match=f"b: .*{WORDS[fault]}.*run the same command again"):
        mapped(work.always, [(0, fault), (1, fault)], 2, names=["b", "b"])


def test_many_faults_stop_the_work_early(tmp_path):
    """A full disk fails all of it: not each in turn, after its work is done."""
    (tmp_path / "begun").mkdir()
    arguments = [(tmp_path / "begun", x) for x in range(50)]
    with pytest.raises(MachineError, match="No space left"):
        mapped(work.counted, arguments, 2)
    assert 5 <= len(list((tmp_path / "begun").iterdir())) <= 8


def test_faults_in_this_process(tmp_path):
    assert mapped(work.once, [(tmp_path / "a", 7, "disk")], 2) == [7]
    with pytest.raises(MachineError, match="No space"):
        mapped(work.always, [(0, "disk")], 1)


def test_other_exceptions_are_the_callers():
    with pytest.raises(InputError, match=r"a.fits: is not there. Give it"):
        mapped(work.always, [(0, "input"), (1, "input")], 2)
    with pytest.raises(RuntimeError, match="LookupError"):
        mapped(work.broken, [(0,), (1,)], 2)


def test_results_that_nobody_wants_stop_the_workers(tmp_path):
    some = results(work.sleeping, [(tmp_path, 0), (tmp_path, 1)], 2)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it for jobs with &
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupt_soon(tmp_path, some)
    finally:
        signal.signal(signal.SIGINT, before)
    assert gone(wait_for(tmp_path, 2))


def interrupt_soon(folder, some):
    pid = os.getpid()
    program = (
        f"import os, time, sys; sys.path.insert(0, {str(TOP)!r})\nfrom tests.workers.test_workers import *\n"
    )
    program += f"wait_for({str(folder)!r}, 2); os.kill({pid}, signal.SIGINT)"
    with subprocess.Popen([sys.executable, "-c", program]):
        next(some)


PROGRAM = """
import sys
from fpho.workers import mapped
from tests.workers import work
if __name__ == "__main__":
    mapped(work.sleeping_below, [(sys.argv[1], 0), (sys.argv[1], 10)], 2)
"""


@pytest.mark.parametrize("killed", ["parent", "fork server"])
def test_workers_end_with_their_parent(tmp_path, killed):
    """Also workers of workers, and when it is killed, so that it can't tell them."""
    job = subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path], cwd=TOP, stderr=subprocess.DEVNULL)
    pids = wait_for(tmp_path, 4)
    if killed == "parent":
        job.kill()
        job.wait()
    else:
        for server in {parent_of(pid) for pid in pids} - {job.pid}:
            os.kill(server, signal.SIGKILL)
    try:
        assert gone(pids)
    finally:
        job.kill()
        job.wait()


PROGRAM_ABOVE = """
import subprocess, sys
subprocess.run(["sh", "-c", "%s -c 'from fpho.faults import *; from tests.workers.work import *; "
    "end_with_program(\\"above\\"); sleeping(\\"%s\\", 0)'; true" % (sys.executable, sys.argv[1])])
"""


def test_a_job_ends_with_the_program_above_it(tmp_path):
    """Not with the shell between them only, which waits for it."""
    script = tmp_path / "above"
    script.write_text(PROGRAM_ABOVE)
    (tmp_path / "ids").mkdir()
    above = subprocess.Popen([sys.executable, script, tmp_path / "ids"], cwd=TOP)
    pids = wait_for(tmp_path / "ids", 1)
    time.sleep(0.3)
    assert alive(pids[0])
    above.kill()
    above.wait()
    assert gone(pids)


def test_a_job_ends_where_the_program_above_it_was_killed_before(tmp_path):
    """While the job began: only a shell is left above it, and who takes in orphans."""
    job, above = tmp_path / "job.py", tmp_path / "above"
    job.write_text(
        "import os, sys, time\n"
        "from fpho.faults import end_with_program\n"
        "open(sys.argv[1] + '/begun', 'w')\n"
        "time.sleep(0.7)\n"
        "end_with_program('above')\n"
        "open(sys.argv[1] + '/lived', 'w')\n"
    )
    command = shlex.join([sys.executable, str(job), str(tmp_path)])
    above.write_text(f"import os\nos.system({command + '; true'!r})\n")
    program = subprocess.Popen([sys.executable, above], cwd=TOP)
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    program.kill()
    program.wait()
    time.sleep(2)
    assert not (tmp_path / "lived").exists()
    assert subprocess.run([sys.executable, above], cwd=TOP).returncode == 0
    assert (tmp_path / "lived").exists()


def wait_for(folder, n):
    """Ids of the n processes that have begun."""
    for _ in range(600):
        names = os.listdir(folder)
        if len(names) >= n:
            return [int(name) for name in names]
        time.sleep(0.05)
    raise AssertionError(f"{names} began")


def parent_of(pid) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[1])


def gone(pids) -> bool:
    """Within five seconds; one that has ended may wait for its parent to take notice."""
    for _ in range(100):
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def alive(pid) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except FileNotFoundError:
        return False
