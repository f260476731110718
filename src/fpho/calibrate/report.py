"""The answer of a calibration: tables as text, Markdown and one page of HTML with its pictures."""

import base64
import html
from pathlib import Path

import numpy as np

from .. import __version__
from ..files import write_text

STYLE = """body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em }
table { border-collapse: collapse; font-size: 0.87em } img { max-width: 100% }
th, td { padding: 0.15em 0.7em; text-align: right; border-bottom: 1px solid #ddd }"""
SHOWN = {
    "coverage": (
        "quantity",
        "n",
        "cover68",
        "cover95",
        "pull_mean",
        "pull_sd",
        "p_chi2",
        "p_ks",
        "met",
        "consistent",
    ),
    "bias": (
        "snr_from",
        "snr_to",
        "n",
        "limit",
        "draws",
        "draws_err",
        "optimum",
        "by_data",
        "by_data_err",
        "met",
        "consistent",
    ),
    "empty": ("from", "band", "n", "mean", "sd", "beyond_3_sigma", "met"),
}
LIMITS_TEXT = {
    "coverage": "Limits: 68% intervals cover 65-71%, 95% intervals 93-97%, |mean pull| < 0.1, "
    "sd of pulls 0.9-1.1, p > 0.01 (chi-square and Kolmogorov-Smirnov tests of uniform ranks). `met`: inside "
    "them; `consistent`: by two standard errors of so many independent sources.",
    "bias": "Relative flux bias of the mean of the draws and of the optimum, by true S/N (it holds the priors"
    "' pull), sources weighted by S/N squared; by_data: of the draws in bins of flux / error, 0 for a right "
    "posterior. `met`: `draws` below the limit; `consistent`: by two standard errors.",
    "empty": "Flux over its error where there is nothing. Limits: |mean| < 0.15, sd 0.9-1.1.",
}


def markdown(title: str, facts: list[str], sections: dict) -> str:
    """sections: heading to (names of columns, note, astropy table)."""
    parts = [f"# {title}", "", *[f"- {fact}" for fact in facts], ""]
    for heading, (head, note, table) in sections.items():
        rows = cells(head, table)
        parts += [f"## {heading}", "", note, "", "| " + " | ".join(head) + " |"]
        parts += ["|" + "---|" * len(head), *("| " + " | ".join(row) + " |" for row in rows), ""]
    return "\n".join(parts)


def page(path, title: str, facts: list[str], sections: dict, pictures) -> None:
    """Write the page of HTML, pictures inside."""
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        "<ul>",
        *(f"<li>{html.escape(f)}</li>" for f in facts),
        "</ul>",
    ]
    for heading, (head, note, table) in sections.items():
        lines = [_row(head, "th"), *(_row(row, "td") for row in cells(head, table))]
        parts += [f"<h2>{html.escape(heading)}</h2><p>{html.escape(note)}</p>"]
        parts += ["<table>", *lines, "</table>"]
    parts += [_image(picture) for picture in pictures]
    write_text(
        path,
        f"<!doctype html>\n<html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>\n"
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + f"\n<p>fpho {__version__}</p></html>\n",
    )


def section(kind: str, table) -> tuple:
    """(names of columns, note, table) of one of the tables of `figures`."""
    return SHOWN[kind], LIMITS_TEXT[kind], table


def cells(names, table) -> list[list[str]]:
    """Rows of text."""
    return [[_text(row[name]) for name in names] for row in table]


def _text(value) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return "–" if np.isnan(value) else f"{value:.4g}" if abs(value) < 1 else f"{value:.3g}"
    return str(value)


def _row(texts, tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in texts) + "</tr>"


def _image(path) -> str:
    data = base64.b64encode(Path(path).read_bytes()).decode()
    return f'<p><img alt="{html.escape(Path(path).stem)}" src="data:image/png;base64,{data}"></p>'
