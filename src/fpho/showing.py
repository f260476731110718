"""Small tables for notebooks."""

from html import escape


def html_table(title: str, values: dict) -> str:
    """An HTML table of names and values; floats to four digits."""
    cells = "".join(
        f"<tr><th>{escape(str(k))}</th><td>{escape(_text(v))}</td></tr>" for k, v in values.items()
    )
    return f"<p>{escape(title)}</p><table>{cells}</table>"


def _text(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
