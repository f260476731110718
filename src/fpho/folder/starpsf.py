"""PSFs from the stars of the images: found, cut out, fitted together, and judged on stars left out."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from ..background import fit_background
from ..detect import usable_stars
from ..extras import installed
from ..geometry import unit_vectors
from ..psf.empirical import OVERSAMPLE, Empirical, Stamps, fit_stars, left_out

log = logging.getLogger("fpho")
FEWEST, MOST = 5, 40  # stars
SAME = 0.3  # arcsec within which stars of two exposures are one
HALF = (12.0, 9, 26)  # half-size of a stamp: FWHMs, and least and most pixels
FWHM_OF_HALF = 1.7  # FWHM over the half-light radius of a PSF
POOR = {"chi2": 2.0, "scatter": 0.03}  # of stars left out: beyond, it is no PSF, or these are no stars
STRANGE = 4.0  # times the median chi-square per pixel: no star, or blended


@dataclass(frozen=True)
class StarPSF:
    """A PSF from stars, and how it does.

    Of stars that a PSF was made without: `chi2`, the median per pixel; `offset` and `scatter`, median and sd
    of the light within a third of the stamp over the model's, minus 1. `stars`: how many, of S/N `snr`.
    """

    made: Empirical
    stamps: Stamps
    stars: int
    snr: tuple[float, float]
    chi2: float
    offset: float
    scatter: float

    @property
    def poor(self) -> bool:
        """Whether stars that it was made without are not described."""
        return self.chi2 > POOR["chi2"] or self.scatter > POOR["scatter"]

    def __str__(self) -> str:
        error = self.scatter / np.sqrt(max(1, self.stars))
        half, stamps = self.made.half, len(self.stamps.star)
        made = f"from {self.stars} stars of S/N {self.snr[0]:.0f} to {self.snr[1]:.0f} in {stamps} stamps"
        light = f"{100 * self.offset:+.2f}% +- {100 * error:.2f}% (each {100 * self.scatter:.2f}%)"
        judged = f"chi2 {self.chi2:.2f} per pixel, light within {half / 3:.1f} pixels {light}"
        return f"{made} of {2 * half:.0f} pixels; stars left out: {judged}"


def psf_of_stars(exposures) -> StarPSF | None:
    """The PSF of some exposures of one band with equal pixels; None where there are too few stars."""
    found = [usable_stars(exposure) for exposure in exposures]
    if not any(len(stars) for stars in found):
        return None
    width = FWHM_OF_HALF * float(np.median(np.concatenate([stars["half"] for stars in found])))
    half = int(np.clip(np.ceil(HALF[0] * width), *HALF[1:])) + 1
    stamps, snr = _stamps(exposures, found, half)
    for _ in range(2):
        if len(np.unique(stamps.star)) < FEWEST:
            return None
        made = fit_stars(stamps, width)
        worst = np.array([made.chi2[stamps.star == one].max() for one in stamps.star])
        strange = worst > STRANGE * max(1.0, np.median(made.chi2))
        if not strange.any():
            break
        log.info("%d stars are none, or blended: left out", len(np.unique(stamps.star[strange])))
        stamps, snr = stamps.only(~strange), snr[~strange]
    chi2, ratio = left_out(stamps, width)
    stars = len(np.unique(stamps.star))
    light = ratio - 1
    return StarPSF(
        made,
        stamps,
        stars,
        (float(snr.min()), float(snr.max())),
        float(np.median(chi2)),
        float(np.median(light)),
        float(np.std(light)),
    )


def write_psf(found: StarPSF, path: Path, band: str) -> None:
    """The PSF as an oversampled FITS stamp (pixel response included, sum 1), and a picture beside it."""
    from astropy.io import fits

    from ..files import atomic

    image = found.made.image()
    hdu = fits.PrimaryHDU((image.data * image.step**2).astype("f4"))  # its sum: part of the light in it
    hdu.header.update({"FILTER": band, "OVERSAMP": OVERSAMPLE, "NSTARS": found.stars, "PIXRESP": "included"})
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        hdu.writeto(temporary, overwrite=True)
    if installed("matplotlib"):
        with atomic(path.with_suffix(".png")) as temporary:
            _draw(found, band, temporary)


def _draw(found: StarPSF, band: str, path) -> None:
    """The PSF, and the pixels of all stars over it by radius."""
    from matplotlib.figure import Figure

    made, stamps = found.made, found.stamps
    image, half = made.image(), made.half
    u, v = stamps.x - made.place[:, :1], stamps.y - made.place[:, 1:]
    used = (stamps.ierr > 0) & (np.abs(u) < half) & (np.abs(v) < half)
    values = (stamps.data / made.flux[:, None])[used]
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    peak = image.data.max()
    left.imshow(
        np.arcsinh(image.data / peak * 1e3), origin="lower", extent=(-half, half, -half, half), cmap="viridis"
    )
    left.set(xlabel="x (pixels)", ylabel="y (pixels)", title=f"{band}: {found.stars} stars")
    right.plot(np.hypot(u, v)[used], values, ".", ms=1, color="0.6", label="pixels of stars")
    axis = np.arange(image.data.shape[1]) / OVERSAMPLE - image.center[0] / OVERSAMPLE
    right.plot(
        axis[axis >= 0], image.data[int(image.center[1])][axis >= 0], color="tab:blue", label="PSF along x"
    )
    right.set(yscale="log", ylim=(peak * 1e-5, 2 * peak), xlabel="radius (pixels)", ylabel="per square pixel")
    right.legend()
    figure.savefig(path, format="png", dpi=110)


def _stamps(exposures, found, half: int) -> tuple[Stamps, np.ndarray]:
    """Stamps (N) of the brightest stars in all exposures, and the S/N of each."""
    rows, places = [], []
    for exposure, stars in zip(exposures, found, strict=True):
        sky = fit_background(exposure, np.zeros(exposure.data.shape))
        ra, dec = exposure.wcs.pixel_to_world_values(stars["x"], stars["y"])
        for star, *place in zip(stars, np.atleast_1d(ra), np.atleast_1d(dec), strict=True):
            cut = _cut(exposure, star, half, sky.constant)
            if cut is not None:
                rows.append((*cut, star["snr"]))
                places.append(place)
    empty = np.zeros((0, (2 * half + 1) ** 2))
    if not rows:
        return Stamps(empty, empty, empty, empty, np.zeros(0, int)), np.zeros(0)
    star = _same(np.array(places))
    snr = np.array([row[-1] for row in rows])
    brightest = np.array([snr[star == one].max() for one in np.unique(star)])
    kept = np.isin(star, np.unique(star)[np.argsort(-brightest)[:MOST]])
    columns = [np.array([row[i] for row in rows])[kept] for i in range(4)]
    return Stamps(*columns, star[kept]), snr[kept]


def _cut(exposure, star, half: int, sky: float):
    """(x, y, data, ierr) of the pixels around a star; None where the stamp is not whole."""
    x, y = (int(np.rint(star[name])) for name in ("x", "y"))
    ny, nx = exposure.data.shape
    if not (half <= x < nx - half and half <= y < ny - half):
        return None
    cut = slice(y - half, y + half + 1), slice(x - half, x + half + 1)
    v, u = np.mgrid[-half : half + 1, -half : half + 1].astype("f8")
    ierr = exposure.ierr[cut].astype("f8")
    data = np.where(ierr > 0, exposure.data[cut] - sky, 0.0)
    return u.ravel(), v.ravel(), data.ravel(), ierr.ravel()


def _same(places) -> np.ndarray:
    """Number (N,) of the star at each place (ra, dec): places nearer than SAME are one star."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    xyz = unit_vectors(*places.T)
    pairs = cKDTree(xyz).query_pairs(np.radians(SAME / 3600), output_type="ndarray")
    graph = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(len(places),) * 2)
    return connected_components(graph, directed=False)[1]
