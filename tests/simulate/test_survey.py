"""A simulated survey: its sky, its pointings, its bits, its files; the quick drawing against GalSim's own."""

import gc
import tracemalloc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table, vstack
from astropy.wcs import WCS

from fpho.cli.app import main
from fpho.config.field import SimulatedField
from fpho.errors import MachineError
from fpho.files import verify
from fpho.images import read_table
from fpho.images.reading import read_exposure
from fpho.psf.inputs import images_by_key, read_psf_table
from fpho.simulate import write_survey
from fpho.simulate.cells import Cells
from fpho.simulate.effective import effective_stamp, psf_object
from fpho.simulate.field import field_psfs
from fpho.simulate.pieces import write_in_pieces
from fpho.simulate.pointings import pointings
from fpho.simulate.population import COMPANIONS
from fpho.simulate.quick import Drawer
from fpho.simulate.scenes import REFERENCE
from fpho.simulate.survey import Survey, draw

COARSE = {"bands": ["g", "r"], "pixel_scale": [0.1, 0.15], "depth": 26.0, "exposures": 2}
SMALL = SimulatedField(sources=30, density=150, stars=2, **COARSE)
SEED, PIXELS = 5, 130


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survey")
    write_survey(SMALL, folder, SEED, PIXELS)
    return folder


@pytest.fixture(scope="module")
def survey(folder):
    psfs = {key: images[0] for key, images in images_by_key(read_psf_table(folder / "psfs.tsv")).items()}
    return Survey(Cells(SMALL, SEED), psfs, folder, "plain")


def work_of(survey):
    return pointings(SMALL, survey.cells.side, PIXELS, survey.psfs, SEED)


def test_the_quick_drawing_is_that_of_galsim(survey):
    """Both drop light that folds back into a stamp, up to GalSim's threshold: a thousandth of the flux."""
    rows, image = survey.cells.drawn(0)[0], work_of(survey)[4].image()
    distance = np.hypot(*(image.wcs.world_to_pixel_values(rows["ra"], rows["dec"]) - np.c_[[64.5, 64.5]]))
    rows = rows[np.argsort(distance)[:4]].copy()
    rows["sersic"], rows["rhalf"], rows["is_point"] = (
        [4, 1, 0.5, 1],
        [0.4, 0.3, 0.15, 0],
        [False] * 3 + [True],
    )
    rows["q"] = [0.7, 0.9, 0.6, 1]
    for psf in survey.psfs.values():
        sizes = {}
        for s, place, light in Drawer(psf, image.wcs, image.scale, image.shape).stamps(rows, "g"):
            ours, theirs = np.zeros(image.shape), np.zeros(image.shape)
            ours[place] = light
            where, stamp = effective_stamp(
                image.shape,
                rows[s],
                image.wcs,
                psf_object(psf),
                psf.half_width,
                float(rows["g"][s]),
                image.scale,
            )
            theirs[where] = stamp
            sizes[s] = light.shape
            assert np.abs(ours - theirs).max() < 2e-3 * theirs.max()
            assert abs(ours.sum() - theirs.sum()) < 6e-3 * rows["g"][s]
        assert len(sizes) == len(rows)


def test_finer_detail_than_pixels_is_not_lost(tmp_path):
    """A PSF that pixels undersample: what is beyond their frequencies must fold, not vanish."""
    wide = SMALL.model_copy(update={"pixel_scale": [0.3, 0.4]})
    (psf, _) = field_psfs(wide, tmp_path).values()
    image = pointings(wide, 20.0, 100, {"g": psf, "r": psf}, SEED)[0].image()
    drawer = Drawer(psf, image.wcs, image.scale, image.shape)
    assert drawer.fine > 1
    rows = Cells(wide, SEED).drawn(0)[0][-1:]
    ((_, place, light),) = drawer.stamps(rows, "g")
    where, stamp = effective_stamp(
        image.shape, rows[0], image.wcs, psf_object(psf), psf.half_width, float(rows["g"][0]), image.scale
    )
    one, other = np.zeros(image.shape), np.zeros(image.shape)
    one[place], other[where] = light, stamp
    assert np.abs(one - other).max() < 2e-3 * other.max()


