"""The five lines of a notebook on JWST mosaics: a list of places, two bands, pixels of two sizes."""

import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table

import fpho

PLACES = {"6414": (214.889997, 52.817474), "8021": (214.911177, 52.843044)}  # deg
BANDS = "F200W", "F444W"  # pixels of 0.02 and 0.04 arcsec


@pytest.fixture(scope="module")
def fit(shared_data):
    """Two galaxies in two bands, each in a cut-out of the mosaic."""
    folder = shared_data / "jwst_ceers"

    def files(kind):
        return {band: [folder / name / f"{name}_{band}_{kind}.fits" for name in PLACES] for band in BANDS}

    psfs = {band: folder / "psf" / f"psf_{band}.fits" for band in BANDS}
    places = [SkyCoord(*place, unit="deg") for place in PLACES.values()]
    options = {"psf.n_components": 6}
    common = {"draws": 50, "chains": 2, "progress": False, "options": options}
    return fpho.fit(files("sci"), psfs, files("err"), files("mask"), sources=places, **common)


def test_fluxes_are_those_of_another_program(fit, shared_data):
    """Within 1% of GalfitS for the galaxy that a Sersic profile describes, 5% for the clumpy one, for which
    GalfitS and The Tractor differ by as much; both had seven bands."""
    reference = Table.read(shared_data / "jwst_ceers" / "reference_fluxes.csv")
    assert len(fit) == 2
    for row, (name, limit) in zip(fit.table, {"6414": 0.01, "8021": 0.05}.items(), strict=True):
        for band in BANDS:
            known = reference[(reference["id"] == int(name)) & (reference["band"] == band)][0]
            assert row[band].value == pytest.approx(known["galfits_flux_nJy"], rel=limit), (name, band)


def test_it_is_shown(fit):
    """Figures, and a table in which errors say how many digits count."""
    assert fit.plot()._repr_png_().startswith(b"\x89PNG")
    assert fit.corner(1)._repr_png_().startswith(b"\x89PNG")
    shown = fit._repr_html_()
    assert "±" in shown and "POOR_FIT" in shown
    assert [layer.shape for layer in fit.residual["F200W"]] == [(201, 201)] * 2
    assert fit.flux_covariance.shape == (2, 2, 2)
