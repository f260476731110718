"""Stage `check`: all inputs and options, before anything is fitted.

Images are read by several processes or, in groups, by jobs of their own; all problems are told at once.
"""

import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py

from .. import __version__
from ..background import check_exposures, read_tweakbg
from ..config import Config
from ..errors import DamagedError, InputError
from ..files import fits_seal, write_text
from ..images import ExposureSpec, read_table
from ..layout import Layout
from ..psf import PSFStore
from ..psf.inputs import check_pixel_scale, images_by_key, read_psf_table
from ..scene import read_catalog, starting_problems
from ..sersic import check_bounds, load_table
from .inputs import Inputs, from_stars, image_groups, local_files, resolve
from .looks import Look, Sums, look_at, sums_of
from .mapping import bands_in, grouped, of_bands, read_records, write_record
from .options import option_problems

log = logging.getLogger("fpho")
Looking = Callable[[list[ExposureSpec], Any], list[Look]]


def run(config: Config, layout: Layout, cores: int = 1) -> None:
    """Write `layout.checked`, if nothing is wrong. Images are read by `cores` processes.

    Raises
    ------
    InputError
        One problem, or all of them, each with file and cure; then nothing is written.
    """
    _judge(config, layout, partial(_look, config, known=_last(layout), cores=cores))


def images(config: Config, layout: Layout, group: int, cores: int = 1) -> None:
    """Keep what is found of the images of a group; what is wrong with them is for `gather` to say.

    Raises
    ------
    InputError
        Of what is no fault of the user's files: the machine, or a file that the run has drawn.
    """
    inputs = resolve(config, layout)
    specs = _try(read_table, inputs.images)[0] or []
    some = grouped(of_bands(specs, config), config, layout)[group]
    sources = _read_catalog(config, inputs, config.bands or bands_in(specs))[0] if some else None
    bands = bands_in(of_bands(specs, config))
    looks = look_at(some, config.preprocess, bands, sources, _last(layout), cores)
    for problem in (look.problem for look in looks if look.problem is not None):
        if type(problem) is not InputError or Path(problem.where).is_relative_to(layout.simulation):
            raise problem
    path = layout.image_group("check", group, image_groups(config, layout))
    write_record(path, [spec.id for spec in some], [look.tree() for look in looks])


def gather(config: Config, layout: Layout) -> None:
    """`run`, with what was found of the images of all groups; bad ones are read again next time.

    What made an image bad may be no file that changes, such as a disk that was not there.
    """

    def look(specs: list[ExposureSpec], sources) -> list[Look]:
        names = grouped([spec.id for spec in specs], config, layout)
        trees = read_records(layout, "check", [spec.id for spec in specs], names)
        looks = dict(zip((spec.id for spec in specs), map(Look.of, trees), strict=True))
        for group, members in enumerate(names):
            if any(looks[name].problem for name in members):
                layout.image_group("check", group, len(names)).unlink()
        return list(looks.values())

    _judge(config, layout, look)


def _judge(config: Config, layout: Layout, look: Looking) -> None:
    """Tell all problems, or write `layout.checked`."""
    inputs, sums = resolve(config, layout), _last(layout)
    if config.catalog.detect and config.catalog.path:
        log.warning("catalog.detect: true makes the catalog; %s is not read", config.catalog.path)

    def noting(specs: list[ExposureSpec], sources) -> list[Look]:
        looks = look(specs, sources)
        for one in looks:
            sums.update(one.sums)
        return looks

    problems = list(find_problems(config, inputs, noting))
    damaged = [problem for problem in problems if isinstance(problem, DamagedError)]
    if damaged or len(problems) == 1:
        raise (damaged or problems)[0]
    if problems:
        listed = "".join(f"\n  - {problem}" for problem in problems)
        raise InputError("inputs", f"{len(problems)} problems", f"Mend each of them:{listed}")
    write_text(layout.checked, json.dumps(record(inputs, sums), indent=2) + "\n", seal=True)
    log.info("inputs and options are good")


def _look(config: Config, specs: list[ExposureSpec], sources, **options) -> list[Look]:
    """What is found of all images of a run, here and now; `options`: of `look_at`."""
    return look_at(specs, config.preprocess, bands_in(specs), sources, **options)


def find_problems(config: Config, inputs: Inputs, look: Looking | None = None) -> Iterator[InputError]:
    """All that is wrong with inputs and options; what depends on a missing table is left out.

    look : gives what is found of each image, given the images and the catalog's rows; else they are read
    """
    look = look or partial(_look, config)
    specs, problem = _try(read_table, inputs.images)
    yield from problem
    if specs:
        used = of_bands(specs, config)
        rows, problem = catalog(config, inputs, config.bands or bands_in(specs))
        yield from problem
        looks = look(used, rows)
        yield from (one.problem for one in looks if one.problem is not None)
        yield from psf_problems(config, inputs, used, [one.scales for one in looks])
        yield from option_problems(config, inputs, specs)
        if config.background.tweakbg:
            yield from background_problems(config.background.tweakbg, specs)
    yield from sersic_problems(config)
    yield from kernel_problems(config)


