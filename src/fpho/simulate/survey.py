"""A survey: as many exposures as cover its sources, drawn one by one, whatever its size.

The sky is a function of its place (`cells`), so an exposure draws what it sees and knows nothing of the
others: its bits do not depend on their order or on how many are drawn at a time, and no process holds more
than one of them. Tables are written cell by cell. Sources are those of a simulated field, see `population`.
"""

import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import __version__
from ..config.field import SimulatedField
from ..errors import InputError, MachineError
from ..files import write_text
from ..psf.inputs import read_psf_table
from ..tables import write_tsv
from ..workers import results
from .cells import Cells
from .field import LISTED_COLS, OFF, OFF_PIXELS, field_psfs, seen_columns, sky_table
from .jwst import cal_name, write_cal
from .pieces import write_in_pieces
from .pointings import SurveyExposure, pointings
from .quick import Drawer
from .writing import as_table, perturbed, write_image

log = logging.getLogger("fpho")
FORMS = ("plain", "jwst")
BYTES = {"plain": 9, "jwst": 12}  # of a pixel: data, error, mask
LEAST_PIXELS = 64
WIDEST = 36000.0  # arcsec: farther from its middle the sky is not flat enough
PROGRAM = 9999
TENTHS = 1e6  # parts of a squared S/N that are counted: sums of whole numbers do not depend on their order
PER_BATCH, PER_GROUP = 2000, 20  # sources, images of a job in the configuration


@dataclass(frozen=True)
class Survey:
    """All that an exposure depends on.

    psfs : band to `PSFImage`. form : of `FORMS`
    """

    cells: Cells
    psfs: dict
    folder: Path
    form: str

    @property
    def header(self) -> dict:
        """Keywords of its files."""
        return {"FPHOVER": __version__, "SEED": self.cells.seed, "SCENE": "survey"}

    def file(self, pointing: SurveyExposure) -> str:
        """Path of an exposure in the survey's folder."""
        if self.form == "plain":
            return f"images/{pointing.id}.fits"
        visit = self.cells.options.bands.index(pointing.band) + 1
        return f"images/{cal_name(PROGRAM, visit, pointing.number + 1, pointing.scale)}"


def write_survey(
    options: SimulatedField, folder, seed: int, pixels: int = 2048, form: str = "plain", cores: int = 1
) -> Path:
    """Draw `options.sources` sources and write them under `folder`; the path of a configuration for them.

    Writes images/*.fits, psfs.tsv (and psfs/*.fits where none are given), exposures.tsv, catalog.fits (rough,
    as that of a simulated field), truth.fits, with the sky of each image in its second extension, and
    fpho.yaml. There are no mosaics. Deterministic in `seed`.

    Parameters
    ----------
    pixels : sides of an exposure, at most. form : `plain`, or `jwst` for files as those of its pipeline.

    Raises
    ------
    InputError
        If options contradict each other, or the folder has something in it.
    MachineError
        If the disk has no room for it.
    """
    folder = Path(folder)
    _check(options, folder, pixels, form)
    cells = Cells(options, seed)
    survey = Survey(cells, field_psfs(options, folder), folder, form)
    work = pointings(options, cells.side, pixels, survey.psfs, seed)
    _check_room(folder, sum(BYTES[form] * np.prod(one.shape, dtype=float) for one in work))
    log.info("drawing %d sources on %d images", cells.first[-1], len(work))
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(max(1, cells.first[-1]) * len(options.bands) * 8)
        snr2 = np.memmap(file, "i8", "r+", shape=(len(options.bands), int(cells.first[-1])))
        names = [one.id for one in work]
        tasks = [(survey, one) for one in work]
        for number, (sources, parts) in results(draw, tasks, cores, names=names, preload=(__name__,)):
            snr2[options.bands.index(work[number].band), sources] += parts
        _write_tables(survey, work, snr2)
    write_tsv(folder / "exposures.tsv", [_listed(survey, one) for one in work])
    return _write_configuration(survey, len(work))


def draw(survey: Survey, pointing: SurveyExposure) -> tuple[np.ndarray, np.ndarray]:
    """Draw and write one exposure; (rows of the sources on it, what it adds to their squared S/N)."""
    image = pointing.image()
    drawer = Drawer(survey.psfs[image.band], image.wcs, image.scale, image.shape)
    data, found = np.zeros(image.shape), {}
    for cell in survey.cells.near(pointing.middle, pointing.radius + drawer.half_width * image.scale):
        rows, profiles = survey.cells.drawn(int(cell))
        for s, place, light in drawer.stamps(rows, image.band, profiles):
            data[place] += light
            found[int(rows["source_index"][s])] = np.sum(light**2) / image.noise**2
    data += image.background()
    rng = np.random.default_rng([survey.cells.seed, 24, pointing.number])
    data += image.noise * rng.standard_normal(image.shape)
    path = survey.folder / survey.file(pointing)
    if survey.form == "jwst":
        write_cal(path, data, image.noise, image.wcs, image.band)
    else:
        header = survey.header | {"EXPOSURE": image.id}
        write_image(path, data, image.noise, image.wcs, image.band, None, header)
    parts = np.rint(np.fromiter(found.values(), "f8", len(found)) * TENTHS)
    return np.fromiter(found, "i8", len(found)), parts.astype("i8")


