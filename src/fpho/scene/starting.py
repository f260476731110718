"""What a fit can hardly start from, in words: values outside of the bounds, too small circles."""

import numpy as np

from ..config import Bounds
from ..parameters import axis_ratio

FEW = 5  # sources that a message names
LIGHT = 1.5  # half-light radii that a radius of influence should hold


def starting_problems(rows, options: Bounds) -> list[str]:
    """Sentences on valid galaxies of scene rows (S,) whose values lie outside of the bounds, or whose roi
    is smaller than LIGHT half-light radii; none where all is well. NaN is not known and passes."""
    galaxies = rows[rows["is_valid"] & ~rows["is_point"]]
    ranges = {
        "q": options.sqrtq_range,
        "pa": options.pa_range,
        "sersic": options.sersic_range,
        "rhalf": options.rhalf_range,
    }
    found = []
    for name, (low, high) in ranges.items():
        outside = (galaxies[name] < low) | (galaxies[name] > high)
        if np.any(outside) and name not in options.held:
            option = "sqrtq_range" if name == "q" else f"{name}_range"
            text = f"start outside of bounds.{option} = ({low:g}, {high:g}) and are brought inside"
            found.append(f"{_listed(galaxies[outside], name)} {text}")
    small = galaxies["roi"] < LIGHT * galaxies["rhalf"]
    if np.any(small):
        text = f"have a roi below {LIGHT} half-light radii: much of their light lies outside of their pixels"
        found.append(f"{_listed(galaxies[small], 'roi')} {text}")
    return found


def _listed(rows, name: str) -> str:
    said = [f"{row['id']} ({_value(row, name)})" for row in rows[:FEW]]
    more = f" and {len(rows) - FEW} others" if len(rows) > FEW else ""
    return f"{len(rows)} of the sources, {', '.join(said)}{more},"


def _value(row, name: str) -> str:
    if name == "q":
        return f"q = {row['q']:.3g}, b/a = {axis_ratio(row['q']):.3g}"
    return f"{name} = {row[name]:.4g}"
