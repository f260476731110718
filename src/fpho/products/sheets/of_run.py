"""Sheets of a run's sources: their values from its images and draws, their files beside its plots."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ...config import load_config
from ...errors import InputError
from ...extras import require
from ...files import atomic
from ...geometry import inside_image, linearize, separation
from ...images import Exposure, open_chosen
from ...layout import Layout
from ...patch import render
from ...psf import PSFStore
from ...registration import read_shifts
from ...sersic import load_table
from ..collecting import SourceResult, collect
from ..comparison import true_rows
from ..images import image_files, read_part
from .figures import picture_page, posterior_page
from .values import Sheet, SourceView

RADII, LEAST, MOST = 4.0, 1.2, 15.0  # half-light radii around a source that are shown, and bounds in arcsec
FORMS = ("pdf", "png")


class SheetMaker:
    """Values of the sheets of one run; what is common to them is read once."""

    def __init__(self, root, results=None, config=None):
        self._layout = Layout(Path(root))
        self._results = results if results is not None else collect(root)
        self._config = config or load_config(self._layout.config)

    def sheet(self, source: SourceResult, images) -> Sheet:
        """Of one source. images : paths of the run's images with their models, by their ids."""
        row = source.median
        views: dict[str, list[SourceView]] = {}
        for exposure in self._exposures:
            view = self._view(exposure, row, images)
            if view is not None:
                views.setdefault(exposure.band, []).append(view)
        far = separation(row["ra"], row["dec"], self._rows["ra"], self._rows["dec"])
        return Sheet(
            name=source.name,
            row=row,
            bands=self._results.bands,
            views={band: max(some, key=_worth) for band, some in views.items()},
            images={band: len(some) for band, some in views.items()},
            near=self._rows[far < 3 * half_width(row)],
            draws=source.draws,
            chains=source.n_chains,
            patch=source.patch,
            rhat=source.rhat,
            ess=source.ess,
            chi2=source.chi2,
            psf_width=_widths(source, self._results.bands),
            truth=self._truth.get(int(row["source_index"])),
        )

    def find(self, wanted: str) -> SourceResult:
        """The source of an index, or else of an id.

        Raises
        ------
        InputError
            If there is none, or several have that id.
        """
        by_index = [s for s in self._results.sources if str(s.row["source_index"]) == wanted]
        found = by_index or [s for s in self._results.sources if str(s.row["id"]) == wanted]
        if len(found) == 1:
            return found[0]
        what = "several sources have" if found else "no source has"
        listed = ", ".join(s.name for s in (found or self._results.sources)[:10])
        raise InputError("source", f"{what} the index or id {wanted!r}", f"Such as {listed}")

    @property
    def sources(self) -> list[SourceResult]:
        """All sources of the run, in its order."""
        return self._results.sources

    @cached_property
    def _rows(self) -> np.ndarray:
        return self._results.rows

    @cached_property
    def _truth(self) -> dict:
        return true_rows(self._layout, self._results)

    @cached_property
    def _exposures(self) -> list[Exposure]:
        """Frames of all images; their pixels are not read, and stand as zeros that need no memory."""
        shifts = read_shifts(self._layout.registration) if self._layout.registration.is_file() else None
        out = []
        for store in open_chosen(self._layout, "all", shifts=shifts):
            for name in store.ids:
                blank = np.broadcast_to(np.float32(0), store.shape(name))
                frame = store.band(name), store.kind(name), blank, blank, store.wcs(name), None
                out.append(Exposure(name, *frame, psf=store.psf(name)))
        return out

    @cached_property
    def _drawing(self):
        layout, config = self._layout, self._config
        table = layout.sersic_table if layout.sersic_table.is_file() else config.sersic.table
        return PSFStore(layout.psf_store), load_table(table)

    def _view(self, exposure: Exposure, row, images) -> SourceView | None:
        shape = exposure.data.shape
        place = np.array([row["ra"]]), np.array([row["dec"]])
        if exposure.id not in images or not inside_image(exposure.wcs, shape, *place)[0]:
            return None
        xy, scale = linearize(exposure.wcs, *place)
        reach = half_width(row) * np.sqrt(abs(np.linalg.det(scale[0])))
        low = np.maximum(np.floor(xy[0] - reach), 0).astype(int)
        high = np.minimum(np.ceil(xy[0] + reach) + 1, shape[::-1]).astype(int)
        box = slice(low[1], high[1]), slice(low[0], high[0])
        picture = read_part(images[exposure.id], box, exposure.wcs, exposure.kind)
        if not picture.good.any():
            return None
        noisy = replace(exposure, ierr=np.broadcast_to(np.float32(1 / picture.noise), shape))
        psfs, table = self._drawing
        how = self._results.bands, self._config.psf.interpolation
        own = render(np.array([row]), noisy, psfs, table, *how, box=box)
        return SourceView(picture, own)


def half_width(row) -> float:
    """Of the cut-outs of a source, arcsec."""
    major = 0.0 if row["is_point"] else float(row["rhalf"] / row["q"])
    return float(np.clip(RADII * major, LEAST, MOST))


def _worth(view: SourceView):
    """Mosaics first, then what has most weight at the source."""
    return view.picture.kind == "mosaic", float(np.sum(view.picture.ierr**2 * view.own**2))


def _widths(source: SourceResult, bands) -> dict[str, float]:
    """FWHM of the PSF by band (arcsec), which the first of the circles has as its radius."""
    if source.apertures is None:
        return {}
    return {b: float(r) for b, r in zip(bands, source.apertures.radius[:, 0], strict=True) if np.isfinite(r)}


def write_sheets(root, wanted=None, folder=None, form: str = "pdf", maker: SheetMaker | None = None):
    """Write sheets; yields the path of each.

    Parameters
    ----------
    root : folder of a run.
    wanted : indices or ids of sources (texts); all of them where None.
    folder : `sheets` in the run's folder when absent.
    form : `pdf`, a file of two pages, or `png`, a file for each (`source<i>.png`, `source<i>_draws.png`).
    """
    if form not in FORMS:
        raise InputError("form", f"no form {form!r}", f"Use {' or '.join(FORMS)}")
    require("sheets", "matplotlib", "corner", "arviz")
    maker = maker or SheetMaker(root)
    layout = Layout(Path(root))
    folder = Path(folder) if folder is not None else layout.sheets
    sources = maker.sources if wanted is None else [maker.find(str(one)) for one in wanted]
    with image_files(layout) as images:
        for source in sources:
            yield _write(maker.sheet(source, images), folder / f"source{source.row['source_index']}.{form}")


def _write(sheet: Sheet, path: Path) -> Path:
    pages = [picture_page, posterior_page] if len(sheet.draws) else [picture_page]
    if path.suffix == ".png":
        for page, name in zip(pages, (path, path.with_name(f"{path.stem}_draws.png")), strict=False):
            page(sheet, name)
        return path
    from matplotlib.backends.backend_pdf import PdfPages

    with atomic(path) as temporary, PdfPages(temporary) as book:
        for page in pages:
            book.savefig(page(sheet))
    return path
