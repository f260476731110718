"""Data, model and residual of each input image, on its own pixels and with its own WCS."""

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import __version__
from ..background import apply_background, read_tweakbg
from ..config import load_config
from ..errors import InputError
from ..files import atomic
from ..fitstext import escaped, unescaped
from ..images import ShiftedWCS, open_chosen
from ..images.wcs import header_wcs
from ..layout import Layout
from ..patch import render
from ..psf import PSFStore
from ..registration import read_shifts
from ..sersic import load_table
from .collecting import Results, collect
from .picture import Picture

LAYERS = {
    "DATA": "calibrated data, background subtracted, NaN where masked",
    "MODEL": "posterior median model",
    "RESIDUAL": "data - model, NaN where masked",
    "ERR": "1 sigma uncertainty, NaN where masked",
    "CHI": "(data - model) / sigma, NaN where masked",
    "MASK": "1 where masked",
}
WITHOUT_UNIT = ("CHI", "MASK")  # the others: nJy


def write_images(root, outdir=None, rows=None) -> list[Path]:
    """Write `<image id>.fits` with the extensions of `LAYERS` for every image of a run.

    Parameters
    ----------
    root : folder of a run.
    outdir : folder of the images; `images` in the run's folder when absent.
    rows : scene rows to draw; the medians of the posterior draws when absent.
    """
    folder = Path(outdir) if outdir is not None else Layout(Path(root)).images
    return [write_picture(folder / f"{one.id}.fits", one) for one in pictures(root, rows)]


def pictures(root, rows=None, results: Results | None = None, config=None):
    """Yield a `Picture` of every image of a run: data less background, and the model of `rows`.

    Constants that were fitted with the sources (`background.mode: in_fit`) count as background.
    """
    layout = Layout(Path(root))
    config = config or load_config(layout.config)
    results = results or (collect(root) if rows is None else None)
    rows = results.rows if rows is None else rows
    psfs, table = PSFStore(layout.psf_store), load_table(_table_path(config, layout))
    fitted = fitted_backgrounds(results) if results else {}
    for exposure in exposures(layout):
        model = render(rows, exposure, psfs, table, bands_of(rows), config.psf.interpolation)
        data = exposure.data - fitted.get(exposure.id, 0.0)
        yield Picture(
            exposure.id,
            exposure.band,
            exposure.kind,
            data,
            model,
            exposure.ierr,
            exposure.wcs,
            exposure.header,
        )


def exposures(layout: Layout):
    """Yield the exposures of a run's stores, with the used backgrounds subtracted."""
    shifts = read_shifts(layout.registration) if layout.registration.is_file() else None
    table = read_tweakbg(layout.background) if layout.background.is_file() else None
    for store in open_chosen(layout, "all", shifts=shifts):
        for exposure in map(store.exposure, store.ids):
            yield exposure if table is None else apply_background(exposure, table)


def bands_of(rows) -> list[str]:
    """Names of the flux columns of scene rows: those that have an error column."""
    names = rows.dtype.names
    return [name for name in names if f"{name}_err" in names]


def fitted_backgrounds(results: Results) -> dict[str, float]:
    """Median constant (nJy per pixel) of each exposure that was fitted together with the sources.

    Over several patches: the median of theirs.
    """
    found: dict[str, list[float]] = {}
    for patch in results.patches:
        for name, value in patch.backgrounds.items():
            found.setdefault(name, []).append(value)
    return {name: float(np.median(values)) for name, values in found.items()}


def write_picture(path, picture: Picture) -> Path:
    """One FITS file; every extension has the input's WCS. One of them is held at a time."""
    from astropy.io import fits

    primary = fits.PrimaryHDU()
    primary.header.update(
        {"FPHOVER": __version__, "FILTER": escaped(picture.band), "EXPOSURE": escaped(picture.id)}
    )
    primary.header["KIND"] = picture.kind, "mosaic or exposure"
    with atomic(path) as temporary:
        primary.writeto(temporary, overwrite=True)
        for name, content in LAYERS.items():
            header = wcs_cards(picture.header)
            header["BUNIT"], header["CONTENT"] = "nJy", content
            if name in WITHOUT_UNIT:
                del header["BUNIT"]
            kind = "u1" if name == "MASK" else "f4"
            with fits.open(temporary, mode="append", memmap=False) as file:
                file.append(fits.ImageHDU(_layer(picture, name).astype(kind), header, name=name))
    return Path(path)


