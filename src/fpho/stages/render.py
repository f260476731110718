"""The model image of a catalog on the pixels of given images; no run is needed."""

from collections.abc import Iterator
from pathlib import Path

from ..config import Catalog
from ..images import read_exposure, read_table
from ..patch import render as model_of
from ..products.images import write_picture
from ..products.picture import Picture
from ..psf import PSFStore
from ..scene import read_catalog
from ..sersic import load_table


def render(catalog, images, psfs, out, convention: str | None = None, sersic="default") -> Iterator[Path]:
    """Write `<image id>.fits` for each image, with data, model, residual and error; yield the paths.

    Parameters
    ----------
    catalog : path of a catalog of sources
    images : path of a table of exposures
    psfs : path of a PSF store
    out : folder
    convention : meaning of columns q and pa, where the catalog does not say
    sersic : path of a Sersic table, or `default`
    """
    specs = read_table(images)
    bands = list(dict.fromkeys(spec.band for spec in specs))
    rows = read_catalog(catalog, bands, Catalog(path=str(catalog), convention=convention))
    store, table = PSFStore(psfs), load_table(sersic)
    for spec in specs:
        one = read_exposure(spec)
        model = model_of(rows, one, store, table, bands)
        picture = Picture(one.id, one.band, one.kind, one.data, model, one.ierr, one.wcs, one.header)
        yield write_picture(Path(out) / f"{one.id}.fits", picture)
