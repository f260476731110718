"""Which images a stage works on: of each band those of the preferred kind, else what there is."""

from pathlib import Path

from ..layout import KINDS
from .store import Store, open_store


def open_chosen(layout, *on: str, shifts: dict | None = None) -> list[Store]:
    """Stores, mosaics first, that hold the images for the kinds that stages ask for.

    Parameters
    ----------
    layout : `fpho.layout.Layout`
    on : what each stage asks for, `mosaic`, `exposure` or `all`
    shifts : pixels (x, y) by exposure that WCS are moved by, see `fpho.registration`
    """
    stores = {
        kind: open_store(layout.pixels(kind), layout.meta(kind), shifts)
        for kind in KINDS
        if Path(layout.meta(kind)).is_file()
    }
    wanted = {kind: set() for kind in stores}
    for one in on:
        for kind, ids in chosen({kind: _bands(store) for kind, store in stores.items()}, one).items():
            wanted[kind] |= ids
    return [store.only(wanted[kind]) for kind, store in stores.items() if wanted[kind]]


def chosen(images: dict[str, dict[str, str]], on: str) -> dict[str, set[str]]:
    """Ids of each kind that a stage works on, from the band of each image: `images[kind][id]`."""
    preferred = set(images.get(on, {}).values())
    return {
        kind: {name for name, band in bands.items() if on in ("all", kind) or band not in preferred}
        for kind, bands in images.items()
    }


def _bands(store: Store) -> dict[str, str]:
    return {name: store.band(name) for name in store.ids}