def psf_problems(
    config: Config, inputs: Inputs, specs: list[ExposureSpec], pixels: list[tuple[float, float] | None]
) -> Iterator[InputError]:
    """A PSF that is missing, cannot be read or is for other pixels; an exposure that has none.

    pixels : arcsec, smallest and largest of each exposure; None: it cannot be read, which is told elsewhere
    """
    if inputs.psfs is None:
        yield from star_problems(config, specs, ())
        return
    scales: dict[str, dict] | None  # key to file and pixel scale of each of its PSFs; None: nothing was read
    if inputs.psfs.is_file() and h5py.is_hdf5(inputs.psfs):
        store, problem = _try(PSFStore, inputs.psfs)
        yield from problem
        scales = {key: {inputs.psfs: store.pixel_scale(key)} for key in store.keys()} if store else None
    else:
        rows, problem = _try(read_psf_table, inputs.psfs, config.psf.center)
        yield from problem
        scales = {source.key: {} for source, _ in rows} if rows else None
        for key in scales or ():
            images, problem = _try(images_by_key, [row for row in rows if row[0].key == key])
            yield from problem
            scales[key] = {image.where: image.pixel_scale for image in (images or {}).get(key, ())}
    if from_stars(config) and scales is not None:
        yield from star_problems(config, specs, scales)
    for spec, size in zip(specs, pixels, strict=True) if scales else ():
        wanted = [spec.psf] if spec.psf else [spec.id, spec.band]
        key = next((name for name in wanted if name in scales), None)
        if key is None and from_stars(config):
            continue
        if key is None:
            names = " or ".join(map(repr, wanted))
            found = f"exposure {spec.id!r} of band {spec.band!r} has no PSF, no key {names}"
            cure = f"Add one of that key; there are {', '.join(sorted(scales))}"
            yield InputError(inputs.psfs, found, cure)
        elif any(scales[key].values()) and size is not None:
            for where, stated in scales[key].items():
                yield from _try(check_pixel_scale, where, stated, size, spec.id)[1]


def star_problems(config: Config, specs: list[ExposureSpec], keys) -> Iterator[InputError]:
    """Images without a PSF that have too few stars to make one."""
    from ..stars import groups_without_psf
    from ..stars.making import FEWEST, gathered, read_stars, too_few

    listed = None
    if config.psf.stars is not None:
        listed, problem = _try(read_stars, config.psf.stars)
        yield from problem
        if problem:
            return
    for group in groups_without_psf(specs, keys, config.psf.per):
        found, problem = _try(gathered, group, config.preprocess, listed)
        if problem:  # what is wrong with an image is told by `validate`
            yield from (one for one in problem if "psf.per" in one.cure)
        elif found is None or found.stars < FEWEST:
            yield too_few(group, found)


def catalog(config: Config, inputs: Inputs, bands):
    """(scene rows, no problem) of the catalog; (None, the problem), or no problem where it is to be made."""
    rows, problem = _read_catalog(config, inputs, bands)
    for text in starting_problems(rows, config.bounds) if rows is not None else ():
        log.warning("%s: %s", inputs.catalog, text)
    return rows, problem


def _read_catalog(config: Config, inputs: Inputs, bands):
    if inputs.catalog is None:
        return None, []
    options = config.catalog, config.patches.default_roi
    return _try(partial(read_catalog, complete=False), inputs.catalog, bands, *options)


def background_problems(path, specs: list[ExposureSpec]) -> Iterator[InputError]:
    """A background table that cannot be read or names unknown exposures."""
    table, problem = _try(read_tweakbg, path)
    yield from problem
    if table is not None:
        yield from _try(check_exposures, table, [spec.id for spec in specs], path)[1]


def sersic_problems(config: Config) -> Iterator[InputError]:
    """A table of mixtures that cannot be read or does not span the bounds."""
    table, problem = _try(load_table, config.sersic.table)
    yield from problem
    if table is not None:
        yield from _try(check_bounds, table, config.bounds.sersic_range, config.bounds.rhalf_range)[1]


def kernel_problems(config: Config) -> Iterator[InputError]:
    """A graphics card that was asked for and is not there."""
    if config.kernel == "gpu":
        from ..patch import require_gpu

        yield from _try(require_gpu)[1]


def record(inputs: Inputs, known: Sums) -> dict:
    """Checksums of all input files; `known`: those of the last record and of the images."""
    tables = [Path(table) for table in (inputs.images, inputs.psfs, inputs.catalog) if table]
    paths = [path for table in tables for path in local_files(table)]
    return {"fpho_version": __version__, "files": sums_of(paths, known)}


def _last(layout: Layout) -> Sums:
    """What an earlier check has written of files; a check that fails leaves all of that as it is."""
    return json.loads(layout.checked.read_text())["files"] if fits_seal(layout.checked) else {}


def _try(function: Callable, *arguments):
    """Result and no problem, or None and the problem in a list."""
    try:
        return function(*arguments), []
    except InputError as error:
        return None, [error]
