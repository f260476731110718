"""`run_lmc`: Hamiltonian chains on a static metric, run on until accepted or flagged."""

import hashlib
import logging
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..flags import Flag
from ..progress import progress
from ..results import Result, SamplerSettings, Summary
from ..workers import linear_algebra_alone
from . import chains as several
from . import nutpie
from .diagnostics import summarise
from .learning import learn_again, learn_forces
from .ridge import RidgeCoordinates, coordinates
from .rules import Limits, Phase, accepted, budget, extend, flags_of
from .start import Start, find_start, parameter_names
from .steps import ChainSettings

log = logging.getLogger("fpho")

ACCEPT = {
    "surrogate": 0.9,
    "split": 0.9,
    "littlemcmc": 0.8,
    "nutpie": 0.8,
}  # samplers, and the acceptance they aim at
LEARNT_WARMUP = 8  # draws of chains that start at draws of the reduced posterior
RELEARNT = 2  # times that forces are learnt anew from draws, before true ones are followed


@linear_algebra_alone()
def run_lmc(
    model,
    q,
    n_draws: int = 256,
    warmup: int = 64,
    z_cov=None,
    full: bool = True,
    weight: float | None = None,
    discard_tuned_samples: bool = True,
    max_treedepth: int = 10,
    progressbar: bool = False,
    *,
    chains: int = 4,
    seed=None,
    cores: int = 1,
    sampler: str = "surrogate",
    target_accept: float | None = None,
    limits: Limits | None = None,
    checkpoint: str = "",
    checkpoint_seconds: float = 60.0,
    adapt: bool = False,
):
    """Sample the posterior of a patch.

    Parameters
    ----------
    model : `Posterior`, or an object with `ndim` and `lnprob_and_grad(z) -> (float, fresh array)`
    q : (P,) vector to start from (for a model without `transform`: z)
    n_draws, warmup : per chain; the warm-up tunes the step size only
    z_cov : (ndim, ndim) covariance in z, the static metric. None: the inverse Fisher matrix at the
        optimum, which is searched when q is not near it; for a model without `fisher`, or with `adapt`, the
        unit matrix (or z_cov) is adapted to the draws of the warm-up in one long window
    full : False: only the metric's diagonal
    weight : draws that the metric at the start counts for where it is adapted (at least ndim)
    discard_tuned_samples : kept for callers of the older interface; tuning draws are never kept
    max_treedepth : deepest tree
    progressbar : a bar in a terminal, a line now and then in a log
    chains, cores : chains, and processes they may use; draws do not depend on `cores`
    seed : int or `numpy.random.SeedSequence`; derived from q when None
    sampler : `split` (Hamiltonian steps that solve the Gaussian part exactly), `surrogate` (along forces
        of a reduced posterior, see `reduced`, and `split` where these turn out not to be enough),
        `littlemcmc` (its NUTS; also where the metric is adapted) or `nutpie`
    target_accept : acceptance that the step size is tuned for; the sampler's own when None
    limits : what is accepted, and how often a patch may run on (never when None)
    checkpoint : stem of the files in which chains are kept every `checkpoint_seconds`; taken up when there

    Returns
    -------
    out : `Result`
    step : the step method (None with nutpie)
    stats : dict of arrays (chain, draw)
    """
    began = time.perf_counter()
    seed = _seed_sequence(seed, q)
    start = find_start(model, q, z_cov, full, adapt)
    limits = limits or Limits(max_extensions=0)
    if sampler not in ACCEPT:
        raise InputError("sample.sampler", f"{sampler!r} is not known", f"Use one of {', '.join(ACCEPT)}")
    if sampler in ("split", "surrogate") and start.adapt:
        sampler = "littlemcmc"
    target_accept = ACCEPT[sampler] if target_accept is None else target_accept
    if sampler == "nutpie":
        z, stats, used, warm = nutpie.sample(
            model, start.z, start.cov, n_draws=n_draws, warmup=warmup, chains=chains, seed=seed,
            max_treedepth=max_treedepth, cores=cores,
        )  # fmt: skip
        summary = summarise(z, stats, parameter_names(model), start.spread, max_treedepth)
        step, counts, phase, spent = None, [used + warm, warm], None, False
    else:
        target = coordinates(model, start)
        settings = _settings(
            target, start, seed, chains, warmup=warmup, max_treedepth=max_treedepth,
            target_accept=target_accept, sampler=sampler,
            checkpoint=checkpoint, checkpoint_seconds=checkpoint_seconds,
            adapt_weight=(weight or 0.0) if start.adapt else None,
        )  # fmt: skip
        bar = (
            progress("draws", chains * (warmup + n_draws))
            if progressbar and cores <= 1
            else nullcontext(None)
        )
        with bar as tick:
            out = until_accepted(target, settings, start, n_draws, limits, max_treedepth, cores, tick, seed)
        phase, z, stats, summary, spent = out.phase, out.z, out.stats, out.summary, out.spent
        step = several.last_step(target, settings[0], phase)
        several.remove_checkpoints(settings)
        counts = [
            out.n_learning + sum(getattr(one, name) for one in out.chains)
            for name in ("ncall", "ncall_warmup")
        ]
    summary = replace(summary, accepted=accepted(summary, limits))
    record = Result(
        z=z,
        chain=_to_q(model, z),
        stats=stats,
        summary=summary,
        flags=flags_of(summary, limits) | int(Flag.NOT_CONVERGED if spent else 0),
        optimum_z=start.z,
        optimum_q=_to_q(model, start.z[None, None])[0],
        optimum_lnp=start.lnp,
        cov=start.cov if phase is None else phase.cov,
        ncall=counts[0] + start.ncall,
        ncall_warmup=counts[1],
        wall_time=time.perf_counter() - began,
        seed=f"{seed.entropy} {list(seed.spawn_key)}",
        sampler=sampler,
        settings=SamplerSettings(
            n_draws=n_draws,
            warmup=warmup,
            max_treedepth=max_treedepth,
            target_accept=target_accept,
            extensions=0 if phase is None else phase.extensions,
            learnt_forces=phase is not None and phase.learnt is not None,
            budget_spent=spent,
        ),
    )
    return record, step, stats


