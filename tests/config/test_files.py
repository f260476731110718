"""Files are whole or absent; the registry of flags and the names of a run hang together."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fpho import files, hdf5
from fpho.errors import DamagedError, InputError
from fpho.files import atomic, checksum, verify, write_text
from fpho.flags import DESCRIPTIONS, Flag, describe
from fpho.layout import Layout


def test_a_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "deep" / "table.fits"
    write_text(path, "first")
    with pytest.raises(ValueError), atomic(path) as temporary:
        temporary.write_text("half")
        raise ValueError
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_files_are_synced_but_for_those_of_a_fleeting_folder(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with files.fleeting(tmp_path / "fit"):
        write_text(tmp_path / "fit" / "deep" / "a", "abc")
        assert not synced and (tmp_path / "fit" / "deep" / "a").read_text() == "abc"
        write_text(tmp_path / "kept", "abc")
        assert len(synced) == 1, "what is kept between runs outlives them"
    write_text(tmp_path / "fit" / "deep" / "a", "abcd")
    assert len(synced) == 2


def test_a_temporary_name_has_the_suffix_and_the_folder(tmp_path):
    with atomic(tmp_path / "a.fits.gz") as temporary:
        assert temporary.parent == tmp_path and temporary.name.endswith(".fits.gz")
    assert (tmp_path / "a.fits.gz").is_file()


def test_checksum_is_sha256(tmp_path):
    write_text(tmp_path / "a", "abc")
    assert checksum(tmp_path / "a").startswith("ba7816bf8f01cfea")  # FIPS 180-2, example B.1


def sealed_text(path):
    write_text(path, "some text, " * 20, seal=True)


def sealed_hdf5(path):
    with hdf5.create(path) as file:
        file["values"] = np.arange(300.0)
        file.create_group("deeper").attrs["name"] = "x"


@pytest.mark.parametrize(
    ("name", "write", "verify"),
    [("a.json", sealed_text, files.verify), ("a.h5", sealed_hdf5, hdf5.verify)],
)
def test_every_flipped_byte_is_found(tmp_path, name, write, verify):
    """And a file cut short, or one that is longer; not the same content written anew."""
    path = tmp_path / name
    write(path)
    verify(path, ours=True)
    good = path.read_bytes()
    spoilt = [good[:-1], good + b"x", b""]
    for at in np.linspace(0, len(good) - 1, 80).astype(int):
        spoilt.append(good[:at] + bytes([good[at] ^ 64]) + good[at + 1 :])
    for content in spoilt:
        path.write_bytes(content)
        with pytest.raises(DamagedError, match=rf"{name}: damaged.*Delete it"):
            verify(path, ours=True)
    path.write_bytes(good)
    verify(path, ours=True)
    write(path)
    verify(path, ours=True)


def test_a_checksum_holds_for_what_was_there_before(tmp_path, monkeypatch):
    """Killed between the two writes: the old content is whole, and so is the new one."""
    path = tmp_path / "a.json"
    write_text(path, "old", seal=True)
    real = os.replace

    def killed(source, target):
        if Path(target) == path:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(files.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_text(path, "new", seal=True)
    verify(path)
    assert path.read_text() == "old"
    path.write_text("new")
    verify(path)


def test_a_checksum_goes_with_its_file(tmp_path):
    """One that was beside another file of this name says nothing of a new one."""
    path = tmp_path / "a.h5"
    write_text(path, "text", seal=True)
    sealed_hdf5(path)
    hdf5.verify(path, ours=True)
    verify(path)
    write_text(path, "text", seal=True)
    path.write_text("edited")
    with pytest.raises(DamagedError, match=r"if you changed it yourself, delete \.a\.h5\.seal"):
        verify(path)
    (tmp_path / ".a.h5.seal").unlink()
    verify(path)


def test_a_file_from_elsewhere_is_taken_as_it_is(tmp_path):
    (tmp_path / "a.fits").write_text("anything")
    verify(tmp_path / "a.fits")


def test_what_a_killed_writer_left_is_removed(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    abandoned = tmp_path / f".a.{files._host()}-{dead.pid}.xyz.h5"
    abandoned.touch()
    with atomic(tmp_path / "b.h5") as temporary:
        files.remove_abandoned(tmp_path)
        assert temporary.is_file() and not abandoned.exists()


FULL = """
import resource, sys
import numpy as np
from fpho import hdf5
from fpho.errors import MachineError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    with hdf5.create(sys.argv[1]) as file:
        for i in range(60):
            values = np.random.default_rng(i).random((100, 64))
            file.create_dataset(f"a{i}/b", data=values, chunks=(32, 64), compression="lzf", fletcher32=True)
            file[f"a{i}"].attrs["text"] = "x" * 3000
            assert np.array_equal(file[f"a{i//2}/b"][:], np.random.default_rng(i//2).random((100, 64)))
except MachineError as error:
    sys.exit(f"caught: {error}")
"""


@pytest.mark.parametrize("room", [0, 100, 9000, 200_000, 1_500_000])
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path, room):
    """HDF5 itself would end the process when it closes such a file. Written before, a file stays."""
    path = tmp_path / "a.h5"
    sealed_hdf5(path)
    good = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", FULL, path, str(room)], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith(f"caught: {path}: could not be"), done.stderr
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == good


OTHERS = """
import resource, sys
import numpy as np
from astropy.table import Table
from fpho.errors import MachineError
from fpho.files import atomic, write_text
from fpho.scene import write_scene
from fpho.parameters import scene_dtype
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop()), resource.RLIM_INFINITY))
table = Table({"a": np.arange(3000.0)})
def write(path, kind):
    if kind == "text":
        return write_text(path, "x" * 9000)
    if kind == "scene":
        return write_scene(path, np.zeros(90, scene_dtype(["r"])), ["r"])
    with atomic(path) as temporary:
        if kind == "npz":
            np.savez(temporary, a=np.arange(3000.0))
        else:
            table.write(temporary, format=kind, overwrite=True)
