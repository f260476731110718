"""Marks on images, placed through the WCS: half-light ellipses, names, compass and scale bar."""

import numpy as np

from ...geometry import linearize
from .style import MARK

POINT_RADIUS = 3.0  # pixels, of the circle around a point source
BARS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)  # arcsec


def outline(row, wcs, points: int = 60) -> np.ndarray:
    """Half-light ellipse of a source, (points, 2) in pixels; a small circle for a point source."""
    xy, scale = linearize(wcs, np.array([row["ra"]]), np.array([row["dec"]]))
    turn = np.linspace(0, 2 * np.pi, points)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    if row["is_point"]:
        return xy[0] + POINT_RADIUS * circle.T
    c, s = np.cos(row["pa"]), np.sin(row["pa"])
    axes = np.array([[1 / row["q"]], [row["q"]]]) * row["rhalf"]
    sky = np.array([[c, -s], [s, c]]) @ (axes * circle)
    return xy[0] + (scale[0] @ sky).T


def mark_sources(axes, rows, wcs, shape, labels=True, colour=MARK) -> None:
    """Outline the sources that lie on an image of `shape` and write their source index beside them."""
    ny, nx = shape
    for row in rows:
        line = outline(row, wcs)
        x, y = line.mean(axis=0)
        if not (-0.5 < x < nx - 0.5 and -0.5 < y < ny - 0.5):
            continue
        axes.plot(
            *line.T, color=colour, lw=0.8, ls=":" if row["is_point"] else "-", scalex=False, scaley=False
        )
        if labels:
            right, top = line.max(axis=0)
            axes.annotate(
                str(row["source_index"]),
                (min(right, nx - 1), min(top, ny - 1)),
                xytext=(1, 0),
                textcoords="offset points",
                color=colour,
                fontsize=6.5,
                clip_on=True,
            )
    axes.set(xlim=(-0.5, nx - 0.5), ylim=(-0.5, ny - 0.5))


def compass_and_scale(axes, wcs, shape, colour="black") -> None:
    """North and east arrows in the lower right corner, and a bar of a round length in the lower left.

    A seam of the background's colour keeps them readable on bright sources.
    """
    from matplotlib.patheffects import withStroke

    seam = [withStroke(linewidth=2.2, foreground="white" if colour == "black" else "black", alpha=0.8)]
    ny, nx = shape
    ra, dec = wcs.pixel_to_world_values((nx - 1) / 2, (ny - 1) / 2)
    _, scale = linearize(wcs, np.array([float(ra)]), np.array([float(dec)]))
    length = 0.09 * nx
    corner = np.array([0.86 * nx, 0.14 * ny])
    for name, vector in zip("EN", scale[0].T, strict=True):
        tip = corner + length * vector / np.hypot(*vector)
        arrow = {
            "arrowstyle": "-|>",
            "color": colour,
            "lw": 0.8,
            "shrinkA": 0,
            "shrinkB": 0,
            "mutation_scale": 7,
            "path_effects": seam,
        }
        axes.annotate("", tip, corner, arrowprops=arrow)
        place = corner + 1.35 * (tip - corner)
        axes.text(*place, name, color=colour, fontsize=7, ha="center", va="center", path_effects=seam)
    per_arcsec = np.sqrt(abs(np.linalg.det(scale[0])))
    bar = max([b for b in BARS if b * per_arcsec < 0.3 * nx], default=BARS[0])
    x0, y0 = 0.05 * nx, 0.05 * ny
    axes.plot(
        [x0, x0 + bar * per_arcsec], [y0, y0], color=colour, lw=1.5, solid_capstyle="butt", path_effects=seam
    )
    label = f'{bar:g}"' if bar < 60 else f"{bar / 60:g}'"
    place = x0 + bar * per_arcsec / 2, y0 + 0.015 * ny
    axes.text(*place, label, color=colour, fontsize=7, ha="center", va="bottom", path_effects=seam)
