"""Odd and damaged inputs and files of a run, by the thousand: read rightly or refused in due form.

python benchmarks/fuzz.py [RUN] [--cases N] [--seed S] [--kinds catalogs damaged-catalogs ... files]

Of each kind N cases. What is asked: no exception but the project's own (`InputError`, which names the file),
no hang (20 s), nothing accepted that is not sound. RUN is the folder of a finished run, such as results/tiny,
whose files (stores, scene states, PSFs, profiles, plans, logs, draws) get flipped bits, cut ends and zeros;
a copy is damaged, never the run. There what is read is that of the whole file, or a message. Each case
prints its seed where it fails; the exit status is the number of kinds with a failure.
"""

import argparse
import logging
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP))

from fpho.errors import InputError  # noqa: E402
from fpho.layout import Layout  # noqa: E402
from tests.fuzz import catalogs, configurations  # noqa: E402
from tests.images import test_fuzz as images  # noqa: E402

SECONDS = 20  # of one case; longer is a hang


class Hang(BaseException):
    """A case that did not end in time; no `except Exception` holds it back."""


def _stop(*_):
    raise Hang


def odd_catalog(folder, rng):
    """A generated catalog in one of the formats."""
    content, options = catalogs.odd_catalog(rng)
    return _catalog(folder, content, options)


def damaged_catalog(folder, rng):
    """The same with changed bytes."""
    content, options = catalogs.odd_catalog(rng)
    return _catalog(folder, catalogs.damaged(rng, content), options)


def _catalog(folder, content, options):
    path = folder / "case.cat"
    path.write_bytes(content)
    return "read" if catalogs.read_or_refuse(path, options) is not None else "refused"


def configuration(folder, rng):
    """A generated configuration with overrides."""
    path = folder / "case.yaml"
    path.write_text(configurations.odd_text(rng))
    taken = configurations.load_or_refuse(path, configurations.odd_overrides(rng)) is not None
    return "read" if taken else "refused"


def image(folder, rng):
    """An image with changed bytes or keywords: what the check lets in, is read and holds no wild pixel."""
    path = images.whole(folder / "case.fits")
    [images.flipped, images.rewritten][int(rng.integers(2))](path, rng)
    problems = images.validate([spec := images.ExposureSpec(id="a", band="r", path=path)])
    assert all(str(path) in str(problem) for problem in problems)
    if not problems:
        images.accepted(spec)
    return "refused" if problems else "read"


def readers(layout: Layout) -> list:
    """(files, function that reads them to bytes) of the kinds of files that a run leaves for later stages."""
    from fpho.images import open_store
    from fpho.passes.logs import read_log
    from fpho.passes.plan import read_plan
    from fpho.psf import PSFStore
    from fpho.records import records_in
    from fpho.results import Samples
    from fpho.scene import read_scene
    from fpho.sersic import load_table

    def store(pixels, meta):
        opened = open_store(pixels, meta)
        tiles = [opened.tiles(name, None) for name in opened.ids]
        return b"".join(part.tobytes() for one in tiles for part in (one.data, one.ierr, one.tile_x))

    def psfs(path):
        opened = PSFStore(path)
        return b"".join(opened.mixture(key, 0.0, 0.0).tobytes() for key in opened.keys())

    kept = layout.records("sample", 0)

    def draws(path):
        if records_in(path).keys() != records_in(kept).keys():  # as the pass's log tells
            raise InputError(path, "records are gone", "Sample again")
        found = [Samples(one) for key, one in records_in(path).items() if key.startswith("samples")]
        return b"".join(one.chain.tobytes() + one.final.tobytes() for one in found)

    def profiles(path):
        return load_table(path).evaluate([1.3, 4.0], [0.2, 1.0], [False, False])[0].tobytes()

    pairs = [([layout.pixels(kind), layout.meta(kind)], store) for kind in ("mosaic", "exposure")]
    return [
        *pairs,
        ([layout.psf_store], psfs),
        ([layout.sersic_table], profiles),
        ([layout.scene("optimize")], lambda path: read_scene(path)[0].tobytes()),
        ([layout.plan("sample")], lambda path: repr(read_plan(path)).encode()),
        ([layout.patch_log("sample")], lambda path: repr(read_log(path)).encode()),
        ([kept], draws),
    ]