def _layer(picture: Picture, name: str) -> np.ndarray:
    """Pixels of one of `LAYERS`."""
    if name == "ERR":
        return np.divide(1.0, picture.ierr, out=np.full(picture.data.shape, np.nan), where=picture.good)
    if name == "MASK":
        return ~picture.good
    words = {"DATA": "shown", "MODEL": "model", "RESIDUAL": "residual", "CHI": "pull"}
    return getattr(picture, words[name])


def read_picture(path) -> Picture:
    """A picture from the file that `write_picture` made."""
    from astropy.io import fits

    frame = read_frame(path)
    with fits.open(path, memmap=False) as hdus:
        sigma = hdus["ERR"].data.astype("f8")
        ierr = np.divide(1.0, sigma, out=np.zeros_like(sigma), where=sigma > 0)
        header = hdus["DATA"].header
        data, model = hdus["DATA"].data.astype("f8"), hdus["MODEL"].data.astype("f8")
        return Picture(frame.id, frame.band, frame.kind, data, model, ierr, frame.wcs, header)


@dataclass(frozen=True)
class Frame:
    """What is known of an image without its pixels; `shape` is (ny, nx)."""

    id: str
    band: str
    kind: str
    wcs: object
    shape: tuple[int, int]


def read_frame(path) -> Frame:
    """The frame of a picture in the file that `write_picture` made."""
    from astropy.io import fits

    if not Path(path).is_file():
        raise InputError(path, "no such image", "Run `fpho postprocess` with postprocess.images: true")
    with fits.open(path, memmap=True) as hdus:
        head, header = hdus[0].header, hdus["DATA"].header
        name, band = (unescaped(head[key]) for key in ("EXPOSURE", "FILTER"))
        shape = header["NAXIS2"], header["NAXIS1"]
        return Frame(name, band, head.get("KIND", ""), header_wcs(header, path), shape)


def read_part(path, box, wcs, kind: str = "") -> Picture:
    """A box (slices of rows and columns) of a picture in the file that `write_picture` made.

    wcs : of the whole image, where it is better known than from the file's header.
    """
    from astropy.io import fits

    with fits.open(path, memmap=True) as hdus:
        sigma, data, model = (hdus[name].section[box].astype("f8") for name in ("ERR", "DATA", "MODEL"))
        name, band = (unescaped(hdus[0].header[key]) for key in ("EXPOSURE", "FILTER"))
    ierr = np.divide(1.0, sigma, out=np.zeros_like(sigma), where=sigma > 0)
    moved = ShiftedWCS(wcs, (-box[1].start, -box[0].start))
    return Picture(name, band, kind, data, model, ierr, moved)


@contextmanager
def image_files(layout: Layout):
    """Paths of a run's images with their models, by id; made for the block alone where the run left none."""
    folder = layout.images
    with tempfile.TemporaryDirectory(prefix=".images.", dir=layout.outdir) as name:
        if not any(folder.glob("*.fits")):
            write_images(layout.outdir, folder := Path(name))
        yield {path.stem: path for path in sorted(folder.glob("*.fits"))}


def wcs_cards(header):
    """The header without what describes the layout and scale of the input's own file."""
    cards = header.copy()
    for key in (
        "XTENSION",
        "SIMPLE",
        "EXTEND",
        "BITPIX",
        "PCOUNT",
        "GCOUNT",
        "EXTNAME",
        "EXTVER",
        "BSCALE",
        "BZERO",
    ):
        cards.remove(key, ignore_missing=True, remove_all=True)
    for key in ("BLANK", "CHECKSUM", "DATASUM", "NAXIS", "NAXIS1", "NAXIS2", "INHERIT"):
        cards.remove(key, ignore_missing=True, remove_all=True)
    return cards


def _table_path(config, layout: Layout):
    return layout.sersic_table if layout.sersic_table.is_file() else config.sersic.table
