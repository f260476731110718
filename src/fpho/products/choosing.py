"""Which sources get plots of their own, and figures of merit of sources and images."""

import numpy as np

from ..geometry import linearize
from .collecting import Results
from .picture import Picture

CHI2_RADIUS = 2.0  # half-light radii, within which a source's residuals are judged
CHI2_PIXELS = 3.0  # and not less than that, pixels


def chosen_sources(results: Results, most: int) -> list:
    """At most `most` sources: flagged ones first, then by S/N of their best band; in order of index."""

    def rank(source):
        snr = max(abs(np.mean(source.draws[b])) / max(np.std(source.draws[b]), 1e-30) for b in results.bands)
        return (not source.row["flags"], -snr)

    chosen = sorted(results.sources, key=rank)[:most]
    return sorted(chosen, key=lambda source: source.row["source_index"])


def image_chi2(picture: Picture) -> float:
    """Mean squared residual in sigma^2 over the good pixels of an image."""
    return float(np.nanmean(picture.pull**2)) if picture.good.any() else np.nan


class SourceChi2:
    """Mean squared residual (sigma^2) near each source, over all images that are added."""

    def __init__(self, rows):
        self.rows = rows
        self.sums, self.counts = np.zeros(len(rows)), np.zeros(len(rows))

    def add(self, picture: Picture) -> None:
        """Count an image's good pixels within 2 half-light radii (at least 3 pixels) of each source."""
        xy, scale = linearize(picture.wcs, self.rows["ra"], self.rows["dec"])
        per_arcsec = np.sqrt(np.abs(np.linalg.det(scale)))
        radius = np.maximum(CHI2_RADIUS * self.rows["rhalf"] * per_arcsec, CHI2_PIXELS)
        ny, nx = picture.data.shape
        for i, ((x, y), r) in enumerate(zip(xy, radius, strict=True)):
            if not (np.isfinite(x + y + r) and -r < x < nx + r and -r < y < ny + r):
                continue
            part = picture.cut((x, y), r)
            squares = part.pull**2
            sy, sx = np.indices(squares.shape)
            x0, y0 = max(int(np.floor(x - r)), 0), max(int(np.floor(y - r)), 0)
            near = np.isfinite(squares) & (np.hypot(sx + x0 - x, sy + y0 - y) <= r)
            self.sums[i] += squares[near].sum()
            self.counts[i] += near.sum()

    @property
    def values(self) -> dict[int, float]:
        """Reduced chi-square by source index; only sources with pixels."""
        return {
            int(index): float(total / count)
            for index, total, count in zip(self.rows["source_index"], self.sums, self.counts, strict=True)
            if count
        }
