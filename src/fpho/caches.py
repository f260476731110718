"""A place for caches (compiled code, lists of fonts) where the home folder is missing or cannot be written.

So in a container, where moreover the package's own folder may be read-only. numba, matplotlib and arviz
look for these variables, and some of them stop without a place.
"""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

FOLDERS = {"XDG_CACHE_HOME": ".cache", "XDG_CONFIG_HOME": ".config"}


def find_caches() -> None:
    """Name a private folder among the temporary files where there is no folder of the user's."""
    for variable, name in FOLDERS.items():
        if not _writable(os.environ.get(variable) or os.path.join(os.path.expanduser("~"), name)):
            place = _private() / name
            place.mkdir(exist_ok=True)
            os.environ[variable] = str(place)


def cache_folder() -> Path:
    """The folder of what fpho keeps for later fits of this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")) / "fpho"


def _writable(folder: str) -> bool:
    if folder.startswith("~"):  # there is no home
        return False
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _private() -> Path:
    """A folder that only this user can write: the same for all processes, if nobody else took its name."""
    folder = Path(tempfile.gettempdir()) / f"fpho-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    state = folder.lstat()
    ours = stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid() and not state.st_mode & 0o077
    return folder if ours else Path(tempfile.mkdtemp(prefix="fpho-"))
