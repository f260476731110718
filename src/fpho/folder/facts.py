"""`fpho inspect`: what is seen in an image, a PSF or a catalog, in words, by the code that the stages use."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..background import fit_background
from ..config import Preprocess
from ..detect import usable_stars
from ..errors import InputError
from ..geometry import inside_image, linearize, pixel_scale, to_pixels
from ..images import Exposure, ExposureSpec, calibrated, read_raw
from ..images.integrity import check_file
from ..psf.readers import READERS
from ..psf.source import Source
from ..scene.catalog.formats import read_table
from ..scene.catalog.programs import find
from .blank import BlankSky, blank_sky
from .recognising import Seen, is_mosaic, recognise
from .walking import walk

ROLES = ("id", "rhalf", "rhalf_major", "sersic", "axis_ratio", "position_angle", "q", "pa")
RESAMPLED = 0.12  # correlation of neighbours above which an image is taken for a resampled one


@dataclass(frozen=True)
class Facts:
    """What is seen of a file: name of each fact and its words, in order."""

    seen: Seen
    lines: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        width = max((len(name) for name, _ in self.lines), default=0)
        body = "\n".join(f"  {name:{width}s}  {text}" for name, text in self.lines)
        return f"{self.seen.path}: {self.seen.kind} ({self.seen.why})\n{body}"


def inspect(path, catalog=None) -> Facts:
    """Facts of one file. catalog : path of one, whose cover by an image is told

    Raises
    ------
    InputError
        For an image, PSF or catalog that cannot be used, as the stages would raise it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such file", "Give the path of an image, a PSF or a catalog")
    seen = recognise(path)
    lines = {"image": _image, "psf": _psf, "catalog": _catalog}.get(seen.kind, lambda *_: [])(seen, catalog)
    return Facts(seen, tuple(lines))


def spec_of(seen: Seen, companions=None, **values) -> ExposureSpec:
    """Row of the table of exposures of an image, with its companions' files."""
    mine = companions or {}
    paths = {"unc_path": "uncertainty", "mask_path": "mask", "background_path": "background"}
    named = {name: mine[kind].path for name, kind in paths.items() if kind in mine}
    return ExposureSpec(
        **{"id": seen.stem, "band": seen.band or "unknown", "path": seen.path, **named, **values}
    )


def read_whole(spec: ExposureSpec) -> Exposure:
    """The image of a row, calibrated; each of its files is read to its last pixel first."""
    for path in {spec.path, spec.unc_path, spec.mask_path, spec.background_path} - {None}:
        check_file(path)
    return calibrated(spec, Preprocess())


def _image(seen: Seen, catalog) -> list[tuple[str, str]]:
    spec = spec_of(seen, _beside(seen))
    exposure, raw = read_whole(spec), read_raw(spec)
    ny, nx = exposure.data.shape
    njy, blank = raw.calibration.njy, blank_sky(exposure)
    lines = [
        ("band", seen.band or "not stated by FILTER or the name"),
        ("kind", ", ".join(kind_of(seen, blank))),
        ("size", f"{nx} x {ny} pixels of {pixel_scale(exposure.wcs, (ny, nx)):.5g} arcsec"),
        ("orientation", orientation(exposure.wcs, (ny, nx))),
        ("read as", f"{raw.spec.reader}; {_extensions(raw.spec)}"),
        ("unit", raw.unit or "no BUNIT"),
        ("factor", f"{njy:.6g} nJy per unit and pixel, by {raw.calibration.text}"),
        ("zeropoint", f"AB {31.4 - 2.5 * np.log10(njy):.4f} per unit and pixel"),
        ("bad pixels", _bad_text(raw.rejected)),
        *_noise_lines(exposure, blank),
    ]
    if catalog is not None:
        lines.append(("catalog", _cover_text(exposure, catalog)))
    lines.append(("stars", _star_text(usable_stars(exposure))))
    return lines


def orientation(wcs, shape) -> str:
    """Angle of north and whether the sky is mirrored, in words."""
    ra, dec = wcs.pixel_to_world_values((shape[1] - 1) / 2, (shape[0] - 1) / 2)
    scale = linearize(wcs, np.atleast_1d(ra), np.atleast_1d(dec))[1][0]
    angle = np.degrees(np.arctan2(-scale[0, 1], scale[1, 1]))  # north from +y towards -x
    side = "east to its left" if np.linalg.det(scale) < 0 else "mirrored, east to its right"
    return f"north is {angle:+.1f} deg from the y axis, counter-clockwise; {side}"


def _noise_lines(exposure, blank: BlankSky):
    """Facts of blank sky."""
    scatter, corr = blank.scatter, blank.correlation
    if not np.isfinite(scatter):
        return [("noise", "too little blank sky to measure it"), ("sky", "not measured")]
    words = "as the errors say" if 0.9 < scatter < 1.1 else f"{scatter:.2f} times what the errors say"
    alike = (
        "correlated: resampled, set preprocess.noise_scale: measure" if corr > RESAMPLED else "independent"
    )
    sky = fit_background(exposure, np.zeros(exposure.data.shape))
    typical = 1 / np.median(exposure.ierr[exposure.ierr > 0])
    level = f"{sky.constant:+.4g} +- {sky.error:.2g} nJy per pixel"
    return [
        ("noise", f"single blank pixels scatter {words} (typically {typical:.4g} nJy)"),
        ("neighbours", f"correlation {corr:+.3f}: {alike}"),
        ("sky", f"{level}, {sky.constant / typical:+.3f} of a pixel's noise"),
    ]


