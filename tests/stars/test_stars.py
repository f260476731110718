"""PSFs made from the stars of a run's images: found or listed, for a band or an image, judged, refused."""

import warnings

import galsim
import numpy as np
import pytest
from astropy.table import Table

from fpho.config import make_config
from fpho.errors import InputError
from fpho.images import ExposureSpec
from fpho.layout import Layout
from fpho.psf import PSFStore
from fpho.psf.empirical import Stamps
from fpho.psf.inputs import images_by_key, read_psf_table
from fpho.simulate import make_wcs, write_image
from fpho.stages.check import find_problems
from fpho.stages.inputs import resolve
from fpho.stages.running import run_stage
from fpho.stars import groups_without_psf, psfs_of_stars
from fpho.stars.gathering import Gathered
from fpho.stars.making import gathered

SHAPE = (200, 230)
SIGMA = 0.02  # nJy per pixel
WIDTH = 0.95  # sigma of the core, pixels


def psf(width=WIDTH):
    """A core and wings, the pixel in it."""
    return galsim.Convolve(galsim.Moffat(beta=3.5, half_light_radius=1.3 * width), galsim.Pixel(1.0))


def place(i: int, seed: int) -> tuple[float, float]:
    """Of star i, pixels counted from 0; anywhere on a pixel."""
    x, y = np.random.default_rng([seed, i]).uniform(-0.5, 0.5, 2)
    return 32 + 55 * (i % 4) + x, 32 + 45 * (i // 4) + y


def image(seed: int, count: int = 10, width=None) -> np.ndarray:
    """Stars of S/N 100 to 400, one galaxy, noise; width : function of x, the core there."""
    rng = np.random.default_rng(seed)
    canvas = galsim.Image(SHAPE[1], SHAPE[0], scale=1.0)
    for i in range(count):
        x, y = place(i, seed)
        one = psf(WIDTH if width is None else width(x)) * (8.0 + 2.5 * i)
        one.drawImage(canvas, center=galsim.PositionD(x + 1, y + 1), add_to_image=True, method="no_pixel")
    galaxy = galsim.Convolve(galsim.Exponential(half_light_radius=3.0), psf()) * 20.0
    galaxy.drawImage(canvas, center=galsim.PositionD(115, 188), add_to_image=True, method="no_pixel")
    return canvas.array + SIGMA * rng.standard_normal(SHAPE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two exposures and a mosaic of one band, and one exposure of a band with two stars; a list of stars."""
    here = tmp_path_factory.mktemp("stars")
    wcs = make_wcs(150.0, 2.0, 0.05, SHAPE)
    rows = []
    for number, (name, count) in enumerate({"a": 10, "b": 10, "few": 2}.items(), 1):
        band = "F444W" if name == "few" else "F200W"
        write_image(here / f"{name}.fits", image(number, count), SIGMA, wcs, band)
        rows.append({"id": name, "band": band, "kind": "exposure", "path": f"{name}.fits"})
    Table(rows).write(here / "images.tsv", format="ascii.tab")
    ra, dec = wcs.pixel_to_world_values(*np.transpose([place(i, 1) for i in range(2, 9)]))
    Table({"ra": ra, "dec": dec}).write(here / "list.csv")
    return here


def config(folder, **psf):
    options = {"images": str(folder / "images.tsv"), "bands": ["F200W"], "outdir": str(folder / "run")}
    return make_config({**options, "catalog": {"detect": True}, "psf": {"from": "stars", **psf}})


@pytest.fixture(scope="module")
def run(folder) -> Layout:
    """After the stage `psf`."""
    layout = Layout(folder / "run")
    run_stage("psf", config(folder, n_components=4), layout)
    return layout


def test_a_run_makes_the_psf_of_a_band(run):
    """Encircled energy against GalSim's, the light beyond the stamp by the law of wings included."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # that less than all light lies in the stamp is meant so
        found = images_by_key(read_psf_table(run.star_psfs / "psfs.tsv"))
    assert list(found) == ["F200W"]
    (made,) = found["F200W"]
    u, v = np.meshgrid(
        *((np.arange(n) - c) * made.step for n, c in zip(made.data.shape, made.center, strict=True))
    )
    same = {"nx": made.data.shape[1], "ny": made.data.shape[0], "scale": made.step}
    truth = psf().drawImage(**same, method="no_pixel").array / made.step**2
    for radius in (2.0, 3.0, 5.0, 8.0):
        inside = np.hypot(u, v) < radius
        light, wanted = made.data[inside].sum() * made.step**2, truth[inside].sum() * made.step**2
        assert light == pytest.approx(wanted, abs=0.01), radius  # the sky's error alone makes half of that
    assert 0.98 < made.total <= 1.0
    assert PSFStore(run.psf_store).keys() == ["F200W"]


def test_what_was_made_is_told(run):
    quality = Table.read(run.star_psfs / "quality.ecsv")
    assert quality["stars"][0] == 10 and quality["stamps"][0] == 20
    assert quality["light_error"][0] == pytest.approx(quality["light_scatter"][0] / np.sqrt(10))
    assert 0.5 < quality["light_scatter"][0] / quality["light_noise"][0] < 1.6
    assert abs(quality["light"][0]) < 4 * quality["light_error"][0] + 0.002
    assert quality["chi2"][0] == pytest.approx(1, abs=0.15)
    assert (run.star_psfs / "F200W.png").stat().st_size > 10_000


def specs(folder):
    return [
        ExposureSpec(id=name, band="F200W", kind=kind, path=folder / f"{file}.fits")
        for name, file, kind in (("a", "a", "exposure"), ("b", "b", "exposure"), ("m", "a", "mosaic"))
    ]


def test_who_shares_a_psf(folder):
    def names(**options):
        return {
            group.key: [spec.id for spec in group.specs]
            for group in groups_without_psf(specs(folder), **options)
        }

    assert names(keys=[], per="band") == {"F200W": ["a", "b"], "m": ["m"]}
    assert names(keys=[], per="exposure") == {"a": ["a"], "b": ["b"], "m": ["m"]}
    assert names(keys=["a"], per="band") == {"F200W": ["b"], "m": ["m"]}
    assert names(keys=["F200W"], per="band") == {}


def test_a_list_says_which_are_stars(folder):
    (group, _) = groups_without_psf(specs(folder), [], "band")
    options = config(folder).preprocess
    assert gathered(group, options).stars == 10
    table = Table.read(folder / "list.csv")
    assert gathered(group, options, (table["ra"], table["dec"])).stars == 7


def test_check_names_images_with_too_few_stars(folder):
    chosen = config(folder).model_copy(update={"bands": ["F200W", "F444W"]})
    (problem,) = find_problems(chosen, resolve(chosen, Layout(folder / "elsewhere")))
    assert "few.fits" in problem.where and "0 stars" in problem.found and "psf.stars" in problem.cure


def test_check_names_a_list_that_cannot_be_used(folder):
    for name, text in (("none.csv", "no such list"), ("list.txt", "columns name")):
        (folder / "list.txt").write_text("name\nVega\n")
        chosen = config(folder, stars=str(folder / name))
        (problem,) = find_problems(chosen, resolve(chosen, Layout(folder / "elsewhere")))
        assert name in problem.where and text in problem.found


def test_galaxies_are_refused(folder, tmp_path):
    """Objects of one size on the mean, and of two shapes: no PSF describes those that are left out."""
    rng = np.random.default_rng(3)
    canvas = galsim.Image(SHAPE[1], SHAPE[0], scale=1.0)
    for i in range(14):
        one = galsim.Gaussian(sigma=1.6).shear(g1=0.35 * (-1) ** i, g2=rng.uniform(-0.2, 0.2)) * 40.0
        x, y = place(i, 9)
        one.drawImage(canvas, center=galsim.PositionD(x + 1, y + 1), add_to_image=True)
    data = canvas.array + SIGMA * rng.standard_normal(SHAPE)
    write_image(tmp_path / "g.fits", data, SIGMA, make_wcs(150.0, 2.0, 0.05, SHAPE), "F200W")
    Table({"id": ["g"], "band": ["F200W"], "path": ["g.fits"]}).write(
        tmp_path / "images.tsv", format="ascii.tab"
    )
    with pytest.raises(InputError, match=r"g\.fits") as caught:
        run_stage("psf", config(tmp_path), Layout(tmp_path / "run"))
    assert "not good enough" in caught.value.found or "no stars" in caught.value.found
    assert not (tmp_path / "run" / "psf" / "psfs.h5").exists()


@pytest.mark.parametrize("wider, count", [(1.25, 4), (1.0, 1)])
def test_a_psf_varies_where_stars_ask_for_it(wider, count):
    """A quarter as wide again on the right: a PSF for each part; one for all where it is the same."""
    rng = np.random.default_rng(8)
    half, (stars,) = 8, (40,)
    places = np.stack([np.arange(stars) % 8 * 100.0, np.arange(stars) // 8 * 100.0], axis=1)
    axis = np.arange(-half, half + 1.0)
    data = []
    for x, _ in places:
        one = psf(WIDTH * (wider if x > 350 else 1.0)) * 400.0
        drawn = one.drawImage(
            nx=2 * half + 1, ny=2 * half + 1, scale=1, method="no_pixel", offset=rng.uniform(-0.5, 0.5, 2)
        )
        data.append(drawn.array.ravel() + rng.standard_normal((2 * half + 1) ** 2))
    x, y = (np.tile(values.ravel(), (stars, 1)) for values in np.meshgrid(axis, axis))
    stamps = Stamps(x, y, np.array(data), np.ones(x.shape), np.arange(stars))
    made = psfs_of_stars(Gathered(stamps, places, np.full(stars, 100.0), 2.2), max_cells=3)
    assert len(made) == count
    if count > 1:
        assert sorted(one.place[0] < 350 for one in made) == [False, False, True, True]
        assert max(one.chi2 for one in made) < 1.2
