"""Marks on images, placed through the WCS: half-light ellipses, names, compass and scale bar."""

import numpy as np

from ...geometry import linearize
from .style import MARK

POINT_RADIUS = 3.0  # pixels, of the circle around a point source
BARS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)  # arcsec
MOST_NAMES = 150  # sources on one image that are named; more names would hide it
MOST_OUTLINES = 3000  # beyond, sources are dots
NAME_SIZE = 7.5  # points


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


def mark_sources(axes, rows, wcs, shape, labels=True, colour=MARK, inches: float = 3.0) -> None:
    """Outline the sources that lie on an image of `shape`, and write their source index beside them.

    inches : width of the axes, by which names are kept apart
    """
    ny, nx = shape
    x, y = map(np.asarray, wcs.world_to_pixel_values(rows["ra"], rows["dec"]))
    inside = (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)
    still = {"scalex": False, "scaley": False}
    if inside.sum() > MOST_OUTLINES:
        axes.plot(x[inside], y[inside], ",", color=colour, **still)
        return
    lines = [outline(row, wcs) for row in rows[inside]]
    for row, line in zip(rows[inside], lines, strict=True):
        axes.plot(*line.T, color=colour, lw=0.8, ls=":" if row["is_point"] else "-", **still)
    if labels and len(lines) <= MOST_NAMES:
        names = [str(index) for index in rows["source_index"][inside]]
        for name, place in zip(names, free_places(lines, names, shape, inches), strict=True):
            axes.text(*place, name, color=colour, fontsize=NAME_SIZE, ha="center", va="center", clip_on=True)
    axes.set(xlim=(-0.5, nx - 0.5), ylim=(-0.5, ny - 0.5))


def free_places(lines, names, shape, inches: float) -> np.ndarray:
    """Centres (N, 2) of names beside outlines, where they hide least of other names, sources and the edge."""
    ny, nx = shape
    point = nx / (72 * inches)  # pixels
    half = np.array([[0.32 * len(name), 0.5] for name in names]).reshape(-1, 2) * NAME_SIZE * point
    low = np.array([line.min(axis=0) for line in lines]).reshape(-1, 2)
    high = np.array([line.max(axis=0) for line in lines]).reshape(-1, 2)
    taken = [(low, high)]
    out = np.zeros_like(half)
    sides = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1], [0, 1], [0, -1], [1, 0], [-1, 0]])
    for i, size in enumerate(half):
        # along a diagonal the name stands at the ellipse, not at the corner of its box
        reach = (0.5 * (high[i] - low[i])) * np.where(np.abs(sides).sum(1) == 2, 0.8, 1.0)[:, None]
        centres = 0.5 * (low[i] + high[i]) + sides * (reach + size + 2.5 * point)
        edge = np.minimum(centres - size, np.array([nx, ny]) - 1 - centres - size)
        cost = -np.minimum(edge, 0).sum(axis=1) * size.sum() * 4
        for bottom, top in taken:
            common = np.minimum(centres[:, None] + size, top) - np.maximum(centres[:, None] - size, bottom)
            cost = cost + np.prod(np.maximum(common, 0), axis=-1).sum(axis=1)
        out[i] = centres[np.argmin(cost)]
        taken.append(((out[i] - size)[None], (out[i] + size)[None]))
    return out


def seam(colour: str) -> list:
    """Path effects that keep a mark readable on whatever lies below it."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.2, foreground=colour, alpha=0.8)]


def compass_and_scale(axes, wcs, shape, colour="black") -> None:
    """North and east arrows in the lower right corner, and a bar of a round length in the lower left."""
    effects = seam("white" if colour == "black" else "black")
    ny, nx = shape
    ra, dec = wcs.pixel_to_world_values((nx - 1) / 2, (ny - 1) / 2)
    _, scale = linearize(wcs, np.array([float(ra)]), np.array([float(dec)]))
    size = min(nx, ny)
    corner = np.array([nx - 0.16 * size, 0.16 * size])
    for name, vector in zip("EN", scale[0].T, strict=True):
        tip = corner + 0.09 * size * vector / np.hypot(*vector)
        arrow = {"arrowstyle": "-|>", "color": colour, "lw": 0.8, "shrinkA": 0, "shrinkB": 0}
        arrow |= {"mutation_scale": 7, "path_effects": effects}
        axes.annotate("", tip, corner, arrowprops=arrow)
        place = corner + 1.4 * (tip - corner)
        axes.text(*place, name, color=colour, fontsize=7, ha="center", va="center", path_effects=effects)
    per_arcsec = np.sqrt(abs(np.linalg.det(scale[0])))
    bar = max([b for b in BARS if b * per_arcsec < 0.3 * nx], default=BARS[0])
    x0, x1, y0 = 0.05 * size, 0.05 * size + bar * per_arcsec, 0.05 * size
    axes.plot([x0, x1], [y0, y0], color=colour, lw=1.5, solid_capstyle="butt", path_effects=effects)
    label = f'{bar:g}"' if bar < 60 else f"{bar / 60:g}'"
    place = (x0 + x1) / 2, y0 + 0.015 * size
    axes.text(*place, label, color=colour, fontsize=7, ha="center", va="bottom", path_effects=effects)
