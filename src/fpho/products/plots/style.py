"""Look of all plots: colours that the colour-blind can tell apart, one font size, whole files or none.

Figures are made without pyplot's global state; matplotlib is imported in the functions only.
"""

import io
from contextlib import contextmanager
from functools import cache

import numpy as np

from ...extras import require
from ...files import atomic

# Okabe & Ito (2008), "Color Universal Design", without yellow, which is too faint for lines
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
TRUTH = "#D55E00"
MARK = "#D55E00"
OTHERS = "#56B4E9"
MUTED = "0.45"
DATA_MAP = "gray_r"
RESIDUAL_MAP = "RdBu_r"
BLANK = "#a0a8b2"  # pixels that are masked: neither a grey of data nor a colour of residuals
STRETCH = 3.0  # sigma per pixel at which the asinh stretch turns from linear to logarithmic
RESIDUAL_RANGE = 5.0  # sigma
WIDEST = 1600  # pixels of a side that are drawn: panels have some 500, and each takes 100 bytes of memory
SETTINGS = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.0,
    "legend.frameon": False,
    "image.origin": "lower",
    "image.interpolation": "nearest",
    "savefig.dpi": 130,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,  # names of sources and bands are text, whatever signs they hold
}


@contextmanager
def figure(path, width: float, height: float, **options):
    """Yield a new Figure (sizes in inches) with our settings; it is saved whole at the end, as PNG.

    Without a path (None) it is not saved, and a notebook shows it.
    """
    require("plots", "matplotlib")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with matplotlib.rc_context(SETTINGS):
        fig = _drawing()(figsize=(width, height), **{"layout": "constrained", **options})
        FigureCanvasAgg(fig)
        yield fig
        if path is None:
            return
        with atomic(path) as temporary:
            fig.savefig(temporary, format="png")


@cache
def _drawing() -> type:
    import matplotlib
    from matplotlib.figure import Figure

    class Drawing(Figure):
        """A figure that a notebook shows without pyplot."""

        def _repr_png_(self) -> bytes:
            stream = io.BytesIO()
            with matplotlib.rc_context(SETTINGS):
                self.savefig(stream, format="png")
            return stream.getvalue()

    return Drawing


def headline(fig, text: str) -> None:
    """A title above everything else, of constant height in inches."""
    height = fig.get_size_inches()[1]
    fig.suptitle(text, fontsize=10, y=1 - 0.07 / height, va="top")
    fig.get_layout_engine().set(rect=(0, 0, 1, 1 - 0.3 / height))


def band_colours(bands) -> dict[str, str]:
    """A colour for each band: distinct ones for a few, a scale from blue to red for many."""
    if len(bands) <= len(COLOURS):
        return dict(zip(bands, COLOURS, strict=False))
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    scale = colormaps["turbo"](np.linspace(0.05, 0.95, len(bands)))
    return {band: to_hex(colour) for band, colour in zip(bands, scale, strict=True)}


def with_blank(name: str):
    """A colour map in which masked pixels (NaN) have a colour of their own."""
    from matplotlib import colormaps

    return colormaps[name].with_extremes(bad=BLANK)


def grey_norm(image, noise: float):
    """Norm of images in sigma: asinh, linear in the sky; from below the sky to nearly the brightest pixel."""
    from matplotlib.colors import AsinhNorm

    values = np.asarray(image)[np.isfinite(image)] / noise
    top = np.percentile(values, 99.9) if values.size else 1.0
    return AsinhNorm(linear_width=STRETCH, vmin=-STRETCH, vmax=max(top, 10.0))


def grey_bar(fig, image, **options) -> None:
    """Colour bar of an image in sigma with an asinh norm, with plain numbers."""
    top = image.norm.vmax
    ticks = [-3, -1, 0, 1, 3, *(step * 10**power for power in range(1, 7) for step in (1, 3))]
    ticks = [tick for tick in ticks if tick < top]
    bar = fig.colorbar(image, extend="both", ticks=ticks, **options)
    bar.ax.set_yticklabels([f"{tick:g}" for tick in ticks])
    bar.ax.minorticks_off()


def short(name, most: int = 40) -> str:
    """A name as it is written in pictures: cut where it is long; legends leave out what begins with `_`."""
    text = str(name)
    text = text if len(text) <= most else text[: most - 1] + "…"
    return f" {text}" if text.startswith("_") else text


def hide_axes(axes) -> None:
    """No ticks; a thin frame."""
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.5, color=MUTED)


def log_axis(axes, *names: str) -> None:
    """Make axes ("x", "y") logarithmic, with plain numbers at 1, 2, 5 times powers of ten; more if short."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for name in names:
        axes.set(**{f"{name}scale": "log"})
        axis = getattr(axes, f"{name}axis")
        low, high = getattr(axes, f"get_{name}lim")()
        short_one = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
        steps = (1.0,) if high / low > 300 else (1.0, 2.0, 5.0) if high / low > 6 else short_one
        axis.set_major_locator(LogLocator(subs=steps))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