def test_density_and_clustering_are_as_asked():
    cells = Cells(SimulatedField(sources=2000, density=200, stars=7), SEED)
    drawn = [cells.drawn(cell)[0] for cell in range(cells.across**2)]
    rows = np.concatenate(drawn)
    assert len(drawn) > 4 and len(rows) == 2007
    assert rows["id"].tolist()[0].endswith("-1") and len(set(rows["id"].tolist())) == 2007
    assert np.array_equal(rows["source_index"], np.arange(2007))
    assert sum(name.startswith("bright-star") for name in rows["id"].tolist()) == 7
    x = (rows["ra"] - REFERENCE[0]) * 3600 * np.cos(np.radians(REFERENCE[1]))
    y = (rows["dec"] - REFERENCE[1]) * 3600
    inside = np.maximum(np.abs(x), np.abs(y)) < cells.side / 2
    assert inside.mean() > 0.97  # the others are companions of sources at the rim
    assert inside.sum() / (cells.side / 60) ** 2 == pytest.approx(200, rel=0.04)
    quarters = np.histogram2d(x, y, 4, range=[[-cells.side / 2, cells.side / 2]] * 2)[0]
    assert 0.3 < quarters.var() / quarters.mean() < 3  # as chance has it, with pairs
    distance = np.hypot(np.subtract.outer(x, x), np.subtract.outer(y, y))
    near = (distance < 2.0).sum(axis=1) - 1
    by_chance, pairs = np.pi * 2.0**2 * 200 / 3600, COMPANIONS * (1 - COMPANIONS)  # a host may have moved off
    assert near.mean() == pytest.approx(by_chance + 2 * pairs, rel=0.08)


def test_every_place_is_covered_as_often_as_asked(survey):
    rng, half = np.random.default_rng(1), survey.cells.side / 2
    x, y = rng.uniform(-half, half, (2, 400))
    ra = REFERENCE[0] + x / 3600 / np.cos(np.radians(REFERENCE[1]))
    work = work_of(survey)
    assert len(work) > 2 * SMALL.exposures  # tiles
    for band in SMALL.bands:
        times = np.zeros(400, int)
        for image in (one.image() for one in work if one.band == band):
            i, j = image.wcs.world_to_pixel_values(ra, REFERENCE[1] + y / 3600)
            ny, nx = image.shape
            times += (i > -0.5) & (j > -0.5) & (i < nx - 0.5) & (j < ny - 0.5)
        assert times.min() >= SMALL.exposures
        assert times.mean() < 2 * SMALL.exposures


def test_bits_do_not_depend_on_order_or_cores(survey, folder, tmp_path):
    work = work_of(survey)
    paths = [folder / survey.file(one) for one in work]
    drawn = [path.read_bytes() for path in paths]
    for place in (len(work) - 1, 0):  # alone, and the last first
        paths[place].unlink()
        draw(survey, work[place])
    assert [path.read_bytes() for path in paths] == drawn
    write_survey(SMALL, tmp_path / "two", SEED, PIXELS, cores=2)
    for name in ("truth.fits", "catalog.fits", "exposures.tsv", *(survey.file(one) for one in work)):
        assert (tmp_path / "two" / name).read_bytes() == (folder / name).read_bytes()


def test_truth_tells_what_is_on_the_images(survey, folder):
    truth, skies = (Table.read(folder / "truth.fits", hdu=hdu) for hdu in (1, "BACKGROUND"))
    assert len(truth) == 32 and truth.meta["FILTERS"] == "g,r"
    brightest = int(np.argmax(truth["g"]))
    row, _ = survey.cells.drawn(0)[0][brightest : brightest + 1], None
    squares = 0.0
    for one in (one for one in work_of(survey) if one.band == "g"):
        image, psf = one.image(), survey.psfs["g"]
        with fits.open(folder / survey.file(one)) as hdus:
            assert np.all(hdus["ERR"].data == np.float32(image.noise))
            assert np.allclose(WCS(hdus["SCI"].header).wcs.crval, image.wcs.wcs.crval)
            sky = skies[skies["exposure"] == one.id]["constant"]
            blank = np.median(hdus["SCI"].data) - sky[0]
            assert abs(blank) < 0.3 * image.noise
        _, stamp = effective_stamp(
            image.shape, row[0], image.wcs, psf_object(psf), psf.half_width, float(row["g"][0]), image.scale
        )
        squares += 0.0 if stamp is None else np.sum(stamp**2) / image.noise**2
    assert truth["g_snr"][brightest] == pytest.approx(np.sqrt(squares), rel=5e-3)
    catalog = Table.read(folder / "catalog.fits")
    listed = np.maximum(truth["g_snr"], truth["r_snr"]) >= SMALL.listed_snr
    assert np.array_equal(truth["in_catalog"], listed)
    assert catalog["id"].tolist() == truth["id"][listed].tolist()
    verify(folder / "truth.fits", ours=True)


