"""Files are whole or absent; the registry of flags and the names of a run hang together."""

import pickle
from pathlib import Path

import pytest

from fpho.errors import InputError
from fpho.files import atomic, checksum, write_text
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


def test_a_temporary_name_has_the_suffix_and_the_folder(tmp_path):
    with atomic(tmp_path / "a.fits.gz") as temporary:
        assert temporary.parent == tmp_path and temporary.name.endswith(".fits.gz")
    assert (tmp_path / "a.fits.gz").is_file()


def test_checksum_is_sha256(tmp_path):
    write_text(tmp_path / "a", "abc")
    assert checksum(tmp_path / "a").startswith("ba7816bf8f01cfea")  # FIPS 180-2, example B.1


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
    names += [layout.samples(0), layout.residuals(0), layout.pixels("mosaic"), layout.meta("mosaic")]
    assert all(Path("run") in path.parents for path in names)
    assert len(set(names)) == len(names)
