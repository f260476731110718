"""The folder of a page, made whole and put in its place at the end."""

import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from .. import __version__
from ..geometry import linearize
from . import shading
from .grid import BandMaps, Grid, band_maps, choose_grid, north_of
from .pyramid import TILE, levels_of, write_pyramid
from .scripts import write_script
from .sources import PER_FOLDER, apertures_of, columns_of, draws_of, flags_of, shown_of

KINDS = ("data", "model", "residual")


@dataclass(frozen=True)
class Content:
    """What a page shows.

    title : of the run. table : its catalog (`postsample_catalog`). bands : in the order of their wavelengths.
    frames : (wcs, shape) of each image. pictures : gives the images of a band, one after the other.
    patches : (number, region) of each, as far as they are known.
    sheets : files of sources' sheets, `source<i>.pdf` by source index.
    chains : tables of draws (`write_chains`), which together have a row for each source, in the same order.
    """

    title: str
    table: object
    bands: list[str]
    frames: list
    pictures: object
    patches: list
    chains: Iterable = ()
    sheets: Iterable[Path] = ()


def build_page(folder, content: Content, draws: int = 200, cores: int = 1) -> Path:
    """Make the page; the path of its `index.html`. What was there before is replaced at the end.

    draws : most draws of each source on its sheet; 0 leaves them out, which saves most of the files.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as name:
        made = Path(name) / folder.name
        _copy_assets(made)
        grid = choose_grid(content.frames, np.asarray(content.table["ra"]), np.asarray(content.table["dec"]))
        layers = _write_layers(made / "tiles", content, grid, cores)
        drawn = _write_draws(made / "draws", content, draws)
        sheets = _copy_sheets(made / "sheets", content.sheets)
        _write_data(made / "data", content, grid, layers, {"drawn": drawn, "sheets": sheets})
        if folder.exists():
            shutil.move(folder, Path(name) / "before")
        made.replace(folder)
    return folder / "index.html"


def _copy_assets(target: Path) -> None:
    with as_file(files(__package__) / "assets") as assets:
        for path in sorted(Path(assets).rglob("*")):
            if path.is_file():  # folders get the user's own mode, not the package's
                place = target / path.relative_to(assets)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)


def _write_layers(folder: Path, content: Content, grid: Grid, cores: int) -> list[dict]:
    """Tiles of all layers; what the page must know of each."""
    maps: dict[str, BandMaps] = {}
    layers = []
    for number, band in enumerate(content.bands):
        maps[band] = one = band_maps(grid, content.pictures(band))
        top = shading.top_of(one.data)
        shades = (lambda part, top=top: shading.greys(part, top), shading.blue_to_red)
        for kind in KINDS:
            form = "png" if kind == "residual" else "webp"
            key = f"{number}_{kind}"
            write_pyramid(folder / key, getattr(one, kind), shades[kind == "residual"], form, cores)
            layers.append(
                {"key": key, "band": band, "kind": kind, "form": form, "noise": one.noise, "top": top}
            )
        if number not in _coloured(content.bands):
            del maps[band]
    if len(content.bands) > 1:
        layers = _write_colour(folder, content.bands, maps, cores) + layers
    return layers


def _coloured(bands) -> set[int]:
    """Places of the bands that make a colour picture."""
    return {0, len(bands) // 2, len(bands) - 1}


def _write_colour(folder: Path, bands, maps, cores: int) -> list[dict]:
    first, middle, last = (maps[bands[place]] for place in (0, len(bands) // 2, -1))
    layers = []
    for kind in KINDS:
        red, blue = getattr(last, kind), getattr(first, kind)
        green = getattr(middle, kind) if len(bands) > 2 else 0.5 * (red + blue)
        shade = shading.residual_in_colour if kind == "residual" else shading.in_colour
        write_pyramid(folder / f"colour_{kind}", np.stack([red, green, blue]), shade, "webp", cores)
        layers.append({"key": f"colour_{kind}", "band": None, "kind": kind, "form": "webp"})
    return layers


def _write_draws(folder: Path, content: Content, most: int) -> int:
    """A script for each source that has draws; how many there are."""
    number = written = 0
    for part in content.chains if most else ():
        for row in part:
            draws = draws_of(row, content.bands, most)
            if draws is not None:
                write_script(folder / str(number // PER_FOLDER) / f"{number}.js", f"draws {number}", draws)
                written += 1
            number += 1
    return written


def _copy_sheets(folder: Path, sheets) -> list[int]:
    """Indices of the sources that have one."""
    indices = []
    for path in sheets:
        found = re.fullmatch(r"source(\d+)\.pdf", path.name)
        if found:
            folder.mkdir(exist_ok=True)
            shutil.copyfile(path, folder / path.name)
            indices.append(int(found[1]))
    return sorted(indices)


def _write_data(folder: Path, content: Content, grid: Grid, layers, by_source: dict) -> None:
    lowest, highest = levels_of(grid.shape)
    field = {
        "title": content.title,
        "version": __version__,
        "bands": content.bands,
        "width": grid.shape[1],
        "height": grid.shape[0],
        "pixel": grid.pixel,
        "centre": [grid.ra, grid.dec],
        "scale": grid.scale.tolist(),
        "perPixel": (np.linalg.inv(grid.scale)).tolist(),
        "north": north_of(grid).tolist(),
        "tile": TILE,
        "levels": [lowest, highest],
        "layers": layers,
        "quantities": shown_of(content.bands),
        "apertures": apertures_of(content.table.colnames, content.bands),
        "flags": flags_of(),
        "patches": _patches(content.patches, grid),
        "draws": {"sources": by_source["drawn"], "perFolder": PER_FOLDER},
        "sheets": by_source["sheets"],
    }
    write_script(folder / "field.js", "field", field)
    write_script(folder / "sources.js", "sources", columns_of(content.table, content.bands, grid))


def _patches(patches, grid: Grid) -> dict:
    """Numbers, centres (pixels) and radii (pixels) of circles."""
    regions = [(number, region) for number, region in patches if region is not None]
    ra, dec, radius = (
        np.array([getattr(r, name) for _, r in regions], "f8") for name in ("ra", "dec", "radius")
    )
    xy, _ = linearize(grid.wcs, ra, dec)
    numbers = np.array([number for number, _ in regions], "i4")
    x, y = (np.ascontiguousarray(v, "f4") for v in xy.reshape(-1, 2).T)
    return {"number": numbers, "x": x, "y": y, "radius": (radius / grid.pixel).astype("f4")}
