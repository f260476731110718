"""Detection against truth: `python benchmarks/detection.py --out docs/detection.md`.

Fields with published counts, sizes and clustering, drawn by GalSim through PSF images (scene `field`),
of Sersic galaxies, and of clumpy ones with arms and knots; `catalog.detect: true` on their mosaics at
S/N 5. A source is found if the nearest detection lies within 0.25 arcsec and has no truth nearer; a detection
without such a source is false, the second piece of a galaxy included.
"""

import argparse
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.table import Table

from fpho.config import make_config
from fpho.detect import detect_catalog
from fpho.files import write_text
from fpho.images import read_exposure, read_table
from fpho.layout import Layout
from fpho.products.comparison import matched
from fpho.psf import PSFStore
from fpho.simulate import write_field
from fpho.simulate.population import ZEROPOINT
from fpho.stages import psf
from fpho.stages.detect import without_sky

MAGNITUDES = np.arange(20, 30)
SNR = (3, 5, 7, 10, 20, 50, np.inf)


def one_field(structure: str, sources: int, seed: int, nsigma: float, folder: Path) -> dict[str, np.ndarray]:
    """Truth and detections of a field: magnitudes in the first band, S/N, what is found, what is false.

    It is drawn in `folder`, unless that is done.
    """
    config = make_config(
        {
            "simulate": {"field": {"structure": structure, "sources": sources}},
            "outdir": f"{folder}/out",
            "images": f"{folder}/exposures.tsv",
            "psfs": f"{folder}/psfs.tsv",
        }
    )
    layout = Layout(folder / "out")
    if not (folder / "exposures.tsv").is_file():  # what is written last
        write_field(config.simulate.field, folder, seed)
    if not layout.psf_store.is_file():
        psf.run(config, layout)
    specs = [spec for spec in read_table(config.images) if spec.kind == "mosaic"]
    images = [without_sky(read_exposure(spec, config.preprocess)) for spec in specs]
    bands = [spec.band for spec in specs]
    rows = detect_catalog(images, PSFStore(layout.psf_store), bands, nsigma=nsigma, roi=1.0)
    truth = Table.read(folder / "truth.fits", hdu=1)
    match = matched(truth, rows)
    false = np.ones(len(rows), bool)
    false[match[match >= 0]] = False
    star = np.array(truth["is_point"])
    galaxy_of = np.full(len(rows), False)
    galaxy_of[match[match >= 0]] = ~star[match >= 0]
    return {
        "magnitude": ZEROPOINT - 2.5 * np.log10(truth[bands[0]]),
        "snr": np.sqrt(sum(np.array(truth[f"{band}_snr"]) ** 2 for band in bands)),
        "found": match >= 0,
        "star": star,
        "detected": ZEROPOINT - 2.5 * np.log10(np.maximum(rows[bands[0]], 1e-3)),
        "false": false,
        "called": rows["is_point"],
        "called_wrongly": rows["is_point"] & galaxy_of,
        "called_rightly": rows["is_point"] & ~galaxy_of & ~false,
    }


def joined(fields) -> dict[str, np.ndarray]:
    """Columns of several fields, one after the other."""
    return {name: np.concatenate([field[name] for field in fields]) for name in fields[0]}


def tables(structure: str, v: dict[str, np.ndarray]) -> str:
    """Markdown of one kind of field."""
    star = v["star"] & (v["snr"] > 50)
    lines = [
        f"## {structure.capitalize()} galaxies",
        "",
        f"{len(v['found'])} sources, {len(v['false'])} detections, **{v['false'].sum()} of them false "
        f"({100 * v['false'].mean():.1f}%)**. {v['called_rightly'].sum()} stars were called so "
        f"(there are {star.sum()} above S/N 50), and {v['called_wrongly'].sum()} galaxies.",
        "",
        "| AB magnitude | sources | found | completeness | detections | false | purity |",
        "|---|---|---|---|---|---|---|",
    ]
    for low in MAGNITUDES:
        true = (v["magnitude"] >= low) & (v["magnitude"] < low + 1)
        seen = (v["detected"] >= low) & (v["detected"] < low + 1)
        if true.any() or seen.any():
            found, false = (v["found"] & true).sum(), (v["false"] & seen).sum()
            complete, pure = _share(found, true.sum()), _share(seen.sum() - false, seen.sum())
            lines.append(
                f"| {low}-{low + 1} | {true.sum()} | {found} | {complete} | {seen.sum()} | {false} | {pure} |"
            )
    lines += ["", "| S/N, all bands, shape known | sources | found | completeness |", "|---|---|---|---|"]
    for low, high in pairwise(SNR):
        true = (v["snr"] >= low) & (v["snr"] < high)
        found = (v["found"] & true).sum()
        lines.append(f"| {low}-{high:g} | {true.sum()} | {found} | {_share(found, true.sum())} |")
    return "\n".join(lines) + "\n"


def _share(part, whole) -> str:
    return f"{100 * part / whole:.0f}%" if whole else ""


def main() -> None:
    """Draw, detect, and write the tables into the marked part of a document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fields", type=int, default=1)
    parser.add_argument("--sources", type=int, default=300)
    parser.add_argument("--keep", type=Path, help="folder that drawn fields are kept in and taken from")
    parser.add_argument("--nsigma", type=float, default=5.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    text = ""
    with tempfile.TemporaryDirectory() as temporary:
        kept = options.keep or Path(temporary)
        for structure in ("sersic", "clumpy"):
            fields = [
                one_field(structure, options.sources, seed, options.nsigma, kept / f"{structure}{seed}")
                for seed in range(1, options.fields + 1)
            ]
            text += tables(structure, joined(fields)) + "\n"
    print(text)
    if options.out:
        head = options.out.read_text().split(MARK)[0]
        write_text(options.out, f"{head}{MARK}\n\n{text.rstrip()}\n")


MARK = "<!-- tables: python benchmarks/detection.py --out docs/detection.md -->"

if __name__ == "__main__":
    main()
