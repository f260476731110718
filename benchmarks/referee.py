"""Draws of the default sampler against referees that know the true likelihood alone.

    python benchmarks/referee.py [NAME ...] [--by forces] [--draws N] [--patches N] [--seed N]

Referees: `forces`, long chains along forces of the likelihood of all pixels (`sampler: split`, no reduced
posterior); `weights`, importance sampling (see `weights`), which cannot be caught in a tail. The same data
are sampled again and again as the stage `sample` does it. A width is the root of the mean square about the
referee's mean, a quantile the share of draws below the referee's own. Each deviation is told in its own
standard errors: the referee's from effective samples of just that series, or from weights, the patches' from
their scatter, and as few patches tell a scatter roughly, by Student's t (Welch) as those of a Gaussian.
"""

import argparse
import tempfile
from typing import NamedTuple

import numpy as np
from inference import cpu, make_exposures, make_rows, make_store, move, noise_for, prepare, scenes
from scipy.stats import norm, t
from weights import weighed

from fpho.config import Population, Priors
from fpho.optimize import run_opt
from fpho.sampling import chains as several
from fpho.sampling import run_lmc
from fpho.sampling.diagnostics import effective_size
from fpho.sampling.ridge import coordinates
from fpho.sampling.rules import Limits
from fpho.sampling.start import find_start

CUTS = (0.005, 0.01, 0.05, 0.16, 0.5, 0.84, 0.95, 0.99, 0.995)
KINDS = ("mean", "width", *(f"{100 * cut:g}%" for cut in CUTS))
CHAINS, WARMUP = 4, 500
FITTED, COMPONENTS = 12, 8  # patches whose places the mixture is fitted to, none of those compared; its parts
UNBOUNDED = Limits(max_extensions=0, evaluations=np.inf)  # a budget would cut the referee's chains
COLUMNS = (
    "",
    "coordinates",
    "referee: effective draws, least",
    "patches accepted, evaluations",
    "means: farthest, in sd",
    "widths",
    "mass beyond the outer quantiles",
    "largest deviation of means, widths, quantiles",
    "which",
    "beyond 3",
    "rms",
    "referee: CPU s",
)
LEFT_OUT = "twelve"  # a referee of 108 coordinates takes hours


class Referee(NamedTuple):
    """What the true posterior's quantities are."""

    mean: np.ndarray  # (P,)
    cuts: np.ndarray  # (Q, P) its quantiles CUTS
    values: np.ndarray  # (K, P) its averages of `series`
    error: np.ndarray  # (K, P) their standard errors
    effective: float  # draws, of the column that has fewest


def all_scenes(rng) -> dict[str, tuple]:
    """Those of `inference`, and two that only this asks for."""
    one, bands, shape, snr, per_band, _ = scenes(rng)["one galaxy, S/N 8"]
    pair = make_rows(("r",), 2)
    pair["r"], pair["sersic"], pair["rhalf"] = [100, 80], [4.0, 3.5], [0.25, 0.15]
    move(pair, [0, 0.16], [0, 0.18])
    more = {
        "one galaxy, S/N 8, fluxes flat": (
            one, bands, shape, snr, per_band, Priors(population=Population(use=False))
        ),
        "pair 0.24 arcsec apart, large indices": (pair, ("r",), (64, 64), 50, 1, Priors()),
    }  # fmt: skip
    return {name: scene for name, scene in scenes(rng).items() if LEFT_OUT not in name} | more


def posterior_of(store, rng, rows, bands, shape, snr, per_band, priors):
    """The posterior of a scene, and its optimum as a vector q."""
    exposures = make_exposures(rows, bands, shape, noise_for(rows, bands[0], shape, snr), rng, per_band)
    model, q = prepare(exposures, store, bands, rows, priors)
    return model, run_opt(model, q)[0].q


def series(draws, mean, cuts) -> np.ndarray:
    """(..., K, P) of draws (..., P): what is averaged for each of KINDS."""
    away = draws - mean
    return np.stack([away, away**2, *(draws < cut for cut in cuts)], axis=-2)


