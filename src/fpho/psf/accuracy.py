"""How well PSF mixtures do: `python -m fpho.psf.accuracy [--data FOLDER] [--plots FOLDER]`.

Real PSFs (the 8 DECam, 7 NIRCam and the stpsf-like one in FOLDER, where given) and GalSim's optical PSFs
with struts, undersampled to well sampled. Beside the figures of merit of `quality`, images of a
point source at sub-pixel phases and of galaxies of rhalf = 2 FWHM (n = 1 and 4) are drawn by GalSim
with the true PSF, and their fluxes measured with the mixtures (PSF and Sersic), shapes known.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np

from ..sersic import load_table
from .build import fit_mixture
from .image import PSFImage
from .mixture import evaluate, widen
from .quality import LIMITS
from .readers import READERS
from .source import Source

COLUMNS = ("PSF", "FWHM", "J", "energy", "point", "galaxy n=1", "galaxy n=4", "pixel/peak")
HEADING = f"{COLUMNS[0]:<20}" + "".join(f"{name:>12}" for name in COLUMNS[1:])
REAL = (
    ("decam_testcase3/*_psf.fits", "fits", "included"),
    ("jwst_ceers/psf/psf_*.fits", "fits", "included"),
    ("jwst_cal_f444w/psf.fits", "stpsf", None),
)


def real_psfs(folder):
    """(name, effective image) of the observed PSFs below `folder`."""
    for pattern, form, response in REAL:
        for path in sorted(Path(folder).glob(pattern)):
            name = (
                path.parent.name if path.stem == "psf" else path.stem.replace("_psf", "").replace("psf_", "")
            )
            yield name, READERS[form](Source(name, path, pixel_response=response))[0]


def optical_psfs():
    """(name, GalSim object in pixels): obscured, with struts, aberrated; FWHM 1.2 to 3.5 pixels."""
    import galsim

    cases = (
        ("optical 0.85", 0.85, {"obscuration": 0.2, "nstruts": 4, "astig1": 0.03, "coma1": 0.02}),
        ("optical 1.2", 1.2, {"obscuration": 0.33, "nstruts": 4, "defocus": 0.05}),
        ("optical 1.6", 1.6, {"obscuration": 0.3, "nstruts": 3, "coma1": 0.03, "defocus": 0.04}),
        ("optical 2.2", 2.2, {"obscuration": 0.2, "nstruts": 6, "trefoil1": 0.04}),
        ("optical 3.2", 3.2, {"obscuration": 0.2, "nstruts": 4, "astig2": 0.05}),
    )
    for name, ratio, options in cases:
        angle = 20 * galsim.degrees
        options |= {"strut_thick": 0.03, "strut_angle": angle, "oversampling": 4}
        psf = galsim.OpticalPSF(lam_over_diam=ratio, **options)
        yield name, psf


def optical_image(psf, oversample=4, half_width=30):
    """GalSim's oversampled image without the pixel, (n, n), n odd, as an optical model would be saved."""
    size = 2 * int(half_width * oversample / 2) + 1
    return psf.drawImage(nx=size, ny=size, scale=1 / oversample, method="no_pixel", dtype=float).array


def measure(image: PSFImage, fit) -> dict:
    """Figures of merit of a fit, with galaxies drawn by GalSim through the stamp itself."""
    q = fit.quality
    true = _as_galsim(image)
    galaxies = {f"galaxy n={n:g}": _galaxy_bias(true, fit, n) for n in (1.0, 4.0)}
    return {
        "FWHM": q["fwhm"],
        "J": len(fit.mixture),
        "energy": q["encircled_energy"],
        "point": q["point_flux"],
        "pixel/peak": q["pixel"],
    } | galaxies


def _as_galsim(image: PSFImage):
    """The effective PSF as a GalSim object, centred as the image is; pixels as units."""
    import galsim

    drawn = galsim.Image(np.ascontiguousarray(image.data), scale=image.step)
    middle = (np.array(image.data.shape[::-1]) - 1) / 2
    shift = (middle - image.center) * image.step
    psf = galsim.InterpolatedImage(
        drawn,
        x_interpolant="lanczos5",
        flux=image.total,
        normalization="sb",
        gsparams=galsim.GSParams(folding_threshold=1e-3),
    )
    return psf.shift(*shift)


