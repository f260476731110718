"""All results of a run in one place: every source of the plan, with its draws where it has some."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..flags import Flag
from ..parameters import q_names
from ..records import StoredRecord
from ..results import Apertures, Samples, plain
from ..results.reading import read_draws
from .medians import convergence, median_row
from .planned import Planned, PlannedPatch, planned


@dataclass(frozen=True)
class SourceResult:
    """One source: its final scene row, the row at the medians of its draws, and how well they mixed.

    A source without draws (flag NO_DRAWS) has both rows at its optimum.
    """

    row: np.void
    median: np.void
    load: Callable[[], np.ndarray]  # draws, structured (N,), chain after chain; read when asked for
    n_draws: int
    n_chains: int
    patch: int
    rhat: float = np.nan
    ess: float = np.nan
    chi2: float = np.nan  # mean squared residual (sigma^2) near the source, at the medians
    chi2_pixels: int = 0  # that it is the mean of
    misfit: float = 1.0  # by which variances grew, see `fpho.results.misfit`
    apertures: Apertures | None = None  # (B, A) fluxes within circles

    @property
    def draws(self) -> np.ndarray:
        """Structured (N,), in the order of `fpho.parameters.q_names`, chain after chain."""
        return self.load()

    @property
    def name(self) -> str:
        """Source index, and the id of the input catalog where there is one."""
        given = str(self.row["id"])
        return f"{self.row['source_index']} ({given})" if given else str(self.row["source_index"])


@dataclass(frozen=True)
class PatchResult:
    """One patch: region on the sky, source indices that it fitted, sampler's summary, its samples.

    `backgrounds`: constant of each exposure (nJy per pixel) where it was fitted with the sources.
    `failure`: why it has no draws.
    """

    number: int
    region: object
    active: np.ndarray
    summary: dict
    exposures: list
    backgrounds: dict
    draws: Path | StoredRecord | None
    failure: str = ""


@dataclass(frozen=True)
class Results:
    """Sources in the order of their index, and patches in that of their plan."""

    bands: list[str]
    sources: list[SourceResult]
    patches: list[PatchResult]

    @property
    def rows(self) -> np.ndarray:
        """Scene rows (S,) with the medians of the draws."""
        return np.array([source.median for source in self.sources])


@dataclass(frozen=True)
class StoredDraws:
    """Draws of the source at a place in a patch's samples, read when called."""

    samples: Path | StoredRecord
    place: int

    def __call__(self) -> np.ndarray:
        file = self.samples if isinstance(self.samples, Path) else self.samples.path
        return _draws(self.samples, file.stat().st_mtime_ns)[self.place]


def collected(root) -> "Results":
    """The results of a run, given its folder or themselves."""
    return root if isinstance(root, Results) else collect(root)


def collect(root) -> Results:
    """Every source of a run's folder (or of a list of samples files), once.

    A source that several patches fitted is taken from the last that has draws; one without draws stands at
    its optimum, flagged. Draws are read when they are asked for.

    Raises
    ------
    InputError
        If the files do not hold the sources that the plan says.
    """
    plan = planned(root)
    sources, patches, bands = {}, [], plan.bands or []
    for patch in plan.patches:
        if patch.draws is None:
            active = np.array(patch.active, int)
            patches.append(PatchResult(patch.number, patch.region, active, {}, [], {}, None, patch.failure))
            continue
        samples = Samples(patch.draws)
        _check(patch, samples)
        bands = [str(band) for band in samples.bands]
        patches.append(_patch(patch, samples))
        sources |= {int(result.row["source_index"]): result for result in _sources(patch, samples, bands)}
    if plan.rows is not None:
        sources = _every(plan, sources)
    return Results(bands, [sources[i] for i in sorted(sources)], patches)


def _check(patch: PlannedPatch, samples: Samples) -> None:
    found = tuple(int(i) for i in samples.active["source_index"])
    if patch.active is not None and found != patch.active:
        text = f"it holds sources {found}, and the plan says {patch.active}"
        raise InputError(patch.draws, text, "It is of another run: sample this one again")


def _every(plan: Planned, sources: dict) -> dict:
    """Sources of all rows of the scene: count in = count out."""
    wanted = {int(row["source_index"]): row for row in plan.rows}
    strangers = sorted(set(sources) - set(wanted))
    if strangers:
        text = f"sources {strangers} are not among the valid ones of the scene"
        raise InputError("samples files", text, "They are of another run: sample this one again")
    last = {index: patch.number for patch in plan.patches for index in patch.active}
    out = {}
    for index, row in wanted.items():
        known = sources.get(index)
        out[index] = (
            _unsampled(row, plan.bands, last.get(index, -1)) if known is None else _flagged(known, row)
        )
    return out


def _unsampled(row, bands, patch: int) -> SourceResult:
    row = row.copy()
    row["flags"] |= int(Flag.NO_DRAWS)
    empty = np.zeros(0, [(name, "f8") for name in q_names(bands)])
    return SourceResult(row, row, empty.copy, 0, 0, patch)


def _flagged(source: SourceResult, state) -> SourceResult:
    """With the flags of the scene's state, too, which knows of a later round that failed."""
    row, median = source.row.copy(), source.median.copy()
    row["flags"] |= state["flags"]
    median["flags"] = row["flags"]
    return replace(source, row=row, median=median)


def _patch(patch: PlannedPatch, samples) -> PatchResult:
    active = np.asarray(samples.active["source_index"])
    exposures = [str(name) for name in samples.exposures]
    costs = {name: samples.attrs[name] for name in ("ncall", "wall_time") if name in samples.attrs}
    n_sources = len(active) * len(q_names(samples.bands))
    constants = np.median(samples.chain[:, n_sources:], axis=0)  # there only with background: in_fit
    backgrounds = dict(zip(exposures, map(float, constants), strict=False))
    summary = {**plain(samples.summary), **costs}
    return PatchResult(patch.number, samples.region, active, summary, exposures, backgrounds, patch.draws)


def _sources(patch: PlannedPatch, samples, bands):
    n_pix = np.maximum(samples.source_n_pix, 1)
    chi2 = np.where(samples.source_n_pix > 0, samples.source_chi2 / n_pix, np.nan)
    numbers = chi2, samples.source_n_pix, samples.source_misfit
    parts = zip(samples.final, samples.samples, *numbers, strict=True)
    for place, (row, draws, near, n, factor) in enumerate(parts):
        yield SourceResult(
            row,
            median_row(row, draws, bands),
            StoredDraws(patch.draws, place),
            len(draws),
            samples.n_chains,
            patch.number,
            *convergence(draws, bands, samples.n_chains),
            float(near),
            int(n),
            float(factor),
            Apertures(*(getattr(samples.apertures, name)[place] for name in ("radius", "flux", "error"))),
        )


@lru_cache(maxsize=4)
def _draws(samples: Path | StoredRecord, changed: int) -> np.ndarray:
    """Draws of a patch, structured (S, N); a few are held, as their sources are asked for together."""
    return read_draws(samples)