def by_forces(model, q, n_draws: int, seed: int) -> Referee:
    """Chains along true forces."""
    options = {"n_draws": n_draws // CHAINS, "warmup": WARMUP, "chains": CHAINS, "limits": UNBOUNDED}
    out, _, _ = run_lmc(model, q, sampler="split", seed=seed, **options)
    draws = in_q(out)
    mean, cuts = draws.mean(axis=(0, 1)), np.quantile(draws.reshape(-1, draws.shape[-1]), CUTS, axis=0)
    values = series(draws, mean, cuts)
    flat = values.reshape(*values.shape[:2], -1)
    error = (flat.std(axis=(0, 1)) / np.sqrt(effective_size(flat))).reshape(values.shape[2:])
    return Referee(mean, cuts, values.mean(axis=(0, 1)), error, float(effective_size(draws).min()))


def by_weights(model, q, n_draws: int, seed: int) -> Referee:
    """Importance sampling in the coordinates of the chains."""
    target = coordinates(model, find_start(model, q, None, True, False))
    places = np.concatenate([places_of(model, q, seed + 1000 + k) for k in range(FITTED)])
    rng = np.random.default_rng([seed, 7])
    y, weights = weighed(lambda y: target.lnprob_and_grad(y)[0], places, n_draws, COMPONENTS, rng)
    draws = model.transform.transform(target.to_z(y)[0])
    mean, cuts = weights @ draws, np.stack([quantiles(column, weights) for column in draws.T], axis=1)
    values = series(draws, mean, cuts)
    average = np.tensordot(weights, values, axes=1)
    error = np.sqrt(np.tensordot(weights**2, (values - average) ** 2, axes=1))
    return Referee(mean, cuts, average, error, float(1 / np.sum(weights**2)))


REFEREES = {"forces": by_forces, "weights": by_weights}


def places_of(model, q, seed: int) -> np.ndarray:
    """Draws (N, ndim) of a patch in the coordinates in which its chains walk."""
    kept, collect = [], several.collect_draws

    def listening(*arguments):
        kept.append(collect(*arguments))
        return kept[-1]

    several.collect_draws = listening
    try:
        run_lmc(model, q, seed=seed, limits=Limits())
    finally:
        several.collect_draws = collect
    return kept[-1][0].reshape(-1, model.ndim)


def quantiles(values, weights) -> np.ndarray:
    """Quantiles CUTS of weighted values (N,)."""
    order = np.argsort(values)
    return values[order][np.searchsorted(np.cumsum(weights[order]), CUTS)]


def in_q(out) -> np.ndarray:
    """Draws (chain, draw, P) of a result, in the columns of q."""
    return out.chain.reshape(*out.z.shape[:2], -1)


def deviations(referee: Referee, patches) -> np.ndarray:
    """(K, P) of the mean of patches (R, K, P) from the referee, in standard errors of a Gaussian."""
    n, variance = len(patches), patches.var(axis=0, ddof=1) / len(patches)
    total = variance + referee.error**2
    freedom = total**2 * (n - 1) / np.maximum(variance**2, 1e-300)
    away = (patches.mean(axis=0) - referee.values) / np.sqrt(total)
    return np.sign(away) * norm.isf(t.sf(np.abs(away), freedom))


def compare(name, model, q, given) -> np.ndarray:
    """Prints a posterior's row; deviations (K, P)."""
    spent, referee = cpu(REFEREES[given.by], model, q, given.draws, given.seed)
    found, calls, accepted = [], [], 0
    for k in range(given.patches):
        out, _, _ = run_lmc(model, q, seed=given.seed + 1 + k, limits=Limits())
        found.append(series(in_q(out), referee.mean, referee.cuts).mean(axis=(0, 1)))
        calls.append(out.ncall)
        accepted += out.summary.accepted
    away, middle = deviations(referee, np.array(found)), np.mean(found, axis=0)
    sd = np.sqrt(referee.values[1])
    widths, tails = np.sqrt(middle[1]) / sd, tail_masses(middle, referee.values)
    worst = np.unravel_index(np.abs(away).argmax(), away.shape)
    cells = (
        name,
        model.ndim,
        f"{referee.effective:.0f}",
        f"{accepted} of {given.patches}, {np.median(calls):.0f}",
        f"{np.abs((middle[0] - referee.values[0]) / sd).max():.3f}",
        f"{widths.min():.3f} to {widths.max():.3f}",
        " ".join(f"{x:.2f}" for x in tails),
        ", ".join(f"{np.abs(some).max():.1f}" for some in (away[0], away[1], away[2:])),
        f"{KINDS[worst[0]]} of column {worst[1]}",
        f"{np.sum(np.abs(away) > 3)} of {away.size}",
        f"{np.sqrt(np.mean(away**2)):.2f}",
        f"{spent:.0f}",
    )
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    return away


def tail_masses(patches, referee) -> np.ndarray:
    """Mass of draws beyond the outer quantiles as a multiple of the referee's, mean over parameters."""
    outer = np.abs(np.array(CUTS) - 0.5) > 0.4
    low = np.array(CUTS)[outer] < 0.5
    mine, theirs = (np.where(low[:, None], x, 1 - x) for x in (patches[2:][outer], referee[2:][outer]))
    return (mine / theirs).mean(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="posteriors whose names hold one of these; all when none")
    parser.add_argument("--by", choices=tuple(REFEREES), default="weights", help="the referee")
    parser.add_argument("--draws", type=int, default=24000, help="of the referee")
    parser.add_argument("--patches", type=int, default=32, help="draws by the default sampler")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|", flush=True)
    everything = []
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(folder)
        for k, (name, scene) in enumerate(all_scenes(np.random.default_rng(given.seed)).items()):
            if given.names and not any(part in name for part in given.names):
                continue
            model, q = posterior_of(store, np.random.default_rng([given.seed, k]), *scene)
            everything.append(compare(name, model, q, given).ravel())
    values = np.concatenate(everything)
    print(f"\n{np.sum(np.abs(values) > 3)} of {len(values)} deviations beyond 3 standard errors, "
          f"{0.0027 * len(values):.1f} expected; rms {np.sqrt(np.mean(values**2)):.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
