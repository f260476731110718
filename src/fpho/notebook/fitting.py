"""`fpho.fit`: images in memory or in files to a `Fit`, along the stages of the pipeline."""

import logging
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import h5py

from ..config import Config, Priors, make_config
from ..errors import InputError
from ..files import fleeting
from ..images import Exposure, open_chosen, write_store
from ..importing import seldom_collected
from ..kernel.warm import start as compile_meanwhile
from ..layout import KINDS, Layout
from ..stages.registry import STAGES
from ..stages.running import run_stage
from ..tables import write_tsv
from . import psfs
from . import sources as peaks
from .alike import Place, places, spread
from .images import Given, band_of, row_of
from .mixtures import make_store
from .result import Fit

BAND = "flux"  # name of the flux column where nothing names a band
HELD = {
    "axis_ratio": ("q",),
    "position_angle": ("pa",),
    "rhalf_major": ("rhalf",),
    "position": ("ra", "dec"),
    "shape": ("q", "pa", "sersic", "rhalf"),
}
OWN = {"bounds.held", "background.mode", "sample.sampling_draws", "sample.chains", "optimize.on", "sample.on"}
APART = ("psf", "preprocess", "sample")  # stages that measure, and are told of or done by themselves


@seldom_collected()
def fit(
    image,
    psf,
    error=None,
    mask=None,
    *,
    wcs=None,
    sources=None,
    band=None,
    pixel_scale=None,
    psf_oversample=None,
    psf_pixel="included",
    model="sersic",
    held=(),
    priors=None,
    background="constant",
    draws=1000,
    chains=4,
    seed=1,
    cores=1,
    progress=True,
    options=None,
) -> Fit:
    """Measure the galaxies of one or more images: optimum and posterior of all their parameters at once.

    One image, or a list of images of one band, or a dict by band of either. What else belongs to images may
    be given once for all, or in the same form: `fit({"g": [a, b], "r": c}, {"g": psf_g, "r": psf_r}, ...)`.

    Parameters
    ----------
    image : array (ny, nx) or Quantity, NDData or CCDData, path of a FITS file, or `fpho.Exposure`. Plain
        numbers are nJy per pixel; a unit is one of a flux density, also per solid angle (MJy/sr). Of a file,
        the extensions, the calibration and the mask are found as the pipeline finds them
    psf : array (ny, nx), path (a stamp, stpsf, PSFEx, a gridded cube, or a PSF store of fpho), photutils
        model, stpsf instrument, or what its `calc_psf` gives
    error : sigma of the pixels as an array or number, an uncertainty of astropy (its kind counts), or a
        path; None where the image has it
    mask : array, True where a pixel is not to be used; or a path
    wcs : `astropy.wcs.WCS` or FITS header, where the image has none
    sources : None to detect them; SkyCoord; pixels (x, y) or (N, 2) of the first image, from 0 on; a table
        with `ra` and `dec` or `x` and `y`, whose other columns (fluxes by band, `rhalf`, `sersic`,
        `axis_ratio`, `position_angle`, `type`, `id`) are where the fit starts; the path of one. Nothing else
        is fitted: light of objects that are not listed goes to those that are
    band : name of the band of all images, or one for each; else that of the images' FILTER, or `flux`
    pixel_scale : arcsec, of images without a WCS; their middles are then one place, north is up, east left
    psf_oversample : samples of the PSF per pixel; else the PSF's own, or 1
    psf_pixel : whether the detector's pixel is in the PSF, `included` or `not_included`; of formats that say
        it themselves (stpsf, PSFEx, photutils' analytic models) nothing is asked
    model : `sersic` or `point`, for all sources
    held : parameters held at the values of `sources`: `position`, `shape`, `axis_ratio`, `position_angle`,
        `rhalf`, `sersic`
    priors : by parameter (`flux`, `position`, `q`, `sersic`, `rhalf`) as in the configuration, such as
        ``{"sersic": {"name": "normal", "loc": 1, "scale": 0.2}}``
    background : `constant` or `plane` (measured beside the sources), `in_fit` (a constant of each image
        fitted with them: better where a galaxy fills an image), `off`
    draws : of each chain, after warm-up; 0: the optimum alone, with errors from the curvature there
    chains, seed, cores : as in the pipeline; results do not depend on `cores`
    progress : say on standard error what is done
    options : further options of the configuration, such as ``{"patches.default_roi": 3.0}``

    Raises
    ------
    InputError
        Where the input is wrong: what it is, what was found, and the cure.
    """
    if not isinstance(cores, int) or cores < 1:
        raise InputError("cores", repr(cores), "Give the number of cores that may be used, 1 or more")
    compile_meanwhile()
    shape = places(image)
    images = spread(image, "image", shape)
    with _temporary_folder() as folder:
        given = _given(images, shape, band, error=error, mask=mask, wcs=wcs, pixel_scale=pixel_scale)
        each = {"psf": psf, "psf_oversample": psf_oversample, "psf_pixel": psf_pixel}
        points = [spread(value, name, shape) for name, value in each.items()]
        chosen = {
            "seed": seed,
            "bounds": {"held": _held(held)},
            "priors": priors.model_dump() if isinstance(priors, Priors) else priors or {},
            "background": {"mode": background},
            "sample": {"on": "all", "sampling_draws": draws or 1, "chains": chains},
        }
        config = _inputs(given, points, chosen, options or {}, folder)
        layout, told = Layout(folder), _Told(progress)
        with told("pixels"):
            _preprocess(config, layout, images)
        first = next(store for store in open_chosen(layout, "all") if given[0].id in store.ids)
        catalog = peaks.write_catalog(sources, model, first.wcs(given[0].id), folder / "inputs")
        config = _with_catalog(config, catalog)
        _run(config, layout, draws > 0, cores, told, catalog)
    sky = any(one.pixel_scale is None for one in given)
    return Fit(folder, [one.id for one in given], shape, on_sky=sky, temporary=True)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder for a fit, which stays if the block ends well; errors name arguments, not its files."""
    folder = Path(tempfile.mkdtemp(prefix="fpho-fit-"))
    try:
        with fleeting(folder):
            yield folder
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, InputError):
            raise _as_given(error, folder) from None
        raise


def _given(images, shape: list[Place], band, **planes) -> list[Given]:
    """The images with their bands and ids."""
    bands = [place.band for place in shape]
    if bands[0] is not None and band is not None:
        raise InputError("band", "it is given beside a dict by band", "Leave it out")
    if bands[0] is None:
        bands = [
            name or band_of(one) or BAND
            for name, one in zip(spread(band, "band", shape), images, strict=True)
        ]
    each = {name: spread(value, name, shape) for name, value in planes.items()}
    ids = [one.id if isinstance(one, Exposure) else name for one, name in zip(images, bands, strict=True)]
    ids = [re.sub(r"[^\w.+-]", "_", name) for name in ids]
    ids = [name if ids.count(name) == 1 else f"{name}_{i}" for i, name in enumerate(ids)]
    return [
        Given(ids[i], bands[i], one, **{name: values[i] for name, values in each.items()})
        for i, one in enumerate(images)
    ]


def _inputs(given: list[Given], points, chosen: dict, options: dict, folder: Path) -> Config:
    """Tables of images and PSFs under `folder`, and the configuration of the run there."""
    place = folder / "inputs"
    place.mkdir()
    keys, stamps = {}, []
    rows = [row_of(one, place) for one in given]
    for row, one, psf, samples, response in zip(rows, given, *points, strict=True):
        known = (str(psf) if isinstance(psf, str | Path) else id(psf), samples, response)
        if known not in keys:
            keys[known] = f"psf{len(keys)}"
            if psfs.is_store(psf):
                continue
            stamps.append(psfs.row_of(keys[known], psf, one.band, samples, response, place))
        row["psf"] = keys[known]
    table = place / "psfs.tsv"
    if stamps:
        write_tsv(table, [_beside(row, place) for row in stamps])
    if len(keys) > len(stamps):
        if len(keys) > 1:
            raise InputError("psf", "a PSF store beside other PSFs", "Give one store with all of them")
        table = Path(points[0][0]).absolute()
        rows = [{name: cell for name, cell in row.items() if name != "psf"} for row in rows]
    write_tsv(place / "images.tsv", [_beside(row, place) for row in rows])
    files = {"outdir": str(folder), "images": str(place / "images.tsv"), "psfs": str(table)}
    if not isinstance(options, dict):
        raise InputError("options", repr(options), "Give a dict, such as {'patches.default_roi': 3.0}")
    dotted = {name: value for name, value in options.items() if "." in name}
    if len(dotted) < len(options) or set(options) & OWN:
        found = f"options {', '.join(sorted(options))}"
        cure = f"Give options as section.name; {', '.join(sorted(OWN))} follow from other arguments"
        raise InputError("options", found, cure)
    return make_config(files | {"optimize": {"on": "all"}} | chosen | dotted, where="fpho.fit")


def _beside(row: dict, folder: Path) -> dict:
    """A row of a table in `folder`, files that lie there by their names alone: the folder may be moved."""

    def cell(value):
        return value.name if isinstance(value, Path) and value.parent == folder else value

    return {name: cell(value) for name, value in row.items()}


def _with_catalog(config: Config, catalog: Path | None) -> Config:
    options = {"detect": True} if catalog is None else {"path": str(catalog)}
    return config.model_copy(update={"catalog": config.catalog.model_copy(update=options)})


def _preprocess(config: Config, layout: Layout, images) -> None:
    """Stores of pixels; exposures of fpho are taken as they are."""
    ready = [isinstance(one, Exposure) for one in images]
    if any(ready) and not all(ready):
        raise InputError("image", "exposures of fpho beside other images", "Give all images in one way")
    if not any(ready):
        run_stage("preprocess", config, layout)
        return
    from ..images import read_table

    named = zip(read_table(config.images), images, strict=True)
    exposures = [
        replace(one, id=spec.id, band=spec.band, psf=spec.psf, kind=spec.kind) for spec, one in named
    ]
    for kind in KINDS:
        some = [one for one in exposures if one.kind == kind]
        write_store(layout.pixels(kind), layout.meta(kind), some)


def _run(config: Config, layout: Layout, draws: bool, cores: int, told, catalog) -> None:
    """The stages of the pipeline, in its order."""
    with told("checks"), _quiet(catalog):
        run_stage("check", config, layout)
        run_stage("settings", config, layout)
    with told("PSF"):
        if h5py.is_hdf5(config.psfs):
            run_stage("psf", config, layout)
        else:
            make_store(config, layout, cores)
    with told("optimum"), _quiet(catalog):
        for stage in STAGES.values():
            if stage.measures and stage.name not in APART and stage.exists(config):
                run_stage(stage.name, config, layout, cores)
    if draws:
        with told("draws"):
            run_stage("sample", config, layout, cores)
    told.end()


def _as_given(error: InputError, folder: Path) -> InputError:
    """Its words with arguments of `fit` in place of the files that were made of them, which are gone."""
    names = {"catalog.ecsv": "sources", "images.tsv": "image", "psfs.tsv": "psf"}

    def word(found) -> str:
        name = found[1]
        return names.get(name) or (
            "psf" if re.fullmatch(r"psf\d+\.fits", name) else f"image {Path(name).stem}"
        )

    files = re.compile(re.escape(f"{folder / 'inputs'}{os.sep}") + r"([\w.+-]*\w)")
    return type(error)(*(files.sub(word, text) for text in (error.where, error.found, error.cure)))


def _held(names) -> list[str]:
    if not isinstance(names, str | list | tuple | set):
        cure = f"Give names of parameters: {', '.join(HELD)}, rhalf, sersic"
        raise InputError("held", repr(names), cure)
    names = [names] if isinstance(names, str) else list(names)
    return list(dict.fromkeys(one for name in names for one in HELD.get(name, (name,))))


@contextmanager
def _quiet(catalog: Path | None):
    """Nothing is said of what a catalog made here lacks: it is measured, as the user knows."""

    def wanted(record) -> bool:
        return catalog is None or not record.getMessage().startswith(f"{catalog}: ")

    log = logging.getLogger("fpho")
    log.addFilter(wanted)
    try:
        yield
    finally:
        log.removeFilter(wanted)


class _Told:
    """One line on standard error that says what is done, and how long it took."""

    def __init__(self, wanted: bool):
        self.stream = sys.stderr if wanted else None
        self.parts: list[str] = []

    @contextmanager
    def __call__(self, name: str):
        start = time.perf_counter()
        self._show(f"{name} …")
        yield
        self.parts.append(f"{name} {time.perf_counter() - start:.1f} s")
        self._show("")

    def _show(self, last: str) -> None:
        if self.stream:
            text = ", ".join([*self.parts, last] if last else self.parts)
            self.stream.write(f"\r\033[Kfpho: {text}" if self.stream.isatty() else "")
            self.stream.flush()

    def end(self) -> None:
        """Go on to the next line."""
        if self.stream:
            text = "\n" if self.stream.isatty() else f"fpho: {', '.join(self.parts)}\n"
            self.stream.write(text)
