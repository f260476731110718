"""PSF mixtures with their remainders against GalSim: `python benchmarks/psf_remainder.py [--data FOLDER]`.

Truth is drawn by GalSim through the PSF image itself (band-limited interpolation): the PSFs of
FOLDER/jwst_ceers/psf, and optical PSFs with struts given as oversampled images. Point sources at sub-pixel
phases: worst pixel over the peak, quadrant and ring over the flux. Galaxies without noise, weights of S/N
1000, all parameters free: flux and size at the optimum of the mixture alone, and after one more fit with the
remainder at the first fit's values.
"""

import argparse
import tempfile
import warnings
from itertools import pairwise
from pathlib import Path

import galsim
import numpy as np
from astropy.wcs import WCS

from fpho.config import Bounds
from fpho.geometry import CircularRegion
from fpho.images import Exposure
from fpho.optimize import run_opt
from fpho.parameters import fill_rows, scene_dtype
from fpho.patch import CPUPatchMixin, DirectPatch, render
from fpho.psf import PSFStore, fit_mixture, write_store
from fpho.psf.accuracy import optical_image, optical_psfs
from fpho.psf.build import as_group
from fpho.psf.readers import read_fits
from fpho.psf.source import Source
from fpho.sersic import load_table

REFERENCE = (150.0, 2.0)
SCALE = 0.03  # arcsec per pixel of the images that are drawn
PHASES = ((0.0, 0.0), (0.5, 0.0), (0.25, 0.375), (0.5, 0.5), (0.125, -0.25))
GALAXIES = ((1.0, 0.7, 0.5), (2.5, 0.6, 1.0), (1.0, 0.5, 2.0))  # n, b/a, rhalf over the PSF's FWHM
FLUX = 1000.0


class Patcher(DirectPatch, CPUPatchMixin):
    """Patches of the images that are drawn here."""


def cases(folder):
    """(name, effective image) of the PSFs."""
    for path in sorted(Path(folder).glob("jwst_ceers/psf/psf_*.fits")) if folder else ():
        name = path.stem.removeprefix("psf_")
        yield name, read_fits(Source(name, path, oversample=1, pixel_response="included"))[0]
    for name, psf in optical_psfs():
        stamp = optical_image(psf)
        yield (
            name,
            fit_mixture(
                stamp / stamp.sum(), n_components=1, oversample=4, pixel_included=False, where=name
            ).image,
        )


def as_galsim(image):
    """The image between its samples, in pixels; the source where the image has it."""
    ny, nx = image.data.shape
    return galsim.InterpolatedImage(
        galsim.Image(np.ascontiguousarray(image.data)),
        scale=image.step,
        flux=image.total,
        x_interpolant=galsim.Lanczos(31),
        normalization="sb",
        offset=(image.center[0] - (nx - 1) / 2, image.center[1] - (ny - 1) / 2),
        gsparams=galsim.GSParams(folding_threshold=1e-4, maximum_fft_size=16384, kvalue_accuracy=1e-6),
    )


