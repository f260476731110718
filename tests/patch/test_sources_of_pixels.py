"""The same patch from memory, from FITS files and from stores; nothing of it depends on where pixels lie."""

from dataclasses import fields, replace

import numpy as np
import pytest
from astropy.io import fits

from fpho.errors import InputError
from fpho.geometry import CircularRegion
from fpho.images import write_store
from fpho.patch import CPUPatchMixin, DirectPatch, FITSPatch, StorePatch, pixel_arrays

from .scenes import DEC, RA, draw, make_rows, make_store

BANDS = ("blue", "red")
REGION = CircularRegion(RA + 0.4 / 3600, DEC, 1.4)


class Direct(DirectPatch, CPUPatchMixin):
    pass


class Files(FITSPatch, CPUPatchMixin):
    pass


class Stores(StorePatch, CPUPatchMixin):
    pass


@pytest.fixture(scope="module")
def rows():
    source = {"blue": 90.0, "red": 120.0, "q": 0.8, "pa": 0.5, "rhalf": 0.3}
    return make_rows(BANDS, source, {"blue": 50.0, "red": 30.0, "offset": (0.7, 0.5)})


@pytest.fixture(scope="module")
def exposures(rows):
    drawn = [
        draw(rows, "red", "r1", rotation=30.0, sigma=0.1, shape=(93, 101)),
        draw(rows, "blue", "b1", offset=(1.0, 0.4), sigma=0.05, scale=0.04),
    ]
    drawn[0].ierr[30:40, 20:60] = 0
    return drawn


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("psf") / "psfs.h5")


def write(path, exposure):
    """A file as usage.rst has it: extensions 1 and 2 are data and sigma, NaN where masked."""
    header = exposure.wcs.to_header()
    header["FILTER"], header["FLUXSCL"] = exposure.band, 2.0
    with np.errstate(divide="ignore"):
        sigma = np.where(exposure.ierr > 0, 1 / exposure.ierr, np.nan)
    images = (fits.ImageHDU(exposure.data / 2, header), fits.ImageHDU(sigma / 2, header))
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(path)


@pytest.fixture(scope="module")
def patchers(exposures, store, tmp_path_factory):
    """The three kinds, given paths where they take them."""
    folder = tmp_path_factory.mktemp("pixels")
    names = [folder / f"{exposure.id}.fits" for exposure in exposures]
    for name, exposure in zip(names, exposures, strict=True):
        write(name, exposure)
    pairs = [(folder / f"pixels{i}.h5", folder / f"meta{i}.h5") for i in range(2)]
    for pair, exposure in zip(pairs, exposures, strict=True):
        write_store(*pair, [exposure])
    pixels, metas = zip(*pairs, strict=True)
    made = (
        Direct(exposures, store),
        Files(
            fitsfiles=names,
            psfstore=store.path,
            splinedata="default",
            sci_ext=1,
            unc_ext=2,
            return_residual=True,
        ),
        Stores(pixelstore=pixels, metastore=metas, psfstore=str(store.path), splinedata="default"),
    )
    for patcher in made:
        patcher.build_patch(REGION, None, allbands=BANDS)
    return made


def test_three_ways_to_the_same_patch(patchers, rows):
    direct, *others = patchers
    wanted = pixel_arrays(direct.tiles, BANDS, direct.place(rows))
    for other in others:
        found = pixel_arrays(other.tiles, BANDS, other.place(rows))
        for field in fields(wanted):
            a, b = getattr(wanted, field.name), getattr(found, field.name)
            good = wanted.weight > 0 if field.name == "data" else ...
            assert np.allclose(a[good], b[good], rtol=2e-6, atol=1e-6), field.name
        assert other.exposures == direct.exposures == ["r1", "b1"]
        assert np.array_equal(other.xpix, direct.xpix) and np.array_equal(other.ypix, direct.ypix)


def test_bands_restrict_the_exposures(patchers):
    stores = patchers[2]
    stores.build_patch(REGION, None, allbands=["red"])
    assert stores.exposures == ["r1"]
    stores.build_patch(REGION, None)
    assert stores.bands == ("red", "blue")
    stores.build_patch(REGION, None, allbands=BANDS)


def test_a_patch_off_all_images_is_empty_and_says_so(patchers):
    direct = patchers[0]
    with pytest.warns(UserWarning, match="no good pixel"):
        direct.build_patch(replace(REGION, dec=DEC + 0.1), None, allbands=BANDS)
    assert direct.exposures == [] and len(direct.xpix) == 0
    direct.build_patch(REGION, None, allbands=BANDS)


def test_rows_of_other_bands_stop(patchers, rows):
    direct = patchers[0]
    with pytest.raises(InputError, match="blue"):
        direct.prepare_model(active=make_rows(["red"], {"red": 1.0}))
    with pytest.raises(InputError, match="shapes"):
        direct.prepare_model(active=rows, shapes=("q", "pa"))
