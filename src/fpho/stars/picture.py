"""The picture of a PSF from stars."""

import numpy as np

FLOOR = 1e-4  # of the peak, below which the grey scale is linear
RINGS = 24


def draw(found, band: str, path) -> None:
    """The PSF, and means over rings of the pixels of all stars against its own."""
    from matplotlib.colors import AsinhNorm
    from matplotlib.figure import Figure

    image, half = found.made.image(), found.made.half
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    peak = image.data.max()
    shown = left.imshow(
        image.data,
        origin="lower",
        extent=(-half, half, -half, half),
        cmap="viridis",
        norm=AsinhNorm(FLOOR * peak, 0, peak),
    )
    figure.colorbar(shown, ax=left, label="light per square pixel", pad=0.02)
    left.set(xlabel="x (pixels)", ylabel="y (pixels)", title=f"{band}: {found.stars} stars")
    radius, mean, error, model = ring_means(found)
    right.plot(radius, model, color="tab:blue", label="PSF")
    right.errorbar(radius, mean, error, fmt=".", color="black", label="pixels of the stars")
    low = max(1e-6 * peak, 0.3 * np.min(model[model > 0]))
    right.set(yscale="log", ylim=(low, 2 * peak), xlabel="radius (pixels)")
    right.set(ylabel="light per square pixel", title="means over rings")
    right.legend()
    figure.savefig(path, format="png", dpi=110)


def ring_means(found) -> np.ndarray:
    """(4, R): radius, mean of the stars' pixels over their fluxes, its error, and mean of the PSF there."""
    made, stamps = found.made, found.stamps
    u, v = stamps.x - made.place[:, :1], stamps.y - made.place[:, 1:]
    radius, flux = np.hypot(u, v), made.flux[:, None]
    used = (stamps.ierr > 0) & made.square.inside(u, v) & (radius < made.half)
    weight = (flux * stamps.ierr)[used] ** 2
    edges = made.half * np.linspace(0, 1, RINGS + 1) ** 1.5
    ring = np.searchsorted(edges, radius[used], side="right") - 1
    whole = np.maximum(np.bincount(ring, weight, RINGS), 1e-300)

    def mean(values):
        return np.bincount(ring, weight * values, RINGS) / whole

    there = np.stack(
        [mean(radius[used]), mean((stamps.data / flux)[used]), whole**-0.5, mean(made.values(u, v)[used])]
    )
    return there[:, np.bincount(ring, minlength=RINGS) > 0]
