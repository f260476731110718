"""Files of a simulated scene: images, PSF images, tables, peak catalog and truth."""

from pathlib import Path

import numpy as np

from .. import __version__
from ..files import atomic
from ..parameters import DESCRIPTIONS, FLUX_UNIT, SHAPE_COLS, UNITS, axis_ratio, position_angle
from ..tables import write_tsv
from .drawing import draw_exposure, signal_to_noise
from .optics import psf_from_image, psf_image
from .scenes import OVERSAMPLE, PSF_HALF_WIDTH, Scene, build_scene

BAD_PIXEL = 1  # bit of the mask
CATALOG_COLS = ("id", "ra", "dec", "roi", "is_point", *SHAPE_COLS)


def write_scene(name: str, folder, seed: int) -> Scene:
    """Draw a built-in scene (`scenes.SCENES`) and write it under `folder`; deterministic in `seed`.

    Writes images/*.fits, psfs/*.fits, exposures.tsv, psfs.tsv, catalog.fits and truth.fits (with the
    backgrounds in its second extension). Returns the scene with its true fluxes.
    """
    folder = Path(folder)
    scene = build_scene(name, seed)
    psfs = true_psfs(scene)
    set_fluxes(scene, {key: psf for key, (_, psf) in psfs.items()})
    header = {"FPHOVER": __version__, "SEED": seed, "SCENE": name}
    for key, (image, _) in psfs.items():
        _write_psf(folder / "psfs" / f"{key}.fits", key, image, header)
    for number, pointing in enumerate(scene.pointings):
        rng = np.random.default_rng([seed, 12, number])
        _write_image(folder / "images" / f"{pointing.id}.fits", scene, pointing, psfs, rng, header)
    write_table(
        folder / "truth.fits", scene.truth, scene.bands, header, truth_columns(scene), _backgrounds(scene)
    )
    peaks = perturbed(scene.truth[scene.listed], scene.bands, np.random.default_rng([seed, 13]))
    for row, part in scene.understated.items():
        for name in ("rhalf", "roi"):
            peaks[name][np.sum(scene.listed[:row])] *= part
    write_table(folder / "catalog.fits", peaks, scene.bands, header, columns=CATALOG_COLS)
    _write_tables(folder, scene)
    return scene


def true_psfs(scene: Scene) -> dict:
    """By PSF key: (image, GalSim object in pixels) of each camera; the object is made from an image.

    The image that a user gets is that of the exposures without the pixel response, that of the mosaics
    with it. Both come from the same tapered image, so that the truth holds no light that a user's
    PSF lacks.
    """
    psfs = {}
    for camera in {p.camera.psf_key: p.camera for p in scene.pointings}.values():
        sampling = OVERSAMPLE[camera.kind]
        size = 2 * int(PSF_HALF_WIDTH[camera.band] / camera.pixel_scale * sampling) + 1
        image = psf_image(camera.psf(camera.pixel_scale), sampling, size, pixel_response=False)
        psf = psf_from_image(image, sampling)
        if camera.kind == "mosaic":
            image = psf_image(psf, sampling, size + 2 * sampling, pixel_response=True, taper=False)
        psfs[camera.psf_key] = image, psf
    return psfs


def set_fluxes(scene: Scene, psfs: dict) -> None:
    """Scale all fluxes of a scene so that the first band's mosaic has the S/N asked for."""
    band = scene.bands[0]
    mosaic = scene.mosaic(band)
    camera = mosaic.camera
    for row, target in zip(scene.truth, scene.snr, strict=True):
        unit = signal_to_noise(row, mosaic.wcs, psfs[camera.psf_key], camera.shape, camera.noise, band)
        for name in scene.bands:
            row[name] *= target / unit


def perturbed(truth, bands, rng, position=0.02, flux=0.2, size=0.25) -> np.ndarray:
    """Initial peaks as a detection would give them: scene rows moved off the truth.

    Parameters
    ----------
    position : sigma of each coordinate in arcsec. flux, size : sigma of their ln. Shapes: nearly round, index
    about 1.5.
    """
    rows = truth.copy()
    rows["ra"] += rng.normal(0, position, len(rows)) / 3600 / np.cos(np.radians(rows["dec"]))
    rows["dec"] += rng.normal(0, position, len(rows)) / 3600
    for band in bands:
        rows[band] *= np.exp(rng.normal(0, flux, len(rows)))
    galaxy = ~rows["is_point"]
    count = int(galaxy.sum())
    rows["q"][galaxy] = rng.uniform(0.88, 0.95, count)
    rows["pa"][galaxy] = rng.uniform(-1.5, 1.5, count)
    rows["sersic"][galaxy] = rng.uniform(1.2, 1.8, count)
    rows["rhalf"][galaxy] *= np.exp(rng.normal(0, size, count))
    return rows


def truth_columns(scene: Scene) -> dict:
    """Columns that only a truth table has: name to (values, unit, description)."""
    rows = scene.truth
    return {
        "axis_ratio": (axis_ratio(rows["q"]), "", "axis ratio b/a"),
        "position_angle": (position_angle(rows["pa"]), "deg", "major axis, east of north"),
        "snr": (scene.snr, "", f"S/N of the flux in the {scene.bands[0]} mosaic, shape known"),
        "in_catalog": (scene.listed, "", "listed in the peak catalog"),
    }