def kind_of(seen: Seen, blank: BlankSky) -> tuple[str, str]:
    """`mosaic` or `exposure`, and what says so."""
    stated = is_mosaic(seen)
    if stated is not None:
        return ("mosaic" if stated else "exposure"), "by its name or header"
    corr = blank.correlation
    if not np.isfinite(corr):
        return "exposure", "as nothing says that it is resampled"
    return ("mosaic" if corr > RESAMPLED else "exposure"), f"as neighbouring pixels correlate by {corr:.2f}"


def _bad_text(rejected) -> str:
    total = np.any(list(rejected.values()), axis=0)
    parts = [f"{text} {100 * np.mean(bad):.2f}%" for text, bad in rejected.items() if bad.any()]
    return f"{100 * np.mean(total):.2f}%" + (f" ({', '.join(parts)})" if parts else "")


def _extensions(spec) -> str:
    science = _in_words(spec.path, spec.sci_ext)
    mask = f"mask {_in_words(spec.mask_path, spec.mask_ext)}" if spec.mask_path else "no mask"
    return f"{science}, {spec.unc_kind} {_in_words(spec.unc_path, spec.unc_ext)}, {mask}"


def _in_words(path, extension) -> str:
    """A file and its extension."""
    if extension is None:
        return path.name
    name = ",".join(map(str, extension)) if isinstance(extension, tuple) else extension
    return f"{path.name}[{name}]"


def _star_text(stars) -> str:
    if not len(stars):
        return "none usable for a PSF (S/N > 50, alone, whole, on the locus of sizes)"
    half = f"half-light radius {np.median(stars['half']):.2f} pixels"
    return f"{len(stars)} usable for a PSF, S/N {stars['snr'][-1]:.0f} to {stars['snr'][0]:.0f}, {half}"


def _cover_text(exposure, catalog) -> str:
    table = read_table(catalog)
    ra, dec = (np.asarray(table[find(name, table.colnames)], "f8") for name in ("ra", "dec"))
    inside = inside_image(exposure.wcs, exposure.data.shape, ra, dec)
    x, y = np.round(to_pixels(exposure.wcs, ra[inside], dec[inside])).astype(int).T
    ny, nx = exposure.data.shape
    good = exposure.ierr[np.clip(y, 0, ny - 1), np.clip(x, 0, nx - 1)] > 0
    name = Path(catalog).name
    return f"{inside.sum()} of {len(table)} sources of {name} lie on it, {good.sum()} on good pixels"


def _beside(seen: Seen) -> dict[str, Seen]:
    """Companions of an image in its own folder."""
    return walk(seen.path.parent, only=seen.stem).companions.get(seen.path, {})


def psf_source(seen: Seen, key: str) -> Source:
    """A PSF as a row of the table of PSF images: stamps at native pixels have the pixel response in them."""
    from astropy.io import fits

    values = {}
    if seen.form in ("fits", "gridded"):
        with fits.open(seen.path) as hdus:
            over = float(next((hdu.header["OVERSAMP"] for hdu in hdus if "OVERSAMP" in hdu.header), 1.0))
        response = "included" if over == 1 else "not_included"
        values = {"oversample": None if over == 1 else over, "pixel_response": response}
    return Source(key=key, path=seen.path, **values)


def _psf(seen: Seen, _) -> list[tuple[str, str]]:
    source = psf_source(seen, seen.band or seen.stem)
    images = READERS[seen.form](source)
    first = images[0]
    ny, nx = first.data.shape
    scale = f"{first.pixel_scale:.5g} arcsec" if first.pixel_scale else "not stated"
    lines = [
        ("band", seen.band or "not stated by FILTER or the name"),
        ("form", seen.form),
        ("size", f"{nx} x {ny} samples, {1 / first.step:.3g} per pixel; pixel {scale}"),
        ("places", f"{len(images)} on the detector"),
        ("sum", f"{first.data.sum() * first.step**2:.5f}"),
    ]
    if source.pixel_response:
        text = "assumed from the sampling: say otherwise in the table of PSFs"
        lines.append(("pixel response", f"{source.pixel_response}, {text}"))
    return lines


def _catalog(seen: Seen, _) -> list[tuple[str, str]]:
    table = read_table(seen.path)
    names = {role: find(role, table.colnames) for role in ("ra", "dec", *ROLES)}
    ra, dec = (np.asarray(table[names[role]], "f8") for role in ("ra", "dec"))
    known = ", ".join(f"{role} ({name})" for role, name in names.items() if name)
    lines = [
        ("sources", str(len(table))),
        ("place", f"ra {ra.min():.5f} to {ra.max():.5f}, dec {dec.min():.5f} to {dec.max():.5f}"),
        ("understood", known),
        ("columns", ", ".join(table.colnames)),
    ]
    if names["q"] or names["pa"]:
        lines.append(("to decide", "columns q and pa: say what they mean by catalog.convention"))
    return lines
