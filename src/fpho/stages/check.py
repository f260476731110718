"""Stage `check`: all inputs and options, before anything is fitted."""

import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import h5py

from .. import __version__
from ..background import check_exposures, read_tweakbg
from ..config import Config
from ..errors import DamagedError, InputError
from ..files import checksum, is_whole, write_text
from ..images import ExposureSpec, pixel_scales, read_table, validate
from ..layout import Layout
from ..psf import PSFStore
from ..psf.inputs import check_pixel_scale, images_by_key, read_psf_table
from ..scene import read_catalog, starting_problems
from ..sersic import check_bounds, load_table
from .inputs import Inputs, from_stars, local_files, resolve
from .options import option_problems

log = logging.getLogger("fpho")


def run(config: Config, layout: Layout) -> None:
    """Write `layout.checked`, if nothing is wrong.

    Raises
    ------
    InputError
        One problem, or all of them, each with file and cure; then nothing is written.
    """
    inputs = resolve(config, layout)
    if config.catalog.detect and config.catalog.path:
        log.warning("catalog.detect: true makes the catalog; %s is not read", config.catalog.path)
    problems = list(find_problems(config, inputs))
    damaged = [problem for problem in problems if isinstance(problem, DamagedError)]
    if damaged or len(problems) == 1:
        raise (damaged or problems)[0]
    if problems:
        listed = "".join(f"\n  - {problem}" for problem in problems)
        raise InputError("inputs", f"{len(problems)} problems", f"Mend each of them:{listed}")
    write_text(layout.checked, json.dumps(record(inputs, layout), indent=2) + "\n", seal=True)
    log.info("inputs and options are good")


def find_problems(config: Config, inputs: Inputs) -> Iterator[InputError]:
    """All that is wrong with inputs and options; what depends on a missing table is left out."""
    specs, problem = _try(read_table, inputs.images)
    yield from problem
    if specs:
        bands = config.bands or list(dict.fromkeys(spec.band for spec in specs))
        used = [spec for spec in specs if spec.band in bands]
        rows, problem = catalog(config, inputs, bands)
        yield from problem
        yield from validate(used, config.preprocess, rows)
        yield from psf_problems(config, inputs, used)
        yield from option_problems(config, inputs, specs)
        if config.background.tweakbg:
            yield from background_problems(config.background.tweakbg, specs)
    yield from sersic_problems(config)
    yield from kernel_problems(config)


def psf_problems(config: Config, inputs: Inputs, specs: list[ExposureSpec]) -> Iterator[InputError]:
    """A PSF that is missing, cannot be read or is for other pixels; an exposure that has none."""
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
    for spec in specs if scales else ():
        wanted = [spec.psf] if spec.psf else [spec.id, spec.band]
        key = next((name for name in wanted if name in scales), None)
        if key is None and from_stars(config):
            continue
        if key is None:
            names = " or ".join(map(repr, wanted))
            found = f"exposure {spec.id!r} of band {spec.band!r} has no PSF, no key {names}"
            cure = f"Add one of that key; there are {', '.join(sorted(scales))}"
            yield InputError(inputs.psfs, found, cure)
        elif any(scales[key].values()):
            pixels, unreadable = _try(pixel_scales, spec)  # what cannot be read is reported by `validate`
            for where, stated in () if unreadable else scales[key].items():
                yield from _try(check_pixel_scale, where, stated, pixels, spec.id)[1]


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
    if inputs.catalog is None:
        return None, []
    options = config.catalog, config.patches.default_roi
    rows, problem = _try(partial(read_catalog, complete=False), inputs.catalog, bands, *options)
    for text in starting_problems(rows, config.bounds) if rows is not None else ():
        log.warning("%s: %s", inputs.catalog, text)
    return rows, problem


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


def record(inputs: Inputs, layout: Layout) -> dict:
    """Checksums of all input files; those of unchanged size and time are taken from the last record."""
    last = json.loads(layout.checked.read_text())["files"] if is_whole(layout.checked) else {}
    files = {}
    for table in (inputs.images, inputs.psfs, inputs.catalog):
        for path in local_files(Path(table)) if table else ():
            state = {"size": path.stat().st_size, "mtime_ns": path.stat().st_mtime_ns}
            known = last.get(str(path), {})
            same = {name: known.get(name) for name in state} == state
            files[str(path)] = state | {"sha256": known["sha256"] if same else checksum(path)}
    return {"fpho_version": __version__, "files": files}


def _try(function: Callable, *arguments):
    """Result and no problem, or None and the problem in a list."""
    try:
        return function(*arguments), []
    except InputError as error:
        return None, [error]
