"""The files that patches of a pass are fitted with; imports nothing heavy, since all rules use it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..layout import Layout

if TYPE_CHECKING:
    from ..config import Config


def fit_files(config: "Config", layout: Layout, stage: str) -> dict[str, Path | list[Path]]:
    """Files by what they hold: `stores` of pixels, `psf`, `sersic`, and `tables` of backgrounds and shifts.

    Stores of both kinds of images: of a band without the kind that a stage asks for, it takes the other. The
    tables are the first `sky` and `given` ones in the first pass, later those of the stage `background`.
    Draws have a table of galaxies' `structure`, too.
    """
    files = {"stores": layout.stores, "psf": layout.psf_store, "sersic": layout.sersic_table}
    if stage == "sample":
        files = files | {"structure": layout.structure}
    if stage != "optimize":
        return files | {"tables": [layout.background, layout.registration]}
    tables = config.background.tweakbg, config.registration.table
    return files | {"sky": layout.first_sky, "given": [Path(table) for table in tables if table]}


def flattened(files: dict[str, Path | list[Path]]) -> list[Path]:
    """All of the files, in order."""
    return [path for some in files.values() for path in (some if isinstance(some, list) else [some])]


@dataclass(frozen=True)
class FitFiles:
    """The files of `fit_files` as they are when a task is made."""

    psf: Path
    sersic: Path
    background: str  # table that is subtracted: a given one or the first sky, later the fitted one; or none
    shifts: str  # table of shifts of exposures: a given one, or after `background` the measured one; or none
    structure: str  # table of what smooth profiles leave of galaxies, for draws; or none
    state: tuple[str, ...]  # name, size and time of each: files that changed are opened anew


def present_files(config: "Config", layout: Layout, stage: str) -> FitFiles:
    """What the patches of a stage are fitted with now."""
    if stage == "optimize":
        background = config.background.tweakbg or _present(layout.first_sky)
        shifts = config.registration.table or ""
    else:
        background, shifts = _present(layout.background), _present(layout.registration)
    state = tuple(map(fingerprint, flattened(fit_files(config, layout, stage))))
    structure = _present(layout.structure) if stage == "sample" else ""
    return FitFiles(layout.psf_store, layout.sersic_table, background, shifts, structure, state)


def fingerprint(path) -> str:
    """Name, size and time of a file, or `absent`."""
    if not Path(path).is_file():
        return "absent"
    state = Path(path).stat()
    return f"{Path(path).name} {state.st_size} {state.st_mtime_ns}"


def _present(path: Path) -> str:
    return str(path) if path.is_file() else ""


def earlier_logs(layout: Layout, stage: str, colour) -> list[Path]:
    """Logs of the steps before one: with which neighbours patches were fitted, and where their draws are."""
    return [] if colour == "all" else [layout.patch_log(stage, k) for k in range(colour)]