class RunFiles:
    """Damaged copies of the files of a run."""

    def __init__(self, run: Path):
        self.readers = readers(Layout(run))
        self.whole = [function(*files) for files, function in self.readers]

    def __call__(self, folder, rng):
        number = int(rng.integers(len(self.readers)))
        files, function = self.readers[number]
        copies = [self._copy(path, folder) for path in files]
        target = copies[int(rng.integers(len(copies)))]
        if target.is_dir():
            target = rng.choice(sorted(target.iterdir()))
        target.write_bytes(damaged(target.read_bytes(), rng))
        try:
            read = function(*copies)
        except InputError as error:
            assert target.name in str(error), f"the message does not name {target.name}: {error}"
            return "refused"
        assert read == self.whole[number], f"another content of {target.name} without a word"
        return "read"

    @staticmethod
    def _copy(path: Path, folder: Path) -> Path:
        """The file with its seal, where that stands beside it, under a new name."""
        place = folder / f"{time.monotonic_ns()}"
        place.mkdir()
        for one in (path, path.with_name(f".{path.name}.seal")):
            if one.is_dir():
                shutil.copytree(one, place / one.name)
            elif one.is_file():
                (place / one.name).write_bytes(one.read_bytes())
        return place / path.name


def damaged(content: bytes, rng) -> bytes:
    """Flipped bits, a cut end, or a block of zeros."""
    kind, out = rng.uniform(), bytearray(content)
    if kind < 0.1:
        return bytes(out[: rng.integers(len(out))])
    if kind < 0.2:
        start = int(rng.integers(len(out)))
        end = min(len(out), start + int(rng.integers(1, 4096)))
        out[start:end] = bytes(end - start)
        return bytes(out)
    for _ in range(rng.integers(1, 4)):
        where = rng.integers(len(out)) if rng.uniform() < 0.5 else rng.integers(min(len(out), 12000))
        out[where] ^= 1 << int(rng.integers(8))
    return bytes(out)


def run_kind(name: str, case, n: int, seed: int) -> Counter:
    """Counts of what came of n cases."""
    counts: Counter = Counter()
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            signal.alarm(SECONDS)
            try:
                counts[case(Path(folder), rng)] += 1
            except InputError:
                counts["refused"] += 1
            except Hang:
                counts["hang"] += 1
                print(f"{name}, seed [{seed}, {number}]: no end within {SECONDS} s")
            except Exception:
                counts["failed"] += 1
                print(f"{name}, seed [{seed}, {number}]:\n{traceback.format_exc()}")
            finally:
                signal.alarm(0)
    return counts


def main() -> int:
    """Run all kinds and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", type=Path, help="folder of a finished run")
    parser.add_argument("--cases", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="*")
    options = parser.parse_args()
    kinds = {
        "catalogs": odd_catalog,
        "damaged-catalogs": damaged_catalog,
        "configurations": configuration,
        "images": image,
    }
    if options.run:
        kinds["files"] = RunFiles(options.run)
    logging.disable()  # what is told of odd inputs
    signal.signal(signal.SIGALRM, _stop)
    bad = 0
    names = ("kind", "cases", "read", "refused", "other exceptions", "hangs", "seconds")
    print("|", " | ".join(names), "|")
    print("|" + "---|" * len(names))
    for name in options.kinds or kinds:
        began = time.monotonic()
        counts = run_kind(name, kinds[name], options.cases, options.seed)
        columns = [counts[key] for key in ("read", "refused", "failed", "hang")]
        print(
            "|",
            name,
            "|",
            options.cases,
            "|",
            *(f"{c} |" for c in columns),
            f"{time.monotonic() - began:.0f} |",
        )
        bad += bool(counts["failed"] or counts["hang"])
    return bad


if __name__ == "__main__":
    sys.exit(main())
