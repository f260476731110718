"""The built-in scenes: cameras, pointings and sources of `example`, `isolated` and `tiny`.

Everything here is a description; `drawing` makes pixels of it and `writing` makes files.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from ..parameters import FLUX_UNIT, scene_dtype
from .optics import make_wcs, moffat_psf, optical_psf

REFERENCE = (53.16, -27.79)  # degrees, the middle of the field
OVERSAMPLE = {"exposure": 4, "mosaic": 3}  # samples per pixel of the PSF images
PSF_HALF_WIDTH = {"F814W": 1.4, "F125W": 1.4, "F160W": 2.0}  # arcsec


@dataclass(frozen=True)
class Camera:
    """One band of one kind of image.

    psf(pixel_scale) gives a GalSim object in pixels; noise and background, the sky left in, in nJy per pixel.
    """

    band: str
    kind: str
    pixel_scale: float
    shape: tuple[int, int]
    noise: float
    background: float
    psf: Callable

    @property
    def psf_key(self) -> str:
        """Key of its PSF in the table of PSF images."""
        return self.band if self.kind == "exposure" else f"{self.band}_mosaic"


@dataclass(frozen=True)
class Pointing:
    """An image to be taken: rotation in degrees from north to east, offset (east, north) in arcsec."""

    id: str
    camera: Camera
    rotation: float = 0.0
    offset: tuple[float, float] = (0.0, 0.0)
    unit: str = FLUX_UNIT  # of its file

    @property
    def wcs(self):
        """Its WCS (`astropy.wcs.WCS`)."""
        camera = self.camera
        return make_wcs(*REFERENCE, camera.pixel_scale, camera.shape, self.rotation, self.offset)


@dataclass(frozen=True)
class Scene:
    """What is drawn: pointings, true rows (`scene_dtype`), which rows the catalog lists, target S/N.

    understated : part of the true size and radius of influence that the catalog gives of some sources, by row
    """

    bands: list[str]
    pointings: list[Pointing]
    truth: np.ndarray
    listed: np.ndarray
    snr: np.ndarray
    bad_fraction: float = 0.002
    understated: dict[int, float] = field(default_factory=dict)

    def mosaic(self, band: str) -> Pointing:
        """The mosaic of a band."""
        found = [p for p in self.pointings if p.camera.band == band and p.camera.kind == "mosaic"]
        return found[0]


def build_scene(name: str, seed: int) -> Scene:
    """The scene of this name (`SCENES`) and seed; fluxes are still 1 (see `writing.set_fluxes`)."""
    return SCENES[name](np.random.default_rng([seed, 11]))


# --- cameras ---


SKY = {"F814W": 0.0, "F125W": 60.0, "F160W": 0.0}  # nJy per arcsec^2, left in all images of a band
BRIGHT_SKY = {"F814W": 200.0, "F125W": 60.0, "F160W": 250.0}  # 0.7, 0.2 and 1 times the noise of a pixel


def _cameras(width: float, mosaic_width: float, sky: dict, struts: float) -> dict:
    """Cameras by (band, kind) for images of a width in arcsec: a 2.4 m telescope, and a Moffat band.

    struts : their thickness, of the diameter
    """
    optics = {
        "F814W": lambda scale, **more: optical_psf(
            0.81, 2.4, scale, thickness=struts, coma1=0.02, astig1=0.02, **more
        ),
        "F125W": lambda scale, fwhm=0.125, **more: moffat_psf(fwhm, scale, beta=3.2, e1=0.03, e2=-0.02),
        "F160W": lambda scale, jitter=0.03, **more: optical_psf(
            1.54,
            2.4,
            scale,
            obscuration=0.12,
            jitter=jitter,
            thickness=struts,
            astig2=-0.03,
            coma1=-0.02,
            **more,
        ),
    }
    scales = {"F814W": (0.042, 0.040), "F125W": (0.052, 0.050), "F160W": (0.062, 0.060)}
    noise = {"F814W": 0.50, "F125W": 0.75, "F160W": 1.00}  # nJy per pixel of an exposure
    broadened = {"F814W": {"jitter": 0.024, "rotation": 30}, "F125W": {"fwhm": 0.132}}
    broadened["F160W"] = {"jitter": 0.038, "rotation": 30}
    cameras = {}
    for band, (scale, mosaic_scale) in scales.items():
        cameras[band, "exposure"] = Camera(
            band, "exposure", scale, _shape(width, scale), noise[band], sky[band] * scale**2, optics[band]
        )
        depth = np.sqrt(0.5) * mosaic_scale / scale  # two exposures, white noise per area
        cameras[band, "mosaic"] = Camera(
            band,
            "mosaic",
            mosaic_scale,
            _shape(mosaic_width, mosaic_scale),
            noise[band] * depth,
            sky[band] * mosaic_scale**2,
            lambda s, make=optics[band], more=broadened[band]: make(s, **more),
        )
    return cameras


def _shape(width: float, scale: float) -> tuple[int, int]:
    """Sides in pixels; the two differ and are no multiples of the tiles, as in real images."""
    return int(width / scale), int((width + 0.2) / scale)


def _pointings(bands, width, rotations, offsets, sky=SKY, struts=0.02) -> list[Pointing]:
    cameras = _cameras(width, width + 0.3, sky, struts)
    pointings = []
    for i, band in enumerate(bands):
        for j, (turn, offset) in enumerate(zip(rotations, offsets, strict=True)):
            shift = (offset[0] + 0.017 * i, offset[1] - 0.023 * i)
            camera = cameras[band, "exposure"]
            pointings.append(Pointing(f"{band}_{j + 1}", camera, turn + 3.0 * i, shift))
        pointings.append(Pointing(f"{band}_mosaic", cameras[band, "mosaic"]))
    return pointings


# --- sources ---

# sersic, rhalf (arcsec), S/N of the mosaic in F814W, axis ratio; a grid cell of the field each
_FIELD = [
    (1.0, 0.05, 12), (0.8, 0.30, 60), (2.5, 0.12, 45), (1.2, 0.60, 90), (4.5, 0.25, 160),
    (1.5, 0.08, 35), (3.0, 0.20, 100), (0.6, 0.22, 40), (1.0, 0.45, 70), (2.0, 0.10, 25),
    (0.7, 0.15, 15), (4.0, 0.40, 200), (1.3, 0.35, 120), (3.5, 0.09, 80), (1.0, 0.18, 10),
    (1.8, 0.28, 50), (2.2, 0.06, 30), (0.9, 0.55, 140), (1.6, 0.14, 22), (2.8, 0.33, 75),
]  # fmt: skip
# offset east, north (arcsec) from the group's middle, sersic, rhalf, S/N
_GROUP = [
    (0.0, 0.0, 2.5, 0.30, 120),
    (0.55, 0.20, 1.0, 0.18, 60),
    (-0.35, 0.50, 0.8, 0.25, 50),
    (-0.15, -0.55, 1.5, 0.12, 40),
]
_MISSING = (1.2, 0.12, 45)
_LARGE = (1.1, 0.80, 300)  # the catalog says a third of this size
_FAINT_SNR = (4.0, 10.0)  # between, more of the fainter
_STAR_SNR = (150, 40)


def _example(rng) -> Scene:
    """A small deep field that is not kind: three bands, two exposures and a mosaic of each.

    25 galaxies of S/N 10 to 300 (a blended group of 4, one missing from the catalog, one of which the catalog
    gives a third of the size), two stars, and more faint galaxies than all these; sky left in everywhere,
    PSFs with spikes, one exposure in MJy/sr.
    """
    bands = ["F814W", "F125W", "F160W"]
    cells = _cells(7, 1.75, rng)
    group, free = cells[24], np.delete(cells, 24, axis=0)
    middle = np.r_[8:13, 15:20, 22:26, 28:33, 35:40]  # 5 x 5 cells without the group's
    bright, edge = free[middle], np.delete(free, middle, axis=0)
    between = 1.75 * np.array([[x, y] for a in (-0.5, 0.5) for b in (-2.5, 2.5) for x, y in ((a, b), (b, a))])
    dim = np.concatenate([edge, between + rng.uniform(-0.2, 0.2, between.shape)])
    spots = np.concatenate([bright[:20], group + np.array([g[:2] for g in _GROUP]), bright[20:24], dim])
    low, high = np.log(_FAINT_SNR)
    faint = np.exp(low + (high - low) * rng.uniform(size=(2, len(dim))).min(axis=0))
    shapes = np.exp(rng.normal(np.log([1.2, 0.12]), 0.4, (len(dim), 2)))
    n, rhalf, snr = (
        np.concatenate([*some, more]) for some, more in zip(_columns(), (*shapes.T, faint), strict=True)
    )
    truth = _rows(bands, spots, n, rhalf, rng)
    truth["is_point"][26:28] = True
    listed = np.ones(len(truth), bool)
    listed[24] = False
    stems = ["gal"] * 20 + ["group"] * 4 + ["missing", "large"] + ["star"] * 2 + ["faint"] * len(dim)
    _name(truth, stems)
    pointings = _pointings(bands, 14.4, (7.0, 98.0), ((0.21, -0.13), (-0.17, 0.24)), BRIGHT_SKY, 0.04)
    mixed = [replace(p, unit="MJy/sr") if p.id == "F125W_2" else p for p in pointings]
    return Scene(bands, mixed, _finish(truth), listed, snr, understated={25: 1 / 3})


def _columns():
    tail = (
        (_MISSING[0], _LARGE[0], 1.0, 1.0),
        (_MISSING[1], _LARGE[1], 0.0, 0.0),
        (_MISSING[2], _LARGE[2], *_STAR_SNR),
    )
    for i in range(3):
        yield [f[i] for f in _FIELD], [g[i + 2] for g in _GROUP], tail[i]


def _tiny(rng) -> Scene:
    """Two galaxies, a star and a galaxy missing from the catalog, two bands: seconds, for tests."""
    bands = ["F814W", "F125W"]
    spots = np.array([[-0.75, 0.6], [0.7, 0.75], [0.8, -0.8], [-0.8, -0.85]]) + rng.uniform(
        -0.05, 0.05, (4, 2)
    )
    truth = _rows(bands, spots, np.array([1.0, 2.0, 1.0, 1.2]), np.array([0.25, 0.15, 0.0, 0.12]), rng)
    truth["is_point"][2] = True
    _name(truth, ["gal", "gal", "star", "missing"])
    pointings = _pointings(bands, 3.6, (7.0,), ((0.06, -0.04),))
    listed = np.array([True, True, True, False])
    return Scene(bands, pointings, _finish(truth), listed, np.array([90.0, 70.0, 80.0, 50.0]))


def _isolated(rng) -> Scene:
    """25 bright galaxies far from each other, seen by the cameras of `example`: for the bias of fluxes."""
    bands = ["F814W", "F125W", "F160W"]
    spots = _cells(5, 3.5, rng)
    n = np.concatenate([rng.uniform(*r, 9) for r in ((0.6, 1.5), (1.5, 3.0), (3.0, 4.5))])
    n = rng.permutation(n)[: len(spots)]
    rhalf = np.exp(rng.uniform(np.log(0.08), np.log(0.4), len(spots)))
    truth = _rows(bands, spots, n, rhalf, rng)
    _name(truth, ["gal"] * len(truth))
    pointings = _pointings(bands, 21.0, (7.0, 98.0), ((0.21, -0.13), (-0.17, 0.24)))
    snr = np.exp(rng.uniform(np.log(60), np.log(400), len(spots)))
    return Scene(bands, pointings, _finish(truth), np.ones(len(truth), bool), snr)


def _cells(count: int, step: float, rng) -> np.ndarray:
    """Offsets (east, north) in arcsec of a jittered grid, (count^2, 2); the middle one is not jittered."""
    line = (np.arange(count) - (count - 1) / 2) * step
    cells = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    jitter = rng.uniform(-0.18, 0.18, cells.shape) * step
    jitter[len(cells) // 2] = 0
    return cells + jitter


def _rows(bands, spots, n, rhalf, rng) -> np.ndarray:
    """Scene rows at offsets (east, north) in arcsec; fluxes hold the colours, relative to the first band."""
    rows = np.zeros(len(spots), scene_dtype(bands))
    rows["ra"] = REFERENCE[0] + spots[:, 0] / 3600 / np.cos(np.radians(REFERENCE[1]))
    rows["dec"] = REFERENCE[1] + spots[:, 1] / 3600
    rows["sersic"], rows["rhalf"] = n, rhalf
    rows["q"] = np.sqrt(rng.uniform(0.35, 0.95, len(rows)))
    rows["pa"] = rng.uniform(-np.pi / 2, np.pi / 2, len(rows))
    slope = rng.normal(0.09, 0.07, len(rows))  # dex of flux from band to band: blue and red galaxies
    for i, band in enumerate(bands):
        rows[band] = 10 ** (i * slope)
        rows[f"{band}_err"] = np.nan
    return rows


def _name(rows, stems) -> None:
    for i, stem in enumerate(stems):
        rows["id"][i] = f"{stem}-{i + 1}"


def _finish(rows) -> np.ndarray:
    """Bookkeeping, and the fixed shape parameters of point sources."""
    rows["source_index"], rows["is_valid"] = np.arange(len(rows)), True
    # where a profile still counts: wings grow with the index
    rows["roi"] = np.maximum(0.4, rows["rhalf"] * (1.5 + 0.5 * rows["sersic"]))
    point = rows["is_point"]
    rows["q"][point], rows["pa"][point], rows["sersic"][point], rows["rhalf"][point] = 1.0, 0.0, 1.0, 0.0
    return rows


SCENES = {"example": _example, "isolated": _isolated, "tiny": _tiny}
