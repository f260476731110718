"""PSFEx models: what GalSim reads of them, other keys than x and y, coarse samples, broken headers."""

from math import comb

import galsim
import galsim.des
import numpy as np
import pytest
from astropy.io import fits

from fpho.errors import InputError
from fpho.psf.psfex import _powers, read_psfex
from fpho.psf.source import Source

XY = ("X_IMAGE", "Y_IMAGE")


def drawn(step, sigma=0.9, size=45):
    effective = galsim.Convolve(galsim.Gaussian(sigma=sigma), galsim.Pixel(1))
    return effective.drawImage(nx=size, ny=size, scale=step, method="no_pixel", dtype=float).array


def model(path, names=XY, groups=None, degrees=(1,), step=0.5, sigmas=(0.9, 1.1), **cards):
    """Width grows with the first key: an image for the constant, one for the first power of that key."""
    groups = groups or [1] * len(names)
    terms = int(np.prod([comb(d + groups.count(g + 1), d) for g, d in enumerate(degrees)]))
    basis = np.zeros((terms, 45, 45), "f4")
    basis[0] = drawn(step, sigmas[0])
    if terms > 1:
        basis[1] = drawn(step, sigmas[1]) - basis[0]
    column = fits.Column("PSF_MASK", f"{basis.size}E", dim=f"(45,45,{terms})", array=basis[None])
    table = fits.BinTableHDU.from_columns([column], name="PSF_DATA")
    header = {"POLNAXIS": len(names), "POLNGRP": len(degrees), "PSF_SAMP": step, "PSF_FWHM": 2.3}
    for i, (name, group) in enumerate(zip(names, groups, strict=True), 1):
        header |= {f"POLGRP{i}": group, f"POLNAME{i}": name, f"POLZERO{i}": 500.0, f"POLSCAL{i}": 1000.0}
    header |= {f"POLDEG{i}": degree for i, degree in enumerate(degrees, 1)}
    header |= {"PSFNAXIS": 3, "PSFAXIS1": 45, "PSFAXIS2": 45, "PSFAXIS3": terms} | cards
    table.header.update({name: value for name, value in header.items() if value is not None})
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True)
    return path


@pytest.mark.parametrize(("step", "sigmas"), [(0.5, (0.9, 1.1)), (1.0, (1.5, 1.8)), (1.25, (2.5, 2.8))])
def test_what_galsim_reads(tmp_path, step, sigmas):
    """Steps below, of, and above one pixel."""
    path = model(tmp_path / "model.psf", step=step, sigmas=sigmas)
    image = read_psfex(Source("a", path, location=(799.0, 99.0)))[0]
    referee = galsim.des.DES_PSFEx(str(path)).getPSFArray(galsim.PositionD(800.0, 100.0))
    assert np.abs(image.data * image.step**2 - referee / referee.sum()).max() < 1e-6 * image.data.max()
    assert image.step == pytest.approx(step)
    over_the_chip = read_psfex(Source("a", path))
    assert len(over_the_chip) == 9
    assert over_the_chip[0].location == (-1.0, -1.0)
    assert over_the_chip[-1].location == (999.0, 999.0)


def test_order_of_terms():
    assert _powers((2.0, 3.0), 2).tolist() == [1, 2, 4, 3, 6, 9]
    assert _powers((2.0,), 2).tolist() == [1, 2, 4]


def peaks(path, places):
    return [read_psfex(Source("a", path, location=place))[0].data.max() for place in places]


def test_one_key_and_keys_in_another_order(tmp_path):
    """The PSF is wider where the key that it varies with is larger, whatever the other axis."""
    corners = [(0.0, 0.0), (900.0, 0.0), (0.0, 900.0)]
    for names, wider in ((["X_IMAGE"], 1), (["YWIN_IMAGE"], 2), (["Y_IMAGE", "X_IMAGE"], 2), (XY, 1)):
        found = peaks(model(tmp_path / "model.psf", names), corners)
        other = 3 - wider
        assert found[wider] < 0.9 * found[0] and found[other] == pytest.approx(found[0], rel=1e-5)
    along = read_psfex(Source("a", model(tmp_path / "model.psf", ["Y_IMAGE"], degrees=(2,))))
    places = np.array([image.location for image in along])
    assert places == pytest.approx(np.array([[0, -1], [0, 332.33], [0, 665.67], [0, 999]]), abs=0.01)


def test_keys_without_effect_are_none(tmp_path):
    """Degree 0, no keys, and a constant model of one plane."""
    for names, groups, degrees in (
        (["X_IMAGE", "Y_IMAGE", "MAG_AUTO"], [1, 1, 2], (1, 0)),
        (["MAG_AUTO"], [1], (0,)),
        ([], [], ()),
    ):
        path = model(tmp_path / "model.psf", names, groups, degrees)
        assert len(read_psfex(Source("a", path))) == (9 if "X_IMAGE" in names else 1)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"names": (*XY, "MAG_AUTO")}, "varies with MAG_AUTO, not only"),
        ({"names": ("FLUX_RADIUS", "MAG_AUTO")}, "varies with FLUX_RADIUS, MAG_AUTO"),
        ({"names": ("X_IMAGE", ":AIRMASS")}, "varies with :AIRMASS"),
        (
            {"groups": [1, 2], "degrees": (2, 1)},
            r"groups.*X_IMAGE \(group 1, degree 2\), Y_IMAGE",
        ),
        ({"names": ("X_IMAGE", "XWIN_IMAGE")}, "one axis twice"),
        ({"POLSCAL1": 0.0}, r"POLSCAL \[0.0"),
        ({"POLZERO2": None}, "no keyword POLZERO2"),
        ({"POLDEG1": 3}, "3 images in PSF_MASK, 10 terms"),
        ({"PSF_SAMP": 0.0}, "PSF_SAMP is 0"),
        ({"PSF_SAMP": "automatic"}, "PSF_SAMP = 'automatic'"),
        ({"step": 3.0, "sigmas": (2.2, 2.4)}, "too coarse"),
    ],
)
def test_refused_by_name(tmp_path, options, match):
    with pytest.raises(InputError, match=match):
        read_psfex(Source("a", model(tmp_path / "model.psf", **options)))


def test_places_outside_the_model(tmp_path):
    path = model(tmp_path / "model.psf")
    with pytest.warns(UserWarning, match="outside the range"):
        read_psfex(Source("a", path, location=(1150.0, 500.0)))
    with pytest.raises(InputError, match="outside the range"):
        read_psfex(Source("a", path, location=(1600.0, 500.0)))
