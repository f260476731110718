"""The errors of the Sersic table against GalSim: `python -m fpho.sersic.accuracy [--plot FILE]`.

Galaxies drawn by GalSim (untruncated, convolved with a Gaussian PSF, values at pixel centres) are
compared with the mixture on the same pixels. Beyond the drawn stamp, and for the total, the flux within
a radius comes from `galsim.Sersic.calculateIntegratedFlux`, where the PSF no longer matters.
"""

import argparse
import sys

import numpy as np

from . import load_table
from .profile import curve_of_growth

LIMITS = {"total": 0.002, "r50": 0.005, "aperture": 0.003, "pixel": 0.005}
N_GRID = (
    0.3,
    0.33,
    0.36,
    0.4,
    0.43,
    0.47,
    0.5,
    0.55,
    0.6,
    0.7,
    0.8,
    1.0,
    1.5,
    2.0,
    3.0,
    4.0,
    5.0,
    5.5,
    6.0,
    6.2,
)  # GalSim ends at 0.3 and 6.2
RHALF_GRID = (0.3, 0.6, 1.0, 2.0, 5.0, 10.0, 30.0)  # pixels
SIGMA_GRID = (0.8, 1.5, 3.0)  # pixels
LARGEST_FFT = 4096  # on a side; wings beyond it fold back, spread over millions of pixels
TOTAL_RADIUS = 1e4  # half-light radii: the flux of n = 6 is complete there to 1e-5


def compare(table, n, rhalf, sigma) -> dict:
    """Largest errors (see LIMITS) for one galaxy; rhalf and PSF sigma in pixels."""
    import galsim

    profile, count = table.evaluate([n], [rhalf], [False])
    weight, variance = profile[0, : count[0], :2].T
    truth, radius = _draw(galsim, n, rhalf, sigma)
    model = _mixture(weight, variance + sigma**2, radius)
    order = np.argsort(radius, axis=None)
    near = radius.ravel()[order] <= radius.shape[0] / 2
    growth = np.cumsum((model - truth).ravel()[order])[near]
    profile_exact = galsim.Sersic(n=n, half_light_radius=1.0)
    far = np.geomspace(0.05, 300, 60)
    exact = np.array([profile_exact.calculateIntegratedFlux(r) for r in far])
    wings = -np.expm1(-((far[:, None] * rhalf) ** 2) / (2 * variance)) @ weight - exact
    whole = profile_exact.calculateIntegratedFlux(TOTAL_RADIUS)
    aperture = max(np.abs(growth).max(), np.abs(wings).max())
    return {
        "total": abs(-np.expm1(-((TOTAL_RADIUS * rhalf) ** 2) / (2 * variance)) @ weight - whole),
        "r50": _half_light(radius.ravel()[order][near], growth, weight, variance + sigma**2),
        "aperture": aperture,
        "pixel": np.abs(model - truth).max() / truth.max(),
    }


def _draw(galsim, n, rhalf, sigma):
    """GalSim's image, and the radius of its pixels from the centre."""
    reach = min(10 * rhalf + 8 * sigma, 150)
    size = 2 * int(reach) + 1
    psf = galsim.Gaussian(sigma=sigma)
    widest = np.pi * LARGEST_FFT / (2 * max(psf.maxk * 1.3, np.pi))
    parameters = galsim.GSParams(
        folding_threshold=max(1e-3, 1.05 * (1 - float(curve_of_growth(widest / rhalf, n)))),
        maxk_threshold=1e-6,
        kvalue_accuracy=1e-6,
        maximum_fft_size=2 * LARGEST_FFT,
    )
    galaxy = galsim.Sersic(n=n, half_light_radius=rhalf, gsparams=parameters)
    galaxy = galsim.Convolve(galaxy, psf.withGSParams(parameters))
    image = galaxy.drawImage(nx=size, ny=size, scale=1.0, method="no_pixel", dtype=float).array
    return image, np.hypot(*(np.indices(image.shape) - size // 2))


def _mixture(weight, variance, radius):
    gauss = np.exp(-(radius[..., None] ** 2) / (2 * variance)) / (2 * np.pi * variance)
    return gauss @ weight


def _half_light(radius, growth, weight, variance):
    """Relative error of the half-light radius of the drawn profile, from the growth's error there."""
    from scipy.optimize import brentq

    def inside(r):
        return -np.expm1(-(r**2) / (2 * variance)) @ weight

    half = brentq(lambda r: inside(r) - 0.5, 1e-3, 1e4)
    slope = (weight * half**2 / variance) @ np.exp(-(half**2) / (2 * variance))
    return abs(np.interp(half, radius, growth)) / slope


def errors(table, ns=N_GRID, rhalfs=RHALF_GRID, sigmas=SIGMA_GRID) -> list[dict]:
    """One row per n: the largest errors over all sizes and PSFs."""
    rows = []
    for n in ns:
        each = [compare(table, n, rhalf, sigma) for rhalf in rhalfs for sigma in sigmas]
        rows.append({"n": n} | {name: max(one[name] for one in each) for name in LIMITS})
    return rows


def report(rows) -> str:
    """The table as text, with its worst row and the limits."""
    worst = {"n": "worst"} | {name: max(row[name] for row in rows) for name in LIMITS}
    lines = ["    n      total flux   half-light radius   any aperture   pixel / peak"]
    lines += [_line(row) for row in (*rows, worst, {"n": "limit"} | LIMITS)]
    return "\n".join(lines)


def _line(row):
    n = row["n"] if isinstance(row["n"], str) else f"{row['n']:.2f}"
    return (
        f"{n:>5}  {100 * row['total']:12.4f}% {100 * row['r50']:17.3f}% "
        f"{100 * row['aperture']:13.3f}% {100 * row['pixel']:13.3f}%"
    )


def plot(path, rows) -> None:
    """Errors over their limits against n (PNG)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4), layout="constrained", dpi=100)
    FigureCanvasAgg(figure)
    panel = figure.subplots()
    labels = {"r50": "half-light radius", "aperture": "flux in any aperture", "pixel": "pixel / peak"}
    for (name, label), color in zip(labels.items(), ("tab:blue", "tab:orange", "tab:green"), strict=True):
        n, values = [row["n"] for row in rows], [100 * row[name] for row in rows]
        panel.plot(n, values, "o-", ms=4, color=color, label=f"{label} (limit {100 * LIMITS[name]:g}%)")
        panel.axhline(100 * LIMITS[name], color=color, ls=":", lw=1)
    panel.set(xlabel="Sersic index n", ylabel="largest error against GalSim (%)", ylim=(0, 0.55))
    panel.legend(fontsize=9, frameon=False, loc="upper left", bbox_to_anchor=(0, 0.9))
    figure.savefig(path)


def main(arguments=None) -> int:
    """Print the table; exit status 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description="Errors of the Sersic mixtures against GalSim")
    parser.add_argument("--table", default="default", help="Sersic table (HDF5)")
    parser.add_argument("--plot", help="draw them (PNG)")
    options = parser.parse_args(arguments)
    rows = errors(load_table(options.table))
    print(report(rows))
    if options.plot:
        plot(options.plot, rows)
    return int(any(row[name] > limit for row in rows for name, limit in LIMITS.items()))


if __name__ == "__main__":
    sys.exit(main())
