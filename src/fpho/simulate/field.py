"""A deep field as its exposures show it: a population drawn through PSF images, with sky left in.

Everything is drawn through the very PSF images that a user gets (`effective`), never through mixtures.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import __version__
from ..config.field import SimulatedField
from ..parameters import SHAPE_COLS, axis_ratio, position_angle
from ..psf import PSFImage
from ..psf.inputs import images_by_key, read_psf_table
from ..tables import write_tsv
from .effective import effective_stamp, psf_object
from .knots import clumpy_galaxy
from .optics import make_wcs, optical_psf, psf_image
from .population import ZEROPOINT, bright_stars, draw_population
from .scenes import REFERENCE
from .writing import perturbed, write_image, write_psf_image, write_table

MARGIN = 3.0  # arcsec that images are wider than the field
TURN = 91.7  # degrees from exposure to exposure
DITHER = 0.3  # arcsec
OVERSAMPLE = 4
WAVELENGTHS = (2.0, 4.4)  # micron of the first and the last band, where no PSF is given
PSF_HALF_WIDTH = 1.3  # arcsec at the first of them
STAR_SNR = (1000, 100)  # of bright stars, in all exposures of the first band
LISTED_COLS = ("id", "ra", "dec", "is_point", *SHAPE_COLS)
OFF = {"flux": 0.3 * np.log(10), "size": 0.3 * np.log(10)}  # errors of ln in the rough catalog: 0.3 dex
OFF_PIXELS = 0.5  # and of each coordinate, in pixels of the first band


@dataclass(frozen=True)
class FieldImage:
    """One image to be drawn; noise in nJy per pixel; sky: level, and slopes along x and y per pixel."""

    id: str
    band: str
    kind: str
    wcs: object
    shape: tuple[int, int]
    scale: float
    noise: float
    sky: tuple[float, float, float]

    def background(self) -> np.ndarray:
        """(ny, nx) or what broadcasts to it."""
        level, by_x, by_y = self.sky
        y, x = np.indices(self.shape, sparse=True)
        return level + by_x * (x - (self.shape[1] - 1) / 2) + by_y * (y - (self.shape[0] - 1) / 2)


def write_field(options: SimulatedField, folder, seed: int) -> tuple[np.ndarray, list[FieldImage]]:
    """Draw a field and write it under `folder` as `writing.write_scene` does; (true rows, images).

    Writes images/*.fits, exposures.tsv, psfs.tsv (and psfs/*.fits where none are given), catalog.fits (rough:
    positions off by half a pixel, fluxes and sizes by 0.3 dex, no roi) and truth.fits, with the sky of each
    image in its second extension. Deterministic in `seed`.
    """
    folder = Path(folder)
    psfs = field_psfs(options, folder)
    side = 60 * np.sqrt(options.sources / options.density)
    place, rng = place_within(side), np.random.default_rng([seed, 21])
    rows = draw_population(options.sources, options.bands, faintest(options), place, rng)
    rows = with_stars(rows, options, place, np.random.default_rng([seed, 26]))
    rows, profiles = structures(rows, options, np.random.default_rng([seed, 22]))
    images = _images(options, side, psfs, np.random.default_rng([seed, 23]))
    header = {"FPHOVER": __version__, "SEED": seed, "SCENE": "field"}
    snr2 = {band: np.zeros(len(rows)) for band in options.bands}
    for number, image in enumerate(images):
        rng = np.random.default_rng([seed, 24, number])
        light, each = _light(rows, profiles, image, psfs[image.band])
        if image.kind == "exposure":
            snr2[image.band] += each / image.noise**2
        data = light + image.background() + image.noise * rng.standard_normal(image.shape)
        path = folder / "images" / f"{image.id}.fits"
        write_image(path, data, image.noise, image.wcs, image.band, None, {**header, "EXPOSURE": image.id})
    snr = np.sqrt([snr2[band] for band in options.bands])
    listed = snr.max(axis=0) >= options.listed_snr
    extra = seen_columns(rows, snr, listed, options.bands)
    if options.structure == "clumpy":
        rows["sersic"] = np.where(rows["is_point"], rows["sersic"], np.nan)
    write_table(folder / "truth.fits", rows, options.bands, header, extra, sky_table(images))
    off = {"position": OFF_PIXELS * options.pixel_scale[0], **OFF}
    peaks = perturbed(rows[listed], options.bands, np.random.default_rng([seed, 25]), **off)
    write_table(folder / "catalog.fits", peaks, options.bands, header, columns=LISTED_COLS)
    write_tsv(folder / "exposures.tsv", [_listed(image) for image in images])
    return rows, images


def faintest(options) -> float:
    """Sources are drawn to below the depth: half a magnitude beyond S/N 5 is S/N 3 for a point."""
    return options.depth + 0.5


def with_stars(rows, options, place, rng):
    """Rows, and after them the bright stars that were asked for."""
    snr = 2.5 * np.log10(np.divide(STAR_SNR, 5))
    stars = bright_stars(options.stars, options.bands, options.depth - snr, place, rng)
    stars["source_index"] += len(rows)
    return np.concatenate([rows, stars])


def field_psfs(options, folder) -> dict[str, PSFImage]:
    """Effective PSF image of each band; psfs.tsv names the files."""
    if options.psfs is None:
        rows = [_telescope(options, i, folder) for i in range(len(options.bands))]
    else:
        known = {source.key: (source, form) for source, form in read_psf_table(options.psfs)}
        rows = [_given(*known[band]) for band in options.bands]
    write_tsv(folder / "psfs.tsv", rows)
    images = images_by_key(read_psf_table(folder / "psfs.tsv"))
    return {band: images[band][0] for band in options.bands}


def _telescope(options, i: int, folder) -> dict:
    """Row of psfs.tsv; writes the PSF of a 6.5 m telescope with struts, oversampled, without the pixel."""
    band, scale = options.bands[i], options.pixel_scale[i]
    wavelength = np.interp(i, [0, max(1, len(options.bands) - 1)], WAVELENGTHS)
    psf = optical_psf(
        wavelength, 6.5, scale, obscuration=0.15, jitter=0.01, struts=6, coma1=0.02, astig1=0.02, rotation=15
    )
    size = 2 * int(PSF_HALF_WIDTH * wavelength / WAVELENGTHS[0] / scale * OVERSAMPLE) + 1
    image = psf_image(psf, OVERSAMPLE, size, pixel_response=False)
    path = folder / "psfs" / f"{band}.fits"
    write_psf_image(path, image, {"FILTER": band, "OVERSAMP": OVERSAMPLE})
    return {
        "key": band,
        "path": f"psfs/{band}.fits",
        "oversample": OVERSAMPLE,
        "pixel_response": "not_included",
        "format": "fits",
    }


def _given(source, form) -> dict:
    return {
        "key": source.key,
        "path": str(Path(source.path).resolve()),
        "oversample": source.oversample or "",
        "pixel_response": source.pixel_response or "",
        "format": form,
    }


def place_within(side: float, middle=(0.0, 0.0)):
    """What `draw_population` asks: places in a square about `middle` (arcsec), and theirs on the sky."""

    def spots(count, rng):
        return rng.uniform(-side / 2, side / 2, (count, 2)) + middle

    def to_sky(offsets):
        ra = REFERENCE[0] + offsets[:, 0] / 3600 / np.cos(np.radians(REFERENCE[1]))
        return ra, REFERENCE[1] + offsets[:, 1] / 3600

    return spots, to_sky


def structures(rows, options, rng):
    """(rows with the true half-light radii, GalSim profile of each source or None)."""
    if options.structure == "sersic":
        return rows, [None] * len(rows)
    rows, profiles = rows.copy(), []
    for row in rows:
        if row["is_point"]:
            profiles.append(None)
            continue
        profile, row["rhalf"] = clumpy_galaxy(row["rhalf"], row["q"] ** 2, row["pa"], rng)
        profiles.append(profile)
    return rows, profiles


def _images(options, side: float, psfs, rng) -> list[FieldImage]:
    images = []
    for band, scale in zip(options.bands, options.pixel_scale, strict=True):
        whole = deep_noise(options, psfs[band])
        n = int((side + MARGIN) / scale)
        for i in range(options.exposures):
            offset = tuple(rng.uniform(-DITHER, DITHER, 2))
            wcs = make_wcs(*REFERENCE, scale, (n, n + 5), 3.0 + i * TURN, offset)
            noise = whole * np.sqrt(options.exposures)
            shape, sky = (n, n + 5), random_sky(options, noise, n, rng)
            images.append(FieldImage(f"{band}_{i + 1}", band, "exposure", wcs, shape, scale, noise, sky))
        if options.mosaic:
            shape = n + 20, n + 25
            wcs = make_wcs(*REFERENCE, scale, shape)
            sky = random_sky(options, whole, n, rng)
            images.append(FieldImage(f"{band}_mosaic", band, "mosaic", wcs, shape, scale, whole, sky))
    return images


def deep_noise(options, psf: PSFImage) -> float:
    """Noise of a pixel in all exposures of a band together, nJy: a point source of the depth has S/N 5."""
    flux = 10 ** (-0.4 * (options.depth - ZEROPOINT)) / 5.0
    return flux * np.sqrt(np.sum((psf.data * psf.step) ** 2))


def random_sky(options, noise, n, rng) -> tuple[float, float, float]:
    """Level (nJy per pixel), and slopes along x and y, of what is left in an image of n pixels a side."""
    level = options.sky * noise * rng.uniform(0.1, 1.0)
    angle, change = rng.uniform(0, 2 * np.pi), level * options.slope * rng.uniform(0, 1) / n
    return float(level), float(change * np.cos(angle)), float(change * np.sin(angle))


def _light(rows, profiles, image: FieldImage, psf: PSFImage):
    """(image (ny, nx) of all sources, sum of each one's squared light (S,))."""
    effective = psf_object(psf)
    light, squares = np.zeros(image.shape), np.zeros(len(rows))
    for s, (row, profile) in enumerate(zip(rows, profiles, strict=True)):
        flux = float(row[image.band])
        place, stamp = effective_stamp(
            image.shape, row, image.wcs, effective, psf.half_width, flux, image.scale, profile
        )
        if stamp is not None:
            light[place] += stamp
            squares[s] = np.sum(stamp**2)
    return light, squares


def seen_columns(rows, snr, listed, bands) -> dict:
    """Columns that only a truth table has: name to (values, unit, description); snr : (bands, sources)."""
    text = "S/N of the flux in all exposures, shape known"
    each = {f"{band}_snr": (values, "", f"{text}, {band}") for band, values in zip(bands, snr, strict=True)}
    return {
        "axis_ratio": (axis_ratio(rows["q"]), "", "axis ratio b/a"),
        "position_angle": (position_angle(rows["pa"]), "deg", "major axis, east of north"),
        "snr": (snr[0], "", f"{text}, {bands[0]}"),
        "in_catalog": (listed, "", "listed in the peak catalog"),
    } | each


def sky_table(images):
    """The true sky of each image."""
    from astropy.table import Table

    rows = [(image.id, image.band, *image.sky) for image in images]
    table = Table(rows=rows, names=("exposure", "band", "constant", "x_slope", "y_slope"))
    table.meta["EXTNAME"] = "BACKGROUND"
    table["constant"].unit, table["x_slope"].unit, table["y_slope"].unit = "nJy / pix", *["nJy / pix2"] * 2
    table["constant"].description = "true sky left in the image, in its middle"
    return table


def _listed(image: FieldImage) -> dict:
    path = f"images/{image.id}.fits"
    return {"id": image.id, "band": image.band, "kind": image.kind, "path": path, "psf": image.band}