try:
    write(*sys.argv[1:])
except MachineError as error:
    sys.exit(f"caught: {error}")
"""


@pytest.mark.parametrize("room", ["2000", "5000"])
@pytest.mark.parametrize("kind", ["text", "scene", "npz", "fits", "ascii.ecsv"])
def test_a_full_disk_is_an_error_whatever_is_written(tmp_path, kind, room):
    path = tmp_path / "a.npz"
    done = subprocess.run([sys.executable, "-c", OTHERS, path, kind, room], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith(f"caught: {path}: could not be"), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_error_survives_a_process_border():
    error = pickle.loads(pickle.dumps(InputError("a.fits", "no column 'x'", "Add it")))
    assert str(error) == "a.fits: no column 'x'. Add it"
    assert (error.where, error.found, error.cure) == ("a.fits", "no column 'x'", "Add it")


def test_flags():
    assert set(DESCRIPTIONS) == set(Flag)
    assert len({flag.value for flag in Flag}) == len(Flag)
    assert describe(Flag.NO_DATA | Flag.AT_BOUND) == ["AT_BOUND", "NO_DATA"]
    assert describe(0) == []


def test_names_of_a_run_differ():
    layout = Layout(Path("run"))
    names = [getattr(layout, name) for name, value in vars(Layout).items() if isinstance(value, property)]
    names += [layout.batch("sample", 0, 1), layout.batch("sample", "all", 0), layout.state_after("sample", 0)]
    names = [name for name in names if isinstance(name, Path)]  # not collections of others
    names += [layout.samples(0), layout.residuals(0), layout.pixels("mosaic"), layout.meta("mosaic")]
    assert all(Path("run") in path.parents for path in names)
    assert len(set(names)) == len(names)
