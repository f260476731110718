"""Pictures of a PSF: the effective image, its mixture, what is left, and the encircled energy."""

from pathlib import Path

import numpy as np

from ..files import atomic
from .mixture import evaluate
from .quality import LIMITS, growth

INNER = 12.0  # half-width of the pictures, in units of the FWHM
TITLES = ("effective PSF", "mixture of {n}", "residual / peak")


def plot_psf(path, name: str, fit) -> Path:
    """Write one picture (PNG) of a `PSFFit`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.5, 3.9), layout="constrained", dpi=90)
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.25))
    image = fit.image
    model = evaluate(fit.mixture, *image.coordinates())
    _pictures(figure, panels[:3], fit, model)
    _encircled(panels[3], image, model)
    q = fit.quality
    verdict = "misses a limit" if q["poor"] else "within all limits"
    figure.suptitle(
        f"{name}   FWHM {q['fwhm']:.2f} pixel   quadrant {100 * q['quadrant']:.2f}%   bias of flux: point "
        f"{100 * q['point_flux']:+.2f}%, galaxy {100 * q['galaxy_flux_1']:+.2f}%   {verdict}",
        fontsize=11,
    )
    with atomic(path) as temporary:
        figure.savefig(temporary)
    return Path(path)


def _pictures(figure, panels, fit, model):
    from matplotlib.colors import LogNorm

    image, peak = fit.image, fit.image.data.max()
    reach = min(image.half_width, INNER * fit.quality["fwhm"])
    x, y = image.coordinates()
    half = image.step / 2
    extent = (x.min() - half, x.max() + half, y.min() - half, y.max() + half)
    residual = (image.data - model) / peak
    top = max(np.abs(residual).max(), 1e-4)
    logarithmic = {"norm": LogNorm(peak * 1e-5, peak), "cmap": "magma"}
    shown = [image.data.clip(peak * 1e-5), model.clip(peak * 1e-5), residual]
    styles = [logarithmic, logarithmic, {"vmin": -top, "vmax": top, "cmap": "RdBu_r"}]
    for panel, values, style, title in zip(panels, shown, styles, TITLES, strict=True):
        drawn = panel.imshow(values, origin="lower", extent=extent, interpolation="nearest", **style)
        panel.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="pixel")
        panel.set_title(title.format(n=len(fit.mixture)), fontsize=10)
        figure.colorbar(drawn, ax=panel, shrink=0.75)


def _encircled(panel, image, model):
    radius, inside = growth(image, image.data)
    _, mixture = growth(image, model)
    keep = (radius > 0) & (radius <= image.half_width)
    panel.semilogx(radius[keep], inside[keep], color="black", lw=2.5, label="image")
    panel.semilogx(radius[keep], mixture[keep], color="tab:orange", lw=1.2, label="mixture")
    panel.set(xlabel="radius (pixel)", ylabel="encircled energy", ylim=(0, 1.05))
    panel.set_xlim(max(0.5, image.step), image.half_width)
    panel.legend(loc="upper left", fontsize=8, frameon=False)
    below = panel.twinx()
    below.plot(radius[keep], 100 * (mixture - inside)[keep] / image.total, color="tab:blue", lw=1)
    limit = 100 * LIMITS["encircled_energy"]
    below.hlines([-limit, limit], 1, image.half_width, color="tab:blue", ls=":", lw=1)
    below.set_ylim(-3 * limit, 3 * limit)
    below.set_ylabel("difference (%)", color="tab:blue")
    below.tick_params(axis="y", colors="tab:blue")
