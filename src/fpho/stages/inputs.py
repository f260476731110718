"""Where a run's inputs are: the configuration's files, or those that `simulate` drew."""

from dataclasses import dataclass
from pathlib import Path

from ..config import Config
from ..errors import InputError
from ..layout import Layout


@dataclass(frozen=True)
class Inputs:
    """Paths of the table of exposures, the PSFs (table or store) and the peak catalog (None: detect it)."""

    images: Path
    psfs: Path
    catalog: Path | None


def resolve(config: Config, layout: Layout) -> Inputs:
    """Input paths of a run; they need not exist yet.

    Raises
    ------
    InputError
        If the configuration leaves one of them out.
    """
    if config.simulate.scene != "none":
        return simulated(layout)
    _require(config.images, "images", "Give the path of a table of exposures (TSV)")
    _require(config.psfs, "psfs", "Give the path of a table of PSF images (TSV) or of a PSF store (HDF5)")
    if not config.catalog.detect:
        _require(config.catalog.path, "catalog.path", "Give the peak catalog, or set catalog.detect: true")
    catalog = None if config.catalog.detect else Path(config.catalog.path)
    return Inputs(images=Path(config.images), psfs=Path(config.psfs), catalog=catalog)


def simulated(layout: Layout) -> Inputs:
    """Inputs that the `simulate` stage writes."""
    folder = layout.simulation
    return Inputs(folder / "exposures.tsv", folder / "psfs.tsv", folder / "catalog.fits")


def _require(value, name: str, cure: str) -> None:
    if not value:
        raise InputError("configuration", f"{name} is not given", cure)
