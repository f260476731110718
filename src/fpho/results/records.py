"""Records of a sampled patch: how its draws mixed, how they were made, what was fitted and beside what.

S sources, B bands, E exposures, C chains of N draws, n coordinates z, P numbers in the vector q.
`plain` and `record_of` are the one way into JSON and HDF5 attributes and back.
"""

from dataclasses import dataclass, fields
from types import UnionType
from typing import get_args, get_type_hints

import numpy as np

from ..geometry import CircularRegion
from .apertures import Apertures

BY_SOURCE = ("source_chi2", "source_n_pix", "source_misfit")  # (S,) of `FittedPatch`
PREFIX = "summary_"  # of a summary's attributes in a file


@dataclass(frozen=True)
class Summary:
    """How well the draws of a patch mix: the worst of its coordinates, each with the coordinate's name."""

    max_rhat: float  # rank-normalised split R-hat
    max_rhat_name: str
    min_bulk_ess: float  # effective sample size, draws
    min_bulk_ess_name: str
    min_tail_ess: float
    min_tail_ess_name: str
    divergences: int  # draws
    fraction_at_max_depth: float  # of the draws
    bfmi: float  # smallest Bayesian fraction of missing information of a chain
    max_sd_ratio: float | None = None  # sd of the draws in units of what the Fisher matrix predicts
    max_sd_ratio_name: str | None = None
    round_shift: float | None = None  # Gibbs rounds: largest change of a mean, in units of its sd
    round_widening: float | None = None  # Gibbs rounds: largest ratio of widths, after over before
    accepted: bool = False  # by the limits of the run

    @property
    def min_ess(self) -> float:
        """The smaller of bulk and tail effective sample size, draws."""
        return min(self.min_bulk_ess, self.min_tail_ess)


@dataclass(frozen=True)
class SamplerSettings:
    """How the draws of a patch were made."""

    n_draws: int  # asked of each chain
    warmup: int  # draws of each chain in which the step size was tuned
    max_treedepth: int
    target_accept: float  # acceptance that the step size was tuned for
    extensions: int = 0  # times that the patch ran on
    learnt_forces: bool = False  # whether the draws kept follow learnt forces
    budget_spent: bool = False  # the patch was ended for its evaluations, and kept as it was
    gibbs_round: int = 0  # 0: neighbours fixed; from 1: moved on with the neighbours' draws


@dataclass(frozen=True)
class HaloDraws:
    """Sources of other patches that were fitted along, and draws of own and halo sources together."""

    rows: np.ndarray  # scene rows of the halo (H,)
    bounds: np.ndarray  # structured (H,), lower and upper
    z: np.ndarray  # (C, N, n) of own sources, then halo, then backgrounds
    metric: np.ndarray  # (n, n) covariance in z, or its diagonal (n,)


@dataclass(frozen=True)
class FittedPatch:
    """What was fitted in a patch, and how well."""

    region: CircularRegion  # on the sky
    active: np.ndarray  # scene rows (S,) that the patch was built from
    fixed: np.ndarray  # scene rows
    final: np.ndarray  # scene rows (S,) at the medians, with flux errors (nJy) and flags
    final_q: np.ndarray  # (P,) the same as a vector
    bounds: np.ndarray  # structured (S,), lower and upper of each parameter
    number: int | None  # of the patch in its run
    cov: np.ndarray  # (n, n) covariance of z
    chi2: np.ndarray  # (E,) at `final_q`
    n_pix: np.ndarray  # (E,) good pixels
    source_chi2: np.ndarray  # (S,) near each source, all exposures
    source_n_pix: np.ndarray  # (S,) good pixels there
    source_misfit: np.ndarray  # (S,) k >= 1, by which variances grew for what the model leaves of the data
    apertures: Apertures  # fluxes within circles


def plain(record) -> dict:
    """A record of numbers and names as a dict that JSON and HDF5 attributes take; None is left out."""
    values = ((field.name, getattr(record, field.name)) for field in fields(record))
    return {name: value for name, value in values if value is not None}


def record_of(kind, values: dict):
    """The record of a class from what `plain` gave, numpy scalars made Python's; other keys are ignored."""
    types = get_type_hints(kind)
    return kind(**{name: _as(types[name], value) for name, value in values.items() if name in types})


def _as(kind, value):
    """A value in its field's own type."""
    return (get_args(kind)[0] if isinstance(kind, UnionType) else kind)(value)
