"""The picture of a PSF from stars."""

import numpy as np

from ..psf.empirical import OVERSAMPLE


def draw(found, band: str, path) -> None:
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
