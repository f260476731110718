"""How far each exposure's WCS is off, measured with the sources themselves.

Exposures are registered to some hundredths of an arcsec at best. A model that is sharp and shared by all
exposures then leaves dipoles at the cores of bright sources. Here a shift of each image is fitted to its
residuals, together with a constant and a factor on the model, by linear least squares; the mean over
all images is taken out, so that the frame of the positions stays as it was.
"""

import numpy as np

from . import tables
from .files import write_text
from .geometry import linearize
from .images import ShiftedWCS
from .tables import Column, boolean, float_or_nan, number

COLUMNS = ("exposure", "band", "dx", "dy", "dx_error", "dy_error", "significance", "used")
READ = [
    Column("exposure", needed=True),
    Column("band", default=""),
    Column("dx", number, needed=True),
    Column("dy", number, needed=True),
    *(Column(name, float_or_nan) for name in ("dx_error", "dy_error", "significance")),
    Column("used", boolean, needed=True),
]
STEP = 0.1  # pixel; of the central differences of a model by its place
SMALLEST = 0.01  # pixel; shifts below this are of no consequence


def fit_shift(data, ierr, model, by_x, by_y) -> tuple[np.ndarray, np.ndarray]:
    """(shift (2,), error (2,)) in pixels of a model image (ny, nx) towards the data.

    `by_x`, `by_y`: derivatives of the model by its place, nJy per pixel and pixel.
    """
    columns = np.stack([by_x, by_y, np.ones_like(model), model]).reshape(4, -1)
    weight = np.square(ierr, dtype="f8").ravel()
    scale = np.sqrt(np.maximum((columns**2 * weight).sum(axis=1), 1e-300))
    matrix = (columns * weight) @ columns.T / np.outer(scale, scale)
    right = (columns * weight) @ (data - model).ravel() / scale
    inverse = np.linalg.pinv(matrix, rcond=1e-10)
    solution, error = inverse @ right / scale, np.sqrt(np.diag(inverse)) / scale
    blank = scale[:2] < 1e-100  # a model without light says nothing
    return solution[:2], np.where(blank, np.inf, error[:2])


def measure_shift(exposure, draw, iterations: int = 3, largest: float = 2.0):
    """(shift, error) in pixels of an `Exposure`; `draw(wcs)` gives its model (ny, nx) for a WCS.

    No shift, with infinite error, where it runs beyond `largest` pixels or nothing is there to be measured.
    """
    shift, error = np.zeros(2), np.full(2, np.inf)
    for _ in range(iterations):
        images = [draw(ShiftedWCS(exposure.wcs, shift + step)) for step in STEP * _STENCIL]
        by_x, by_y = (images[1] - images[2]) / (2 * STEP), (images[3] - images[4]) / (2 * STEP)
        step, error = fit_shift(exposure.data, exposure.ierr, images[0], by_x, by_y)
        shift = shift + step
        if not np.all(np.isfinite(error)) or np.hypot(*shift) > largest:
            return np.zeros(2), np.full(2, np.inf)
    return shift, error


_STENCIL = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]], float)


def shift_table(measured, ra: float, dec: float, nsigma: float) -> list[dict]:
    """Rows of the table from (exposure, shift, error) triples; the mean on the sky around (ra, dec) is 0."""
    scales = [linearize(exposure.wcs, ra, dec)[1][0] for exposure, _, _ in measured]
    shifts = np.array([shift for _, shift, _ in measured]).reshape(-1, 2)
    errors = np.array([error for _, _, error in measured]).reshape(-1, 2)
    sky = np.array([np.linalg.solve(scale, shift) for scale, shift in zip(scales, shifts, strict=True)])
    weight = np.where(np.isfinite(errors).all(axis=1), 1 / np.maximum(errors.prod(axis=1), 1e-12), 0.0)
    mean = weight @ sky / weight.sum() if weight.sum() > 0 else np.zeros(2)
    rows = []
    for (exposure, _, error), shift, scale in zip(measured, shifts, scales, strict=True):
        centred = shift - scale @ mean if np.all(np.isfinite(error)) else np.zeros(2)
        significance = float(np.sqrt(np.sum((centred / error) ** 2)))
        used = significance >= nsigma and np.hypot(*centred) >= SMALLEST
        values = exposure.id, exposure.band, *centred, *error, significance, int(used)
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def write_shifts(path, rows: list[dict], comment: str) -> None:
    """The table as TSV, atomically; it can be edited and given back."""
    lines = [f"# {comment}", "\t".join(COLUMNS)]
    lines += ["\t".join(_text(row[name]) for name in COLUMNS) for row in rows]
    write_text(path, "\n".join(lines) + "\n", seal=True)


def read_shifts(path) -> dict[str, np.ndarray]:
    """Shift (2,) in pixels of each exposure that is to be moved, by its id."""
    rows = tables.read_table(path, READ, "table of shifts", "Mend registration.table, or leave it out")
    return {row["exposure"]: np.array([row["dx"], row["dy"]]) for row in rows if row["used"]}


def _text(value) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
