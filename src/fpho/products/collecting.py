"""All results of a run in one place: sources with their draws, patches with their summaries."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..layout import Layout
from ..parameters import ellipticity, from_ellipticity, q_names, scene_dtype, wrap_degrees
from ..results import Samples, plain
from ..sampling.diagnostics import bulk_ess, rhat, tail_ess


@dataclass(frozen=True)
class SourceResult:
    """One source: its scene row, its draws (structured (N,), chain after chain) and how well they mixed."""

    row: np.void
    draws: np.ndarray
    n_chains: int
    patch: int
    rhat: float
    ess: float
    chi2: float = np.nan  # mean squared residual (sigma^2) near the source, at the medians
    chi2_pixels: int = 0  # that it is the mean of

    @property
    def name(self) -> str:
        """Source index, and the id of the input catalog where there is one."""
        given = str(self.row["id"])
        return f"{self.row['source_index']} ({given})" if given else str(self.row["source_index"])


@dataclass(frozen=True)
class PatchResult:
    """One patch: region on the sky, source indices that it fitted, sampler's summary, its file.

    `backgrounds`: constant of each exposure (nJy per pixel) where it was fitted with the sources.
    """

    number: int
    region: object
    active: np.ndarray
    summary: dict
    exposures: list
    backgrounds: dict
    path: Path


@dataclass(frozen=True)
class Results:
    """Sources in the order of their index, and patches in the order of their number."""

    bands: list[str]
    sources: list[SourceResult]
    patches: list[PatchResult]

    @property
    def rows(self) -> np.ndarray:
        """Scene rows (S,) with the medians of the draws."""
        return median_rows(self)


def collect(root) -> Results:
    """Read the samples files of a run's folder (or of a list of files).

    A source that several patches fitted is taken from the last of them.
    """
    files = samples_files(root)
    sources, patches, bands = {}, [], []
    for path in files:
        samples = Samples(path)
        number = patch_number(path)
        bands = [str(band) for band in samples.bands]
        patches.append(_patch(number, path, samples))
        for result in _sources(number, samples, bands):
            sources[int(result.row["source_index"])] = result
    return Results(bands, [sources[i] for i in sorted(sources)], patches)


def samples_files(root) -> list[Path]:
    """Samples files under a run's folder in the order of the patches, or the given files."""
    if isinstance(root, list | tuple):
        return sorted(map(Path, root), key=patch_number)
    folder = Layout(Path(root)).patches
    found = sorted(folder.glob("patch*_samples.h5"), key=patch_number)
    if not found:
        raise InputError(
            folder, "no samples file patch*_samples.h5", "Run the sampling first, or give its folder"
        )
    return found


def patch_number(path) -> int:
    """Number in the name of a patch's file."""
    found = re.search(r"patch(\d+)", Path(path).name)
    if found is None:
        raise InputError(path, "no patch number in the name", "Samples files are named patch<i>_samples.h5")
    return int(found.group(1))


def _patch(number, path, samples) -> PatchResult:
    active = np.asarray(samples.active["source_index"])
    exposures = [str(name) for name in samples.exposures]
    costs = {name: samples.attrs[name] for name in ("ncall", "wall_time") if name in samples.attrs}
    n_sources = len(active) * len(q_names(samples.bands))
    constants = np.median(samples.chain[:, n_sources:], axis=0)  # there only with background: in_fit
    backgrounds = dict(zip(exposures, map(float, constants), strict=False))
    return PatchResult(
        number,
        samples.region,
        active,
        {**plain(samples.summary), **costs},
        exposures,
        backgrounds,
        Path(path),
    )


def _sources(number, samples, bands):
    n_pix = np.maximum(samples.source_n_pix, 1)
    chi2 = np.where(samples.source_n_pix > 0, samples.source_chi2 / n_pix, np.nan)
    for row, draws, near, n in zip(samples.final, samples.samples, chi2, samples.source_n_pix, strict=True):
        worst, ess = convergence(draws, bands, samples.n_chains)
        yield SourceResult(row, draws, samples.n_chains, number, worst, ess, float(near), int(n))


def convergence(draws, bands, n_chains: int) -> tuple[float, float]:
    """(largest R-hat, smallest bulk or tail effective sample size) of one source's parameters.

    draws : structured (N,), chain after chain. Shapes count by the components of the ellipticity, which
    do not wrap; parameters that are held fixed do not count.
    """
    e1, e2 = ellipticity(draws["q"], draws["pa"])
    values = [e1, e2, *(draws[name] for name in q_names(bands) if name not in ("q", "pa"))]
    free = [value.reshape(n_chains, -1) for value in values if np.ptp(value) > 0]
    if not free or free[0].shape[1] < 4:
        return np.nan, np.nan
    chains = np.stack(free, axis=-1)
    sizes = np.minimum(bulk_ess(chains), tail_ess(chains))
    return float(np.max(rhat(chains))), float(np.min(sizes))


def median_rows(results: Results) -> np.ndarray:
    """Scene rows with each parameter at the median of its draws (shapes: of the ellipticity's components)."""
    rows = np.zeros(len(results.sources), scene_dtype(results.bands))
    for row, source in zip(rows, results.sources, strict=True):
        for name in set(rows.dtype.names) & set(source.row.dtype.names):
            row[name] = source.row[name]
        for name in q_names(results.bands):
            row[name] = np.median(source.draws[name])
        first = source.draws["ra"][0]
        row["ra"] = np.mod(first + np.median(wrap_degrees(source.draws["ra"] - first)), 360.0)
        for band in results.bands:
            row[f"{band}_err"] = np.std(source.draws[band])
        e1, e2 = ellipticity(source.draws["q"], source.draws["pa"])
        row["q"], row["pa"] = from_ellipticity(np.median(e1), np.median(e2))
    return rows