@dataclass(frozen=True)
class Sampled:
    """What the chains of a patch came to."""

    chains: list
    phase: Phase  # the last
    z: np.ndarray  # (chain, draw, ndim)
    stats: dict  # arrays (chain, draw)
    summary: Summary
    n_learning: int  # evaluations to learn forces
    spent: bool  # ended by its budget


def until_accepted(
    target, settings, start: Start, n_draws, limits, max_treedepth, cores, tick, seed
) -> Sampled:
    """Run chains phase by phase until they are accepted, ran on often enough, or have spent their budget."""
    names = parameter_names(target.model)
    phase = before = Phase(0, n_draws, 0, start.z, start.cov, settings[0].target_accept)
    state, n_learning = [None] * len(settings), 0
    rng = np.random.default_rng(several.spawned(seed, len(settings) + 2)[-1])
    if settings[0].sampler == "surrogate" and isinstance(target, RidgeCoordinates):
        learnt, n_learning = learn_forces(target, start, rng)
        if learnt is not None:
            phase = replace(phase, mean=learnt.mean, cov=learnt.cov, learnt=learnt)
            settings = [
                replace(
                    one, start=learnt.starts[i % len(learnt.starts)], warmup=min(one.warmup, LEARNT_WARMUP)
                )
                for i, one in enumerate(settings)
            ]
    share = (budget(limits, target.ndim, n_draws * len(settings)) - n_learning) / len(settings)
    settings = [replace(one, budget=share) for one in settings]
    while True:
        state = several.run_chains(target, settings, phase, state, cores, tick)
        last = min(phase.total, *(len(chain.draws) for chain in state))
        # a phase that had hardly begun is not better than the one before and itself together
        first = phase.first if 2 * (last - phase.first) >= before.total - before.first else before.first
        y, stats = several.collect_draws(state, slice(first, last))
        z, log_det = target.to_z(y)
        stats["model_logp"] -= log_det
        summary = summarise(z, stats, names, start.spread, max_treedepth)
        done = accepted(summary, limits)
        spent = not done and any(chain.costs[last - 1] >= share for chain in state)
        if done or spent or phase.extensions >= limits.max_extensions:
            if spent:
                log.warning(
                    "%.0f evaluations are spent; %d draws are kept", share * len(state), z[..., 0].size
                )
            return Sampled(state, phase, z, stats, summary, n_learning, spent)
        before, phase = phase, extend(phase, summary, y, limits)
        if before.learnt is not None and phase.learnt is None and phase.segment <= RELEARNT:
            learnt, more = learn_again(target, y, phase.mean, phase.cov, rng)
            phase, n_learning = replace(phase, learnt=learnt), n_learning + more
        log.info(
            "R-hat %.3f, bulk %.0f, tail %.0f, %d divergences: running on, extension %d",
            summary.max_rhat,
            summary.min_bulk_ess,
            summary.min_tail_ess,
            summary.divergences,
            phase.extensions,
        )


def _settings(target, start: Start, seed, n_chains, checkpoint, **options) -> list[ChainSettings]:
    seeds = several.spawned(seed, n_chains + 1)
    rng = np.random.default_rng(seeds[-1])
    places = several.starts(target, start.z, start.cov, start.lnp, n_chains, rng)
    identity = repr(sorted(options.items()))
    return [
        ChainSettings(
            z,
            start.z,
            start.cov,
            s,
            identity=identity,
            checkpoint=f"{checkpoint}.{i}" if checkpoint else "",
            **options,
        )
        for i, (z, s) in enumerate(zip(places, seeds, strict=False))
    ]


def _seed_sequence(seed, q) -> np.random.SeedSequence:
    if isinstance(seed, np.random.SeedSequence):
        return seed
    if seed is None:
        digest = hashlib.sha256(np.ascontiguousarray(q, "f8").tobytes()).digest()
        seed = int.from_bytes(digest[:8], "little")
    return np.random.SeedSequence(seed)


def _to_q(model, z) -> np.ndarray:
    flat = z.reshape(-1, z.shape[-1])
    return model.transform.transform(flat) if hasattr(model, "transform") else flat
