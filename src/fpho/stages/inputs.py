"""Where a run's inputs are: the configuration's files, or those that `simulate` drew."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..layout import Layout
from ..tables import cells

if TYPE_CHECKING:
    from ..config import Config


@dataclass(frozen=True)
class Inputs:
    """Paths of the table of exposures, the PSFs and the peak catalog.

    psfs : table or store; None: made from stars. catalog : None: detected
    """

    images: Path
    psfs: Path | None
    catalog: Path | None


def resolve(config: "Config", layout: Layout) -> Inputs:
    """Input paths of a run; they need not exist yet.

    Raises
    ------
    InputError
        If the configuration leaves one of them out.
    """
    check_outdir(layout.outdir)
    return Inputs(images_of(config, layout), psfs_of(config, layout), catalog_of(config, layout))


def check_outdir(folder: Path) -> None:
    """Stop if results cannot be written into a folder; nothing is left there.

    Raises
    ------
    InputError
        If it is a file, or the place where it is or would be takes no files.
    """
    place = Path(os.path.abspath(folder))
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise InputError("outdir", f"{place} is a file, not a folder", "Give the path of a folder")
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        found = f"{place} takes no files ({error.strerror})"
        raise InputError("outdir", found, "Give a folder that you may write into") from None


def images_of(config: "Config", layout: Layout) -> Path:
    """The table of exposures."""
    if simulated(config):
        return layout.simulation / "exposures.tsv"
    return _given(config.images, "images", "Give the path of a table of exposures (TSV)")


def from_stars(config: "Config") -> bool:
    """Whether PSFs are made from the stars of the images."""
    return getattr(config.psf, "from") == "stars"


def psfs_of(config: "Config", layout: Layout) -> Path | None:
    """The table of PSF images, or a PSF store; None where all are made from stars."""
    if from_stars(config):
        return None if config.psfs is None else Path(config.psfs)
    if simulated(config):
        return layout.simulation / "psfs.tsv"
    cure = "Give the path of a table of PSF images (TSV) or of a PSF store (HDF5)"
    return _given(config.psfs, "psfs", cure)


def catalog_of(config: "Config", layout: Layout) -> Path | None:
    """The peak catalog; None where it is made from the images."""
    if config.catalog.detect:
        return None
    if simulated(config) and not config.catalog.path:
        return layout.simulation / "catalog.fits"
    return _given(config.catalog.path, "catalog.path", "Give the peak catalog, or set catalog.detect: true")


def simulated(config: "Config") -> bool:
    """Whether the run's inputs are drawn by the stage `simulate`."""
    return config.simulate.scene != "none"


def image_groups(config: "Config", layout: Layout) -> int:
    """Jobs that share the images: as many as asked for, at most one for each image.

    Of images that `simulate` draws there is no table when the workflow is made: then as many as asked for.
    """
    most = config.workflow.image_groups
    if most == 1 or simulated(config):
        return most
    return min(most, len(_rows(images_of(config, layout), config.bands)) or most)


def _given(value, name: str, cure: str) -> Path:
    if not value:
        raise InputError("configuration", f"{name} is not given", cure)
    return Path(value)


def local_files(table: Path, rows: slice = slice(None), bands=()) -> list[Path]:
    """Existing files named in the `path` columns of a table of exposures or PSFs, and the table itself.

    bands : of rows of these alone, if any are given; rows : of these among them

    A light reading for the workflow, which must know what to watch before anything is checked; what is
    missing or malformed is for the `check` stage to report.
    """
    if not table.is_file():
        return []
    chosen = _rows(table, bands)[rows]
    names = [row[key] for row in chosen for key in row if key == "path" or key.endswith("_path")]
    paths = [table.parent / os.path.expandvars(name) for name in names if name]
    return [table, *sorted({path for path in paths if path.is_file()})]


def _rows(table: Path, bands=()) -> list[dict]:
    """Rows of a TSV table, of some bands if any are given; a store (HDF5) has none."""
    if table.suffix not in (".tsv", ".txt"):
        return []
    try:
        return [row for row in cells(table) if not bands or row.get("band") in bands]
    except InputError:
        return []