def exposure_of(data, noise):
    """One image in nJy, north up, its middle pixel at REFERENCE."""
    n = len(data)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = REFERENCE, [n // 2 + 1, n // 2 + 1]
    wcs.wcs.cdelt = [-SCALE / 3600, SCALE / 3600]
    ierr = np.full(data.shape, 1 / noise, "f4")
    return Exposure("im", "B", "exposure", data.astype("f4"), ierr, wcs, wcs.to_header())


def row_of(exposure, offset, n=1.0, axis_ratio=1.0, rhalf=0.1, point=False):
    """Scene row of a source at an offset (pixels) from the middle; rhalf in pixels."""
    rows = np.zeros(1, scene_dtype(("B",)))
    place = np.array(offset) + len(exposure.data) // 2
    rows["ra"], rows["dec"] = exposure.wcs.pixel_to_world_values(*place)
    rows["B"], rows["B_err"], rows["is_valid"], rows["is_point"] = FLUX, FLUX / 10, True, point
    rows["q"], rows["pa"], rows["sersic"], rows["rhalf"] = np.sqrt(axis_ratio), 0.5, n, rhalf * SCALE
    return rows


def quadrants_and_rings(difference, width):
    """Largest |sum| in the quadrants and in rings (edges at 1, 2, 4, ... FWHM) about the middle."""
    y, x = np.indices(difference.shape) - len(difference) // 2
    radius = np.hypot(x, y)
    edges = [0, *(width * 2.0 ** np.arange(8))]
    quadrants = [difference[(a * x > 0) & (b * y >= 0)].sum() for a in (-1, 1) for b in (-1, 1)]
    rings = [difference[(radius >= a) & (radius < b)].sum() for a, b in pairwise(edges)]
    return max(map(abs, quadrants)), max(map(abs, rings))


def point_errors(image, truth, store, plain, width):
    """(worst pixel over peak, quadrant and ring over flux) with the mixture alone, and with the remainder."""
    n = 2 * int(min(max(image.half_width, 8 * width), 160)) + 1
    out = np.zeros((2, 3))
    for phase in PHASES:
        drawn = truth.drawImage(nx=n, ny=n, scale=1, method="no_pixel", offset=phase, dtype=float).array
        exposure = exposure_of(FLUX * drawn, 1e-7 * FLUX)
        for i, psfs in enumerate((plain, store)):
            model = render(row_of(exposure, phase, point=True), exposure, psfs, load_table("default"), ("B",))
            difference = model / FLUX - drawn
            errors = [abs(difference).max() / drawn.max(), *quadrants_and_rings(difference, width)]
            out[i] = np.maximum(out[i], errors)
    return out


def draw(truth, image_store, plain, path):
    """Picture of a point source and a galaxy: GalSim, the mixture, mixture and remainder, the difference."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    figure = Figure(figsize=(17, 8.2), layout="constrained", dpi=50)
    FigureCanvasAgg(figure)
    offset, table = (0.3, -0.2), load_table("default")
    galaxy = {"n": 1.5, "axis_ratio": 0.5, "rhalf": 3.0}
    for panels, options in zip(figure.subplots(2, 4), ({"point": True}, galaxy), strict=True):
        light = galsim.DeltaFunction() if "point" in options else sersic(**galaxy)
        drawn = galsim.Convolve(light, truth).drawImage(
            nx=121, ny=121, scale=1, method="no_pixel", offset=offset, dtype=float
        )
        exposure = exposure_of(FLUX * drawn.array, 1e-7 * FLUX)
        row, peak = row_of(exposure, offset, **options), exposure.data.max()
        images = [exposure.data, *(render(row, exposure, one, table, ("B",)) for one in (plain, image_store))]
        titles = ("GalSim through the PSF image", "mixture", "mixture and remainder")
        for panel, image, title in zip(panels, images, titles, strict=False):
            panel.imshow(
                image.clip(1e-5 * peak), norm=LogNorm(1e-5 * peak, peak), origin="lower", cmap="magma"
            )
            panel.set_title(title)
        difference = 100 * (images[2] - images[0]) / peak
        shown = panels[3].imshow(difference, origin="lower", cmap="RdBu_r", vmin=-0.1, vmax=0.1)
        panels[3].set_title("difference, % of the peak")
        figure.colorbar(shown, ax=panels[3], shrink=0.7)
    figure.savefig(path)


def sersic(n, axis_ratio, rhalf):
    """GalSim's galaxy of `row_of`, in pixels; x is to the west."""
    angle = (180 - np.degrees(0.5)) * galsim.degrees
    return galsim.Sersic(n=n, half_light_radius=rhalf).shear(q=axis_ratio, beta=angle)


def galaxy_errors(truth, store, plain, width, n, axis_ratio, size):
    """((flux, size) relative errors of the mixture alone, of one more fit with the remainder)."""
    rhalf, offset = size * width, (0.2, -0.35)
    side = 2 * int(8 * width + 6 * rhalf) + 1
    galaxy = sersic(n, axis_ratio, rhalf)
    drawn = (
        galsim.Convolve(
            galaxy, truth, gsparams=galsim.GSParams(maximum_fft_size=16384, folding_threshold=1e-3)
        )
        .drawImage(nx=side, ny=side, scale=1, method="no_pixel", offset=offset, dtype=float)
        .array
    )
    noise = FLUX * np.sqrt(np.sum(drawn**2)) / 1000
    exposure = exposure_of(FLUX * drawn, noise)
    rows = true = row_of(exposure, offset, n, axis_ratio, rhalf)
    out = []
    for psfs in (plain, store):
        patcher = Patcher([exposure], psfs)
        patcher.build_patch(CircularRegion(*REFERENCE, side * SCALE), None, allbands=("B",))
        model, q = patcher.prepare_model(active=rows, bounds=patcher.make_bounds(rows, Bounds()))
        optimum, _ = run_opt(model, q)
        rows = fill_rows(rows, optimum.q, ("B",), patcher.patch_reference_coordinates)
        out.append([rows["B"][0] / FLUX - 1, rows["rhalf"][0] / true["rhalf"][0] - 1])
    return np.array(out)


def measure(name, image, folder, max_components=None, plots=None):
    """A row of the table: numbers as in HEADING; a picture in the folder `plots`."""
    fit = fit_mixture(image, **({"max_components": max_components} if max_components else {}))
    stores = []
    for remainder in (True, False):
        path = Path(folder) / f"{name.replace(' ', '_')}_{remainder}.h5"
        write_store(path, {"B": as_group([fit], remainder)})
        stores.append(PSFStore(path))
    truth, width = as_galsim(image), fit.quality["fwhm"]
    if plots:
        draw(truth, *stores, Path(plots) / f"psf_remainder_{name.replace(' ', '_')}.png")
    points = point_errors(image, truth, *stores, width)
    galaxies = np.array([galaxy_errors(truth, *stores, width, *galaxy) for galaxy in GALAXIES])
    worst = np.take_along_axis(galaxies, abs(galaxies).argmax(axis=0)[None], axis=0)[0]
    return {"J": len(fit.mixture), "fwhm": width, "points": points, "galaxies": worst}


HEADING = (
    f"{'':<14}{'':>6}{'':>4} | {'mixture alone':^44} | {'with the remainder':^44}\n"
    f"{'PSF':<14}{'FWHM':>6}{'J':>4}"
    + 2
    * f" | {'pixel':>8} {'quadrant':>8} {'ring':>8} {'flux':>8} {'size':>8}"
)


def line(name, row):
    """Text of a row, per cent."""
    parts = []
    for point, galaxy in zip(row["points"], row["galaxies"], strict=True):
        cells = [f"{100 * value:7.3f}%" for value in point] + [f"{100 * value:+7.3f}%" for value in galaxy]
        parts.append(" ".join(cells))
    return f"{name:<14}{row['fwhm']:6.2f}{row['J']:4d} | " + " | ".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder with jwst_ceers/psf")
    parser.add_argument("--only", help="names, comma separated")
    parser.add_argument("--max-components", type=int)
    parser.add_argument("--plots", help="folder for a picture of each (PNG)")
    options = parser.parse_args()
    print(HEADING)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for name, image in cases(options.data):
            if not options.only or name in options.only.split(","):
                row = measure(name, image, folder, options.max_components, options.plots)
                print(line(name, row), flush=True)


if __name__ == "__main__":
    main()
