"""What is wrong with options, beyond what each of them may be: together, and with the inputs."""

from collections.abc import Iterator

from ..config import Config
from ..errors import InputError
from ..images import ExposureSpec
from ..posterior.priors import check_family, flux_prior
from ..registration import read_shifts
from .inputs import Inputs


def option_problems(config: Config, inputs: Inputs, specs: list[ExposureSpec]) -> Iterator[InputError]:
    """Bands that no image has, priors that do not fit their parameter, tables that cannot be read."""
    if inputs.psfs and inputs.psfs.exists() and inputs.images.samefile(inputs.psfs):
        yield InputError("configuration", "images and psfs name one file", "They are two tables")
    there = {spec.band for spec in specs}
    for option, bands in (
        ("bands", config.bands),
        ("detect.bands", config.detect.bands or ()),
        ("catalog.detect_bands", config.catalog.detect_bands or ()),
    ):
        missing = [band for band in bands if band not in there]
        if missing:
            found = f"{option} names {', '.join(missing)}, of which {inputs.images} has no image"
            yield InputError("configuration", found, f"Bands with images are {', '.join(sorted(there))}")
    yield from prior_problems(config)
    if config.registration.table:
        try:
            read_shifts(config.registration.table)
        except InputError as error:
            yield error


def prior_problems(config: Config) -> Iterator[InputError]:
    """Families that do not fit their parameter or its bounds."""
    half, bounds, priors = config.bounds.dpos or 1.0, config.bounds, config.priors
    lowest = {"position": -half, "sersic": bounds.sersic_range[0], "rhalf": bounds.rhalf_range[0]}
    checks = [(check_family, name, getattr(priors, name), low) for name, low in lowest.items()]
    if priors.q.name != "rayleigh":
        checks.append((check_family, "q", priors.q, bounds.sqrtq_range[0]))
    for function, *arguments in (*checks, (flux_prior, priors.flux, -1.0, 1.0)):
        try:
            function(*arguments)
        except InputError as error:
            yield error
