"""Tables and stores that a user gives: the run's copy holds the same, and has a checksum of its own."""

import h5py
import numpy as np
import pytest

from fpho import hdf5
from fpho.config import make_config
from fpho.errors import DamagedError, InputError
from fpho.layout import Layout
from fpho.psf import PSFStore, write_store
from fpho.sersic import DEFAULT_PATH, load_table
from fpho.stages import psf, sersic


def without_checksum(source, path):
    """As other programs write it."""
    with h5py.File(source) as given, h5py.File(path, "w") as file:
        file.attrs.update({name: value for name, value in given.attrs.items() if name != "seal"})
        for name in given:
            given.copy(name, file)
    return path


def copy_of_a_table(folder):
    given = without_checksum(DEFAULT_PATH, folder / "table.h5")
    layout = Layout(folder / "run")
    sersic.run(make_config({"sersic.table": str(given)}), layout)
    return given, layout.sersic_table, load_table


def copy_of_a_store(folder):
    mixture = np.array([[[1.0, 0, 0, 1.5, 1.5, 0.1]]])
    write_store(folder / "written.h5", {"r": (mixture, None, [])})
    given = without_checksum(folder / "written.h5", folder / "store.h5")
    layout = Layout(folder / "run")
    psf.run(make_config({"psfs": str(given), "images": "none.tsv"}), layout)
    return given, layout.psf_store, PSFStore


def contents(path):
    """Bytes of all data sets, and all attributes but the checksum, by name."""
    found = {}
    with h5py.File(path) as file:

        def look(name, node):
            found.update({(name, key): np.array(value).tobytes() for key, value in node.attrs.items()})
            if isinstance(node, h5py.Dataset):
                found[name] = (node.dtype, node[()].tobytes())

        look("/", file)
        file.visititems(look)
    return {key: value for key, value in found.items() if key != ("/", "seal")}


@pytest.mark.parametrize("make", [copy_of_a_table, copy_of_a_store])
def test_damage_of_a_copy_is_found(tmp_path, make):
    given, copy, read = make(tmp_path)
    assert contents(copy) == contents(given)
    read(copy)
    good = copy.read_bytes()
    for at in np.linspace(64, len(good) - 1, 9).astype(int):
        copy.write_bytes(good[:at] + bytes([good[at] ^ 64]) + good[at + 1 :])
        with pytest.raises(DamagedError):
            hdf5.verify(copy, ours=True)
    copy.write_bytes(good[:-40])
    with pytest.raises(InputError, match=copy.name):
        read(copy)


def test_what_is_no_table_is_named(tmp_path):
    (tmp_path / "table.h5").write_text("no HDF5")
    with pytest.raises(InputError, match=r"table.h5: cannot be read.*`default`"):
        sersic.run(make_config({"sersic.table": str(tmp_path / "table.h5")}), Layout(tmp_path / "run"))
