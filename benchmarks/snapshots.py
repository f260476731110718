"""What a run's folder holds, without what differs from run to run: dates, seconds, times of files.

python benchmarks/snapshots.py ONE OTHER...    holds results of runs that were divided otherwise against ONE's
"""

import hashlib
import io
import json
import re
import sys
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits

from fpho.layout import Layout
from fpho.passes.logs import logs_in
from fpho.records import SUFFIX, records_of

# Words, times, and finished patches, which are there by chance.
LEFT_OUT = ("logs/", "benchmarks/", "progress/", "work/")
MARKS = (".seal", ".snakemake_timestamp")
# Times, and what holds them: hashes of tasks (times of stores), checksums of files that hold their seconds.
TIMES = {"seconds", "wall_time", "mtime_ns", "created", "run_time"}
SECONDS = r"<td[^>]*>[\d.]+</td>\s*(?=</tr>)"  # of the table of patches: its last column
LINKS = {"REFERENCE_LIST", "DIMENSION_LIST"}  # of HDF5's scales: addresses in memory
VOLATILE = TIMES | LINKS | {"seal", "task", "sums", "origin"}

# What a run is for, and what it rests on. Plans say how it was divided; so do files of draws, which are in
# `catalogs/chains.fits` as well.
RESULTS = ("scene/sample.fits", "catalogs/", "patches/", "stores/", "images/", "background/", "psf/psfs.h5")
DIVIDED = "patches/samples "


def snapshot(folder) -> dict[str, str]:
    """Digest of each file by its name; hidden files that are no seals are there, with their names."""
    folder, found, kept = Path(folder), {}, []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == SUFFIX:
            kept.append(path)
        elif path.is_file() and not name.startswith(LEFT_OUT) and not path.name.endswith(MARKS):
            found[name] = digest(path)
    return found | _of_records(folder, records_of(kept))


def _of_records(folder: Path, records: dict) -> dict[str, str]:
    """Draws and residuals of the last sampling, wherever they are kept; other records are there by chance."""
    log = Layout(folder).patch_log("sample")
    if not log.is_file():
        return {}
    out, sums = {}, {entry.task: entry.sums for entry in logs_in(log)}
    for key, stored in records.items():
        kind, name, task = key.split()
        whole = [one for one in stored if one.digest == sums.get(task, {}).get(kind) and one.is_whole]
        if whole:
            digest = hashlib.sha256()
            for part in _hdf5(io.BytesIO(whole[0].read())):
                digest.update(part)
            out[f"patches/{kind} {name}"] = digest.hexdigest()
    return out


def digest(path: Path) -> str:
    """SHA-256 of what a file says."""
    readers = {".fits": _fits, ".h5": _hdf5, ".json": _json, ".html": _html}
    found = hashlib.sha256()
    for part in readers.get(path.suffix, lambda path: [path.read_bytes()])(path):
        found.update(part)
    return found.hexdigest()


def _fits(path):
    with fits.open(path, memmap=False, disable_image_compression=True) as hdus:
        for hdu in hdus:
            cards = [str(card) for card in hdu.header.cards if card.keyword not in ("DATE", "CHECKSUM")]
            yield "\n".join(cards).encode()
            yield b"" if hdu.data is None else np.ascontiguousarray(hdu.data).tobytes()


def _hdf5(path):
    if isinstance(path, Path) and not path.stat().st_size:
        return  # a share of a pass without patches
    with h5py.File(path) as file:
        names: list[str] = []
        file.visit(names.append)
        for name in ["/", *sorted(names)]:
            yield name.encode()
            for key, value in sorted(file[name].attrs.items()):
                if key not in VOLATILE:
                    yield f"{key} {_plain(value)}".encode()
            if isinstance(file[name], h5py.Dataset) and name.rpartition("/")[2] not in VOLATILE:
                yield _plain(file[name][()]).encode()


def _plain(value) -> str:
    """A value as text; numbers in full, texts of JSON without what differs."""
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        return f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    text = value.decode() if isinstance(value, bytes) else str(value)
    for trees in ([text], text.splitlines()):  # a text of JSON, or one in each line
        try:
            return "\n".join(json.dumps(_steady(json.loads(tree))) for tree in trees)
        except ValueError:
            continue
    return text


def _json(path):
    yield json.dumps(_steady(json.loads(path.read_text()))).encode()


def _steady(tree):
    if isinstance(tree, dict):
        return {key: _steady(value) for key, value in tree.items() if key not in VOLATILE}
    return [_steady(value) for value in tree] if isinstance(tree, list) else tree


def _html(path):
    text = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?|[\d.]+ s\b", "", path.read_text())
    yield re.sub(SECONDS, "", text).encode()


def results(folder) -> dict[str, str]:
    """The same of the results alone, which do not depend on how a run was divided."""
    found = snapshot(folder)
    return {name: sum for name, sum in found.items() if name.startswith(RESULTS) and DIVIDED not in name}


def main() -> None:
    one, *others = sys.argv[1:]
    expected = results(one)
    for other in others:
        found = results(other)
        wrong = [name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)]
        if wrong or len(found) < 10:
            raise SystemExit(f"{other}: not as {one}: {sorted(wrong)}")
        print(f"{other}: {len(found)} files bit for bit as in {one}")


if __name__ == "__main__":
    main()