def write_table(path, rows, bands, header, extra=None, backgrounds=None, columns=None) -> None:
    """Scene rows as a FITS table in the input format: `q` and `pa` of convention `internal`, FILTERS.

    extra : name to (values, unit, description). backgrounds : table of a second extension.
    """
    from astropy.io import fits

    hdus = fits.HDUList([fits.PrimaryHDU(), fits.table_to_hdu(as_table(rows, bands, header, extra, columns))])
    if backgrounds is not None:
        hdus.append(fits.table_to_hdu(backgrounds))
    with atomic(path, seal=True) as temporary:
        hdus.writeto(temporary, overwrite=True)


def as_table(rows, bands, header, extra=None, columns=None):
    """Scene rows as an astropy table; arguments as of `write_table`."""
    from astropy.table import Table

    table = Table(meta={**header, "FILTERS": ",".join(bands), "CONVENT": "internal"})
    for name in columns or rows.dtype.names:
        table[name] = rows[name]
        table[name].unit, table[name].description = UNITS.get(name) or None, DESCRIPTIONS.get(name)
    for band in bands:
        table[band] = rows[band]
        table[band].unit, table[band].description = FLUX_UNIT, f"total flux in {band}"
    for name, (values, unit, text) in (extra or {}).items():
        table[name] = values
        table[name].unit, table[name].description = unit or None, text
    return table


def _backgrounds(scene: Scene):
    from astropy.table import Table

    rows = [(p.id, p.camera.band, p.camera.background) for p in scene.pointings]
    table = Table(rows=rows, names=("exposure", "band", "constant"), meta={"EXTNAME": "BACKGROUND"})
    table["constant"].unit = "nJy / pix"
    table["constant"].description = "true background left in the image"
    return table


def _write_image(path, scene, pointing, psfs, rng, header) -> None:
    """One image: SCI and ERR (nJy per pixel), DQ (bit 1: bad pixel, with a wild value in SCI)."""
    camera, wcs = pointing.camera, pointing.wcs
    image = draw_exposure(
        scene.truth,
        wcs,
        psfs[camera.psf_key][1],
        camera.shape,
        camera.noise,
        camera.band,
        rng,
        camera.background,
    )
    bad = rng.random(camera.shape) < (scene.bad_fraction if camera.kind == "exposure" else 0)
    image[bad] += rng.exponential(200 * camera.noise, int(bad.sum()))
    header = {**header, "EXPOSURE": pointing.id}
    write_image(path, image, camera.noise, wcs, camera.band, bad, header, pointing.unit)


def write_image(path, image, noise, wcs, band: str, bad=None, header=None, unit: str = FLUX_UNIT) -> None:
    """FITS file with SCI, ERR (nJy per pixel, written in `unit`) and DQ, as the generic reader takes it.

    noise : sigma, a number or an array like `image`. bad : bool array like `image`. unit : a flux, or a
    surface brightness.
    """
    from astropy.io import fits

    cards = wcs.to_header(relax=True)
    cards["BUNIT"], cards["FILTER"] = unit, band
    factor = _in_unit(unit, wcs)
    sigma = np.broadcast_to(np.asarray(noise * factor, "f4"), image.shape)
    mask = np.zeros(image.shape, "u1") if bad is None else bad.astype("u1") * BAD_PIXEL
    primary = fits.PrimaryHDU()
    primary.header.update({"FILTER": band, **(header or {})})
    layers = {"SCI": (image * factor).astype("f4"), "ERR": sigma, "DQ": mask}
    hdus = [primary, *(fits.ImageHDU(data, cards, name=name) for name, data in layers.items())]
    with atomic(path, seal=True) as temporary:
        fits.HDUList(hdus).writeto(temporary, overwrite=True)


def _in_unit(unit: str, wcs) -> float:
    """nJy per pixel in a unit of fluxes or of surface brightness."""
    import astropy.units as u
    from astropy.wcs.utils import proj_plane_pixel_area

    flux, wanted = u.Unit(FLUX_UNIT), u.Unit(unit)
    if not wanted.is_equivalent(flux):
        flux = flux / (proj_plane_pixel_area(wcs) * u.deg**2)
    return float((1 * flux).to_value(wanted))


def _write_psf(path, key, image, header) -> None:
    band = key.removesuffix("_mosaic")
    kind = "exposure" if key == band else "mosaic"
    write_psf_image(path, image, {**header, "FILTER": band, "OVERSAMP": OVERSAMPLE[kind]})


def write_psf_image(path, image, header) -> None:
    """A PSF's image as a plain FITS file."""
    from astropy.io import fits

    hdu = fits.PrimaryHDU(image.astype("f4"))
    hdu.header.update(header)
    with atomic(path, seal=True) as temporary:
        hdu.writeto(temporary, overwrite=True)


def _write_tables(folder: Path, scene: Scene) -> None:
    """exposures.tsv and psfs.tsv, with paths relative to their folder."""
    exposures = [
        {
            "id": p.id,
            "band": p.camera.band,
            "kind": p.camera.kind,
            "path": f"images/{p.id}.fits",
            "mask_path": f"images/{p.id}.fits",
            "mask_ext": "DQ",
            "psf": p.camera.psf_key,
        }
        for p in scene.pointings
    ]
    cameras = {p.camera.psf_key: p.camera for p in scene.pointings}
    psfs = [
        {
            "key": key,
            "path": f"psfs/{key}.fits",
            "oversample": OVERSAMPLE[camera.kind],
            "pixel_response": "included" if camera.kind == "mosaic" else "not_included",
            "filter": camera.band,
        }
        for key, camera in cameras.items()
    ]
    for name, rows in (("exposures.tsv", exposures), ("psfs.tsv", psfs)):
        write_tsv(folder / name, rows)
