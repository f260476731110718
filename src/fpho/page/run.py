"""The page of a run's folder, made from its catalogs and images alone."""

from pathlib import Path

from ..errors import InputError
from ..files import verify
from ..fitstext import unescaped_table
from ..layout import Layout
from ..products.images import image_files, read_frame, read_picture
from ..products.planned import planned
from ..products.tables import read_fits_table
from .build import Content, build_page


def page_of_run(root, folder=None, draws: int = 200, cores: int = 1) -> Path:
    """Make the page of a finished run; the path of its `index.html`.

    Images are those that `postprocess` left; where it left none, they are made for the page alone.

    Parameters
    ----------
    root : folder of a run. folder : of the page; `page` in the run's when absent.
    draws : most draws of each source on its sheet.

    Raises
    ------
    InputError
        If the run has no catalog yet.
    """
    layout = Layout(Path(root))
    if not layout.posterior.is_file():
        raise InputError(layout.posterior, "no such catalog", "Finish the run first: `fpho postprocess`")
    table = read_fits_table(layout.posterior)
    with image_files(layout) as paths:
        frames = {path: read_frame(path) for path in paths.values()}
        content = Content(
            title=_title(Path(root).resolve()),
            table=table,
            bands=table.meta["FILTERS"].split(",") if table.meta["FILTERS"] else [],
            frames=[(frame.wcs, frame.shape) for frame in frames.values()],
            pictures=lambda band: (read_picture(p) for p, frame in frames.items() if frame.band == band),
            patches=[(patch.number, patch.region) for patch in planned(root).patches],
            chains=_chains(layout.chains),
            sheets=sorted(layout.sheets.glob("source*.pdf")),
        )
        return build_page(layout.page if folder is None else folder, content, draws, cores)


def _title(root: Path) -> str:
    """Name of a run's folder; of one that is called as `fpho init` calls all of them, that of its data."""
    return root.parent.name if root.name == "results" and root.parent.name else root.name


def _chains(path: Path):
    """Parts of the catalog of draws, one at a time; none where there is no such file."""
    from astropy.io import fits
    from astropy.table import Table

    if not path.is_file():
        return
    verify(path)
    with fits.open(path) as hdus:
        for hdu in hdus[1:]:
            yield unescaped_table(Table.read(hdu))
