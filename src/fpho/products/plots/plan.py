"""The plan of a pass on the sky: circles of patches by predicted time, and which job does them."""

import numpy as np

from ...parameters import wrap_degrees
from .style import MUTED, figure


def plot_plan(path, rows, patches, title: str) -> None:
    """Two maps: patches by predicted seconds, and the same by step and batch.

    rows : scene rows (S,); patches : `PatchPlan`, those of first rounds are drawn
    """
    first = [patch for patch in patches if patch.previous < 0]
    ra0 = first[0].region.ra if first else 0.0
    ra0 += np.median(wrap_degrees(np.array([patch.region.ra for patch in first]) - ra0)) if first else 0.0
    dec0 = np.median([patch.region.dec for patch in first]) if first else 0.0
    seconds = np.array([patch.seconds for patch in first])
    jobs = {job: i for i, job in enumerate(sorted({(patch.step, patch.batch) for patch in first}))}
    number = np.array([jobs[patch.step, patch.batch] for patch in first])

    def place(ra, dec):
        return -wrap_degrees(np.asarray(ra) - ra0) * np.cos(np.radians(dec0)) * 60, (
            np.asarray(dec) - dec0
        ) * 60

    with figure(path, 10, 5) as fig:
        from matplotlib.collections import EllipseCollection
        from matplotlib.colors import LogNorm, Normalize

        x, y = place([patch.region.ra for patch in first], [patch.region.dec for patch in first])
        size = np.array([2 * patch.region.radius / 60 for patch in first])
        maps = (
            ("predicted time of one core [s]", seconds, "viridis", LogNorm),
            (f"{len(jobs)} jobs in {len({step for step, _ in jobs})} steps", number, "prism", Normalize),
        )
        for axes, (label, values, colours, norm) in zip(fig.subplots(1, 2), maps, strict=True):
            circles = EllipseCollection(
                size, size, np.zeros(len(first)), units="xy", offsets=np.stack([x, y], axis=-1),
                offset_transform=axes.transData, array=values, cmap=colours, norm=norm(), alpha=0.5,
            )  # fmt: skip
            axes.add_collection(circles)
            axes.plot(*place(rows["ra"], rows["dec"]), ".", color=MUTED, markersize=1.5)
            axes.set(aspect="equal", xlabel="west [arcmin]", ylabel="north [arcmin]", title=title)
            if len(first) and colours == "viridis":
                fig.colorbar(circles, ax=axes, label=label, shrink=0.7, format=lambda value, _: f"{value:g}")
            else:
                axes.set_title(f"{title}; {label}")