def _galaxy_bias(true, fit, n):
    """Flux bias of a round galaxy of rhalf = 2 FWHM, drawn by GalSim, measured with both mixtures."""
    import galsim

    rhalf = 2 * fit.quality["fwhm"]
    size = 2 * int(8 * rhalf + fit.image.half_width) + 1
    parameters = galsim.GSParams(folding_threshold=2e-3, maximum_fft_size=8192)
    galaxy = galsim.Sersic(n=n, half_light_radius=rhalf, gsparams=parameters)
    drawn = galsim.Convolve(galaxy, true).drawImage(
        nx=size, ny=size, scale=1.0, method="no_pixel", dtype=float
    )
    y, x = np.indices((size, size)) - size // 2
    profile, count = load_table("default").evaluate([n], [rhalf], [False])
    model = sum(w * evaluate(widen(fit.mixture, v), x, y) for w, v in profile[0, : count[0], :2])
    return np.sum(model * drawn.array) / np.sum(model**2) - 1


def phase_errors(psf, fit, phases=4, total=1.0):
    """Worst pixel error over the image's peak, and worst point-source flux bias, at phases^2 positions.

    `psf` is the GalSim object without the pixel, in pixels; GalSim integrates over the pixels.
    """
    worst, bias = 0.0, 0.0
    size = 2 * int(min(fit.image.half_width, 12 * fit.quality["fwhm"])) + 1
    y, x = np.indices((size, size)) - size // 2
    for dx, dy in np.stack(np.meshgrid(*2 * [np.arange(phases) / phases]), axis=-1).reshape(-1, 2):
        truth = psf.drawImage(nx=size, ny=size, scale=1.0, offset=(dx, dy), dtype=float).array / total
        model = evaluate(fit.mixture, x - dx, y - dy)
        worst = max(worst, np.abs(truth - model).max() / truth.max())
        bias = max(bias, np.sum(truth * model) / np.sum(model**2) - 1, key=abs)
    return worst, bias


def rows(folder=None, optical=True, plots=None, show=lambda row: None) -> list[dict]:
    """Measured figures, a row per PSF; each is given to `show` when it is done."""
    out = []
    for name, image in real_psfs(folder) if folder else ():
        out.append(_row(name, image, plots))
        show(out[-1])
    for name, psf in optical_psfs() if optical else ():
        stamp = optical_image(psf)
        source = fit_mixture(stamp / stamp.sum(), oversample=4, pixel_included=False, where=name)
        row = _row(name, source.image, plots, source)
        row["pixel/peak"], row["point"] = phase_errors(psf, source, total=stamp.sum())
        out.append(row)
        show(row)
    return out


def _row(name, image, plots, fit=None):
    fit = fit or fit_mixture(image)
    if plots:
        from .plots import plot_psf

        plot_psf(Path(plots) / f"{name.replace(' ', '_')}.png", name, fit)
    return {"PSF": name} | measure(image, fit)


def misses(row) -> list[str]:
    """Names of the figures that miss their limits."""
    limits = {"energy": LIMITS["encircled_energy"], "point": LIMITS["point_flux"]}
    limits |= {name: LIMITS["galaxy_flux_2"] for name in ("galaxy n=1", "galaxy n=4")}
    return [name for name, limit in limits.items() if not abs(row[name]) < limit]


def line(row) -> str:
    """A row as text, per cent where they are fractions."""
    cells = [f"{row['FWHM']:12.2f}", f"{row['J']:12d}"]
    cells += [f"{100 * row[name]:+11.2f}%" for name in COLUMNS[3:]]
    missed = f"   misses {', '.join(misses(row))}" if misses(row) else ""
    return f"{row['PSF']:<20}{''.join(cells)}{missed}"


def main(arguments=None) -> int:
    """Print the table; exit status 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description="Figures of merit of PSF mixtures")
    parser.add_argument("--data", help="folder with the observed PSFs")
    parser.add_argument("--plots", help="folder for a picture of each (PNG)")
    options = parser.parse_args(arguments)
    print(HEADING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        table = rows(options.data, plots=options.plots, show=lambda row: print(line(row), flush=True))
    print(f"{'limit':<20}{'':>24}" + "".join(f"{value:11.2f}%" for value in (0.5, 0.5, 0.3, 0.3)))
    return int(any(misses(row) for row in table))


if __name__ == "__main__":
    sys.exit(main())
