"""The table of exposures: defaults, paths, and errors that name the line and the column."""

import pytest

from fpho.errors import InputError
from fpho.images import read_table


def table(folder, *rows):
    path = folder / "images.tsv"
    path.write_text("\n".join(["# a comment", *("\t".join(row) for row in rows)]) + "\n")
    return path


def test_defaults_indices_and_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS", str(tmp_path / "elsewhere"))
    names = ("id", "band", "kind", "path", "sci_ext", "unc_ext", "psf", "flux_scale")
    path = table(
        tmp_path,
        names,
        ("a", "r", "", "a.fits", "", "", "", ""),
        ("b", "g", "mosaic", "$PIXELS/b.fits", "1", "RMS", "p", "2.5"),
    )
    a, b = read_table(path)
    assert (a.kind, a.path, a.sci_ext, a.unc_kind, a.psf, a.flux_scale) == (
        "exposure",
        tmp_path / "a.fits",
        None,
        None,
        "",
        None,
    )
    assert (b.kind, b.path, b.sci_ext, b.unc_ext, b.flux_scale) == (
        "mosaic",
        tmp_path / "elsewhere/b.fits",
        1,
        "RMS",
        2.5,
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("id", "band"), ("a", "r")], "no column path"),
        ([("id", "band", "path", "bnad"), ("a", "r", "x", "")], "unknown columns bnad"),
        ([("id", "band", "path"), ("a", "", "x")], "line 2: column band is empty"),
        ([("id", "band", "path"), ("a", "r", "x"), ("a", "r", "y")], "'a' stands twice"),
        ([("id", "band", "path"), ("a/1", "r", "x")], "slash"),
        ([("id", "band", "path", "kind"), ("a", "r", "x", "stack")], "kind 'stack'"),
        ([("id", "band", "path", "flux_scale"), ("a", "r", "x", "one")], "flux_scale 'one'"),
        ([("id", "band", "path")], "no rows"),
    ],
)
def test_errors(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        read_table(table(tmp_path, *rows))