def _write_tables(survey: Survey, work: list[SurveyExposure], snr2) -> None:
    """The truth and the rough catalog, from the squared S/N in each band (bands, sources)."""
    options, cells, folder = survey.cells.options, survey.cells, survey.folder

    def each(cell: int):
        rows, _ = cells.drawn(cell)
        snr = np.sqrt(snr2[:, cells.first[cell] : cells.first[cell + 1]] / TENTHS)
        return rows, snr, snr.max(axis=0) >= options.listed_snr

    def truth(cell: int):
        rows, snr, listed = each(cell)
        if options.structure == "clumpy":
            rows["sersic"] = np.where(rows["is_point"], rows["sersic"], np.nan)
        return as_table(rows, options.bands, survey.header, seen_columns(rows, snr, listed, options.bands))

    def rough(cell: int):
        rows, _, listed = each(cell)
        rng = np.random.default_rng([cells.seed, 25, cell])
        off = {"position": OFF_PIXELS * options.pixel_scale[0], **OFF}
        peaks = perturbed(rows[listed], options.bands, rng, **off)
        return as_table(peaks, options.bands, survey.header, columns=LISTED_COLS)

    every = range(len(cells.counts))
    write_in_pieces(folder / "truth.fits", map(truth, every), int(cells.first[-1]), sky_table(work))
    count = sum(int(each(cell)[2].sum()) for cell in every)
    write_in_pieces(folder / "catalog.fits", map(rough, every), count)


def _listed(survey: Survey, pointing: SurveyExposure) -> dict:
    path = survey.file(pointing)
    return {"id": pointing.id, "band": pointing.band, "kind": "exposure", "path": path, "psf": pointing.band}


def _write_configuration(survey: Survey, images: int) -> Path:
    """Only what differs from the defaults; it can be run from anywhere."""
    import yaml

    folder, options = survey.folder.resolve(), survey.cells.options
    tree = {
        "outdir": str(folder / "results"),
        "bands": list(options.bands),
        "images": str(folder / "exposures.tsv"),
        "psfs": str(folder / "psfs.tsv"),
        "catalog": {"path": str(folder / "catalog.fits")},
        "optimize": {"on": "exposure"},
        "workflow": {
            "batches": -(-options.sources // PER_BATCH),
            "image_groups": -(-images // PER_GROUP),
        },
    }
    text = f"# Made by `fpho simulate --survey {options.sources}`; only what differs from the defaults.\n"
    path = survey.folder / "fpho.yaml"
    write_text(path, text + yaml.safe_dump(tree, sort_keys=False))
    return path


def _check(options: SimulatedField, folder: Path, pixels: int, form: str) -> None:
    if form not in FORMS:
        raise InputError("form", f"{form!r} is unknown", f"Give one of {', '.join(FORMS)}")
    if pixels < LEAST_PIXELS:
        raise InputError("pixels", f"exposures of {pixels} pixels", f"Give {LEAST_PIXELS} or more")
    scales, bands = options.pixel_scale, options.bands
    if len(scales) != len(bands) or len(set(bands)) != len(bands) or not all(scale > 0 for scale in scales):
        found = f"{len(scales)} pixel scales ({scales}) for the bands {', '.join(bands)}"
        cure = "Give each band once, and for each a pixel scale above 0 (arcsec)"
        raise InputError("simulate.field.pixel_scale", found, cure)
    side = Cells(options, 0).side
    if side > WIDEST:
        found = f"{options.sources} sources, {options.density:g} per square arcmin: {side / 3600:.0f} degrees"
        cure = f"A survey is up to {WIDEST / 3600:.0f} degrees wide: fewer sources, or more density"
        raise InputError("simulate.field.density", found, cure)
    if options.psfs is not None:
        known = {source.key for source, _ in read_psf_table(options.psfs)}
        missing = [band for band in bands if band not in known]
        if missing:
            cure = "Give a row with its band as key for each, or other simulate.field.bands"
            raise InputError(options.psfs, f"no PSF for {', '.join(missing)}", cure)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(folder, "something is there", "Give a folder that is new or empty")


def _check_room(folder: Path, needed: float) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        found = f"the images take {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
        raise MachineError(folder, found, "Choose another disk, fewer sources, or fewer exposures")
