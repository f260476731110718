"""Odd catalogs and configurations: read rightly, or refused in due form; nothing else reaches a user."""

import numpy as np
import pytest

from tests.fuzz import catalogs, configurations
from tests.needs import needed

pytestmark = pytest.mark.filterwarnings("ignore")  # of the writers of odd tables


@pytest.mark.parametrize("seed", range(12))
def test_odd_catalogs(tmp_path, seed):
    needed("pyarrow")
    rng, taken = np.random.default_rng([1, seed]), 0
    for number in range(12):
        content, options = catalogs.odd_catalog(rng)
        path = tmp_path / f"{number}.cat"
        path.write_bytes(content)
        taken += catalogs.read_or_refuse(path, options) is not None
        path.write_bytes(catalogs.damaged(rng, content))
        catalogs.read_or_refuse(path, options)
    assert taken  # the generator makes some that are fine


@pytest.mark.parametrize("form", catalogs.FORMATS)
def test_formats_agree(tmp_path, form):
    """The same rows, bit by bit, whatever the format."""
    if form == "parquet":
        needed("pyarrow")
    rng = np.random.default_rng([3, catalogs.FORMATS.index(form)])
    for encoding in catalogs.ENCODINGS:
        table = catalogs.plain_table(rng)
        read = []
        for path, some in ((tmp_path / "one.cat", form), (tmp_path / "other.cat", "fits")):
            path.write_bytes(catalogs.written(table, some, encoding))
            read.append(catalogs.read_or_refuse(path, {}))
        assert read[0].tobytes() == read[1].tobytes()
        for name in ("id", "ra", "dec", "sersic", "roi", *catalogs.BANDS, "is_point"):
            expected = np.where(table["is_point"], 1.0, table[name]) if name == "sersic" else table[name]
            assert np.array_equal(read[0][name], expected), name


@pytest.mark.parametrize("seed", range(8))
def test_odd_configurations(tmp_path, seed):
    rng, taken = np.random.default_rng([2, seed]), 0
    for number in range(30):
        path = tmp_path / f"{number}.yaml"
        path.write_text(configurations.odd_text(rng))
        taken += configurations.load_or_refuse(path, configurations.odd_overrides(rng)) is not None
    assert taken
