"""One page of HTML about a run, its plots inside."""

import base64
import html
import io
from pathlib import Path

import numpy as np

from .. import __version__
from ..files import write_text
from ..flags import DESCRIPTIONS, describe
from .aperture_check import summarised
from .collecting import Results

LARGE, WIDE = 400_000, 1400  # bytes of a picture, and pixels that larger ones have
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 76em; padding: 0 1em; color: #222 }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em }
table { border-collapse: collapse; font-size: 0.87em } img { max-width: 100% }
th, td { padding: 0.15em 0.7em; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff }
.flags th:nth-child(2), .flags td:nth-child(2) { text-align: left; white-space: normal; min-width: 14em }
.scroll { overflow-x: auto } .note { color: #666 }
"""
HEADINGS = {"rhalf_major": "half-light radius, major axis", "sersic": "Sersic index"}
HEADINGS |= {"axis_ratio": "axis ratio b/a", "position_angle": "position angle, E of N"}
MOST_ROWS = 1000  # of a table of the page; the catalog has them all
PATCH_COLUMNS = {
    "max_rhat": "largest R-hat",
    "min_bulk_ess": "smallest bulk ESS",
    "min_tail_ess": "smallest tail ESS",
    "divergences": "divergences",
    "bfmi": "BFMI",
    "max_sd_ratio": "largest sd / Fisher sd",
    "ncall": "likelihood calls",
    "wall_time": "wall time (s)",
}


def write_summary(
    path, results: Results, table, chi2: dict[str, float], plots=(), seed=None, sums=None
) -> None:
    """Write the page: what was measured, how well the chains mixed, what is flagged, plots.

    table : as `postsample_catalog` makes it. chi2 : by image. plots : PNG files that the page holds.
    sums : as `ApertureCheck.table` makes it.
    """
    parts = [
        f"<h1>fpho: {len(results.sources)} sources, {len(results.patches)} patches</h1>",
        f"<p>Bands {html.escape(', '.join(results.bands))}. fpho {__version__}"
        + (f", seed {seed}" if seed is not None else "")
        + ".</p>",
        *(_image(plot) for plot in plots if Path(plot).is_file()),
        "<h2>Sources</h2>",
        _table(*_source_table(table, results.bands), kind="flags"),
        "<p class=note>Median and standard deviation of the posterior draws.</p>",
        _flag_list(table),
        *_aperture_part(sums),
        "<h2>Images</h2>",
        _table(["image", "chi² per pixel"], [[name, f"{value:.3f}"] for name, value in chi2.items()]),
        "<h2>Patches</h2>",
        _table(*_patch_table(results)),
    ]
    body = "\n".join(parts)
    write_text(
        path,
        f"<!doctype html>\n<html lang=en><meta charset=utf-8><title>fpho summary</title>\n"
        f"<style>{STYLE}</style>\n<body>\n{body}\n</body></html>\n",
    )


def _aperture_part(sums) -> list[str]:
    """Whether aperture photometry agrees."""
    if sums is None or not len(sums):
        return []
    note = (
        "The same pixels made both: pulls are narrower than 1 where all is well. Each source: apertures.ecsv."
    )
    return ["<h2>Fluxes within circles</h2>", _table(*summarised(sums)), f"<p class=note>{note}</p>"]


def _image(path) -> str:
    kind, picture = _small(Path(path).read_bytes())
    data = base64.b64encode(picture).decode()
    return f'<p><img alt="{html.escape(Path(path).stem)}" src="data:image/{kind};base64,{data}"></p>'


def _small(picture: bytes) -> tuple[str, bytes]:
    """(Kind, file): a PNG of much noise, which says nothing more here, as JPEG of a screen's width."""
    if len(picture) < LARGE:
        return "png", picture
    from PIL import Image  # what drew the picture needs it

    image, out = Image.open(io.BytesIO(picture)).convert("RGB"), io.BytesIO()
    image.thumbnail((WIDE, WIDE))
    image.save(out, "JPEG", quality=85)
    return "jpeg", out.getvalue()


def _table(head, rows, kind: str = "") -> str:
    note = f"<p class=note>{len(rows) - MOST_ROWS} more are not shown.</p>" if len(rows) > MOST_ROWS else ""
    rows = rows[:MOST_ROWS]
    cells = ["<tr>" + "".join(f"<th>{html.escape(str(name))}</th>" for name in head) + "</tr>"]
    cells += [
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    ]
    return f'<div class=scroll><table class="{kind}">' + "\n".join(cells) + "</table></div>" + note


def _source_table(table, bands):
    names = [*bands, "rhalf_major", "sersic", "axis_ratio", "position_angle"]
    head = ["source", "flags", "RA (deg)", "Dec (deg)", *(_heading(name, table) for name in names)]
    head += ["R-hat", "effective sample size", "chi² per pixel"]
    rows = []
    for row in table:
        values = [value_text(row[name], row[f"{name}_err"]) for name in names]
        place = [f"{row['ra']:.6f}", f"{row['dec']:.6f}"]
        quality = [
            number_text(row[n], form) for n, form in (("rhat", ".3f"), ("ess", ".0f"), ("chi2", ".2f"))
        ]
        flags = ", ".join(words(name) for name in describe(int(row["flags"])))
        rows.append([f"{row['source_index']} {row['id']}", flags, *place, *values, *quality])
    return head, rows


def words(flag: str) -> str:
    """A flag's name in plain words."""
    return flag.lower().replace("_", " ").replace("psf", "PSF")


def _heading(name: str, table) -> str:
    unit = table[name].unit
    return HEADINGS.get(name, name) + (f" ({unit})" if unit else "")


def number_text(value: float, form: str) -> str:
    """A number in a format; a dash where there is none."""
    return f"{value:{form}}" if np.isfinite(value) else "–"


def value_text(value: float, error: float) -> str:
    """A value with its uncertainty, to two digits of the latter; alone where that is unknown; or a dash."""
    if not np.isfinite(value):
        return "–"
    if not np.isfinite(error):
        return f"{value:.4g}"
    digits = max(0, 1 - int(np.floor(np.log10(error)))) if error > 0 else 3
    return f"{value:.{min(digits, 6)}f} ± {error:.{min(digits, 6)}f}"


def _flag_list(table) -> str:
    used = int(np.bitwise_or.reduce(np.asarray(table["flags"], "i8"))) if len(table) else 0
    items = [
        f"<li><b>{words(flag.name)}</b> ({flag.name}): {html.escape(text)}</li>"
        for flag, text in DESCRIPTIONS.items()
        if used & flag
    ]
    return f"<p>Flags that occur:</p><ul>{''.join(items)}</ul>" if items else "<p>No source is flagged.</p>"


def _patch_table(results: Results):
    known = {key for patch in results.patches for key in patch.summary}
    keys = [key for key in PATCH_COLUMNS if key in known]
    failed = any(patch.failure for patch in results.patches)
    head = ["patch", "sources", "images", *(PATCH_COLUMNS[key] for key in keys)]
    head += ["failed, its sources stand at their optimum"] if failed else []
    rows = []
    for patch in results.patches:
        values = [number_text(float(patch.summary.get(key, np.nan)), ".4g") for key in keys]
        failure = [patch.failure] if failed else []
        rows.append([patch.number, len(patch.active), len(patch.exposures), *values, *failure])
    return head, rows
