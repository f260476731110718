"""DS9 region files: sources as half-light ellipses, patches as circles."""

from pathlib import Path

import numpy as np

from ..files import write_text
from ..flags import describe
from ..layout import Layout
from ..parameters import position_angle
from .collecting import Results, collect

HEADER = "# Region file format: DS9\nglobal color={colour} width=1 font='helvetica 9 normal'\nicrs\n"


def write_sourcereg(root, path=None) -> Path:
    """Half-light ellipses of the sources (point sources: crosses), named by source index and id.

    root : folder of a run, `Results`, or scene rows (structured). path : the file; `sources.reg` in the
    run's folder of regions when absent. DS9 counts an ellipse's angle anti-clockwise from the direction
    of west, so it is the position angle + 90 degrees.
    """
    rows = root if isinstance(root, np.ndarray) else _results(root).rows
    lines = [_ellipse(row) for row in rows]
    return _save(_target(root, path, "sources.reg"), HEADER.format(colour="green") + "\n".join(lines) + "\n")


def write_patchreg(root, path=None) -> Path:
    """Circles of the patches, named by number and count of active sources."""
    lines = []
    for patch in _results(root).patches:
        where = f"{patch.region.ra:.7f},{patch.region.dec:.7f}"
        text = f"patch {patch.number}: {len(patch.active)}"
        lines.append(f'circle({where},{patch.region.radius:.3f}") # text={{{text}}}')
    return _save(_target(root, path, "patches.reg"), HEADER.format(colour="cyan") + "\n".join(lines) + "\n")


def _ellipse(row) -> str:
    where = f"{row['ra']:.8f},{row['dec']:.8f}"
    name = " ".join(
        str(part) for part in (row["source_index"], row["id"], *describe(int(row["flags"]))) if str(part)
    )
    colour = " color=red" if row["flags"] else ""
    if row["is_point"]:
        return f"point({where}) # point=cross{colour} text={{{name}}}"
    major, minor = row["rhalf"] / row["q"], row["rhalf"] * row["q"]
    angle = float(position_angle(row["pa"])) + 90.0
    return f'ellipse({where},{major:.4f}",{minor:.4f}",{angle:.2f}) #{colour} text={{{name}}}'


def _results(root) -> Results:
    return root if isinstance(root, Results) else collect(root)


def _target(root, path, name: str) -> Path:
    if path is not None:
        return Path(path)
    if isinstance(root, Results | np.ndarray):
        raise ValueError("path is needed where root is no folder")
    return Layout(Path(root)).regions / name


def _save(path: Path, text: str) -> Path:
    write_text(path, text)
    return path