def test_jwst_files_hold_the_same(survey, folder, tmp_path):
    write_survey(SMALL, tmp_path / "cal", SEED, PIXELS, "jwst")
    specs = [read_table(where / "exposures.tsv") for where in (folder, tmp_path / "cal")]
    assert all(spec.path.name.endswith("_cal.fits") for spec in specs[1])
    for plain, cal in zip(*specs, strict=True):
        one, other = read_exposure(plain), read_exposure(cal)
        assert np.allclose(one.data, other.data, rtol=1e-5, atol=1e-5 * one.data.std())
        assert np.allclose(one.ierr, other.ierr, rtol=1e-5)


def test_its_configuration_is_ready(folder, capsys):
    main_returns(["check", "--config", str(folder / "fpho.yaml")])


def main_returns(arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0


def test_tables_in_pieces_are_as_whole_ones(tmp_path):
    pieces = [Table({"id": np.array([str(i)] * i, "U8"), "x": np.full(i, 1.5 * i)}) for i in (0, 3, 400)]
    alive = []

    def one_by_one():
        for piece in pieces:
            piece = piece.copy()
            gc.collect()
            assert sum(other() is not None for other in alive) <= 1  # the one that is being written
            alive.append(weakref.ref(piece))
            yield piece

    write_in_pieces(tmp_path / "a.fits", one_by_one(), 403, more=pieces[1])
    expected = [fits.PrimaryHDU(), fits.table_to_hdu(vstack(pieces)), fits.table_to_hdu(pieces[1])]
    fits.HDUList(expected).writeto(tmp_path / "b.fits")
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()
    with pytest.raises(ValueError, match="403 rows came, 402"):
        write_in_pieces(tmp_path / "c.fits", iter(pieces), 402)
    assert not (tmp_path / "c.fits").exists()


def test_memory_of_an_exposure_is_that_of_its_pixels(survey, tmp_path):
    """Ten times the sky takes no more."""
    peaks = []
    for times in (4, 40):
        options = SMALL.model_copy(update={"sources": 30 * times})
        cells = Cells(options, SEED)
        one = Survey(cells, survey.psfs, tmp_path / str(times), "plain")
        pointing = pointings(options, cells.side, PIXELS, survey.psfs, SEED)[-1]
        tracemalloc.start()
        draw(one, pointing)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--survey", "0", "--out", "new"], ["0 sources", "--survey 1000"]),
        (["--survey", "10"], ["no folder", "--out"]),
        (["--out", "new"], ["--survey", "not given"]),
        (["--survey", "10", "--out", "."], ["something is there", "new or empty"]),
        (["--survey", "10", "--out", "new", "--pixels", "10"], ["10 pixels", "64 or more"]),
        (
            ["--survey", "10", "--out", "new", "--set", "simulate.field.bands=[a,b,c]"],
            ["2 pixel scales", "a, b, c"],
        ),
        (
            ["--survey", "10", "--out", "new", "--set", "simulate.field.psfs=psfs.tsv"],
            ["psfs.tsv", "no PSF for F444W"],
        ),
        (
            ["--survey", "1000000", "--out", "new", "--set", "simulate.field.density=0.1"],
            ["53 degrees", "more density"],
        ),
    ],
)
def test_bad_input_is_one_message(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FPHO_CONFIG", raising=False)
    (tmp_path / "psfs.tsv").write_text("key\tpath\nF200W\tpsf.fits\n")
    with pytest.raises(SystemExit) as stop:
        main(["simulate", *arguments])
    message = capsys.readouterr().err.strip()
    assert stop.value.code == 2
    assert len(message.splitlines()) == 1
    assert all(word in message for word in words), message


def test_a_full_disk_is_seen_before_anything_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(MachineError, match="GB are free"):
        write_survey(SMALL, tmp_path / "new", SEED, PIXELS)
    assert not list((tmp_path / "new").rglob("images/*"))
