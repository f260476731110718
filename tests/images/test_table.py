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
        ([("id", "band", "path"), ("a", "", "x")], "line 3: column band is empty"),
        ([("id", "band", "path"), ("a", "r", "x"), ("a", "r", "y")], "'a' stands twice"),
        ([("id", "band", "path"), ("a/1", "r", "x")], "slash"),
        ([("id", "band", "path", "kind"), ("a", "r", "x", "stack")], "kind 'stack'"),
        ([("id", "band", "path", "flux_scale"), ("a", "r", "x", "one")], "flux_scale 'one'"),
        ([("id", "band", "path")], "no rows"),
        ([("id", "band", "path", "flux_scale"), ("a", "r", "x", "1e300")], "line 3: flux_scale '1e300'"),
        ([("id", "band", "path", "flux_scale"), ("a", "r", "x", "nan")], "flux_scale 'nan'"),
        ([("id", "band", "path", "flux_scale"), ("a", "r", "x", "-1")], "flux_scale '-1'"),
        ([("id", "band", "path"), ("a}", "r", "x")], "id 'a}'"),
        ([("id", "band", "path"), ("a" * 300, "r", "x")], "up to 100"),
        ([("id", "band", "path"), (".", "r", "x")], "id '.'"),
        ([("id", "band", "path"), ("a", "r", "$NOT_SET_ANYWHERE/x")], "NOT_SET_ANYWHERE is not set"),
        ([("id", "band", "path"), ("a", "r", "x", "more")], "4 cells in 3 columns"),
        ([("id", "band", "path", "path"), ("a", "r", "x", "y")], "path stands twice"),
        ([("id", "band", "path", "sci_ext"), ("a", "r", "x", "SCI,two")], "SCI,two"),
        ([("id,band,path",), ("a,r,x",)], "tab-separated"),
    ],
)
def test_errors(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        read_table(table(tmp_path, *rows))


def test_an_extension_by_name_and_version_and_a_table_of_another_encoding(tmp_path):
    path = table(tmp_path, ("id", "band", "path", "sci_ext"), ("a", "r", "x.fits", "SCI,2"))
    assert read_table(path)[0].sci_ext == ("SCI", 2)
    path.write_bytes("\ufeff".encode() + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_table(path)[0].id == "a"
    path.write_bytes("id\tband\tpath\na\tr\tbücher.fits\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        read_table(path)
