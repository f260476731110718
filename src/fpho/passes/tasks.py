"""What a pass hands to a worker for one patch, and what it gets back."""

from dataclasses import dataclass, field

import numpy as np

from ..config import Config
from ..layout import Layout
from ..records import StoredRecord
from .files import FitFiles
from .plan import PatchPlan

BESIDE_CHAINS = 2**31  # place of the random numbers beside those of chains


@dataclass(frozen=True)
class PatchTask:
    """One patch of a pass, complete: a worker needs nothing else but the run's stores."""

    config: Config
    layout: Layout
    stage: str  # optimize, reoptimize or sample
    files: FitFiles
    patch: PatchPlan
    bands: tuple[str, ...]
    active: np.ndarray  # scene rows (S,)
    halo: np.ndarray  # scene rows of sources that are fitted along and not kept
    fixed: np.ndarray  # scene rows
    seed: np.random.SeedSequence
    identity: str = ""  # hash of all that the result depends on
    checkpoint: str = ""  # path of a file for check-points, in the work folder
    cores: int = 1  # processes that the patch may use; results do not depend on it
    earlier: tuple[StoredRecord | None, ...] = ()  # draws that it goes on from: its own, then neighbours

    def own_generator(self) -> np.random.Generator:
        """Random numbers that no chain of the patch has, the same in each run."""
        key = (*self.seed.spawn_key, BESIDE_CHAINS)
        return np.random.default_rng(np.random.SeedSequence(self.seed.entropy, spawn_key=key))


@dataclass(frozen=True)
class OptimumLog:
    """How an optimum was found (see `fpho.run_opt`), and how well it fits."""

    converged: bool
    message: str
    ncall: int  # evaluations of ln p and its gradient
    n_fisher: int  # Fisher matrices
    restarted: bool
    decrement: float  # expected gain in ln p of one more step
    wall_time: float  # seconds
    lnp: float
    exposures: tuple[str, ...]  # E ids
    chi2: tuple[float, ...]  # (E,)
    n_pix: tuple[int, ...]  # (E,) good pixels
    flux_precision: tuple  # (B, S, S) nJy^-2, other parameters held
    structure: tuple = ()  # (S,) what patterns tell of each source, see `results.structure.telling`
    apertures: tuple = ()  # (3, S, B, A) radii (arcsec), fluxes and errors (nJy) of `results.Apertures`


@dataclass(frozen=True)
class DrawsLog:
    """How a patch was sampled."""

    summary: dict  # `fpho.results.Summary`
    ncall: int  # evaluations of ln p and its gradient
    ncall_warmup: int  # of these, before draws that count
    extensions: int  # times that the chains ran on


@dataclass(frozen=True)
class PatchLog:
    """What the log of a pass says about a patch; JSON holds the same."""

    patch: int = -1  # number in the plan
    task: str = ""  # hash of all that the result depends on
    active: tuple[str, ...] = ()  # ids of its sources
    halo: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    seen: tuple = ()  # (N, P) parameters of the fixed sources that an optimum was found with
    blur: float = 0.0  # half-light radius of the widest PSF, arcsec
    seconds: float = 0.0
    message: str = "done"  # for the progress of the pass
    failure: str = ""  # why the fit failed; empty if it did not
    traceback: str = ""
    n_draws: int = 0  # kept, all chains
    sums: dict[str, str] = field(default_factory=dict)  # checksums of `contents`
    fit: OptimumLog | DrawsLog | None = None


def log_from(tree: dict) -> PatchLog:
    """A log from its JSON."""
    known = {name: tuple(value) if isinstance(value, list) else value for name, value in tree.items()}
    fit = known.get("fit")
    if fit is not None:
        kind = DrawsLog if "summary" in fit else OptimumLog
        known["fit"] = kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in fit.items()})
    return PatchLog(**known)


@dataclass(frozen=True)
class PatchOutcome:
    """Result of a patch."""

    final: np.ndarray  # scene rows (S,) of the active sources, with errors and flags
    log: PatchLog = PatchLog()
    contents: dict[str, bytes] = field(default_factory=dict)  # to be kept beside it: `samples`, `residuals`
