"""A Gibbs round: draws of a patch given its neighbours' draws, with as many chains as there are draws.

Draw i moves by Hamiltonian steps with the neighbours at their own draw i: p(a) = integral p(a | b) p(b) db
for the patch's sources a, by draws of what the neighbours' posterior p(b) is so far. Done round after round,
what was missing from the widths of both fades.
"""

import time
from dataclasses import replace

import numpy as np

from ..flags import Flag
from ..results import Result, SamplerSettings
from ..workers import mapped
from . import chains as several
from .chain import load, new_chain, one_draw, save
from .diagnostics import summarise
from .rules import Limits, accepted, flags_of
from .split import Split
from .start import parameter_names
from .steps import ChainSettings

QUARTER_TURN = 0.5 * np.pi  # the part of a turn after which a Gaussian has forgotten where it was
UNSETTLED = 0.3  # sd that a mean moved in this round, from which another one is needed
MOVES = 2  # transitions for a draw, which forget where it was


def gibbs_update(
    model,
    conditional,
    starts,
    cov,
    round_number: int,
    *,
    seed,
    sd_ratio: float = 1.0,
    warmup: int = 64,
    max_treedepth: int = 10,
    target_accept: float = 0.9,
    cores: int = 1,
    limits: Limits | None = None,
    checkpoint: str = "",
    checkpoint_seconds: float = 60.0,
) -> Result:
    """One Gibbs round: all draws of a patch moved once, each given its own draw of the neighbours.

    Parameters
    ----------
    model : `Posterior` of the patch with its neighbours at their middle, for names and the transform
    conditional : (chain, draw) -> `Posterior` given that draw of the neighbours
    starts : (C, N, ndim) draws of the round before
    cov : (ndim, ndim) or (ndim,) the static metric
    round_number : 1 for the first time that draws are moved
    seed : `numpy.random.SeedSequence`
    sd_ratio : of the draws to what the Fisher matrix predicts, as the first round found it
    """
    began = time.perf_counter()
    warmup = -(-warmup // MOVES) * MOVES
    settings = [
        ChainSettings(
            starts[c, 0],
            mean=starts.mean(axis=(0, 1)),
            cov=cov,
            seed=one,
            warmup=warmup,
            max_treedepth=max_treedepth,
            target_accept=target_accept,
            sampler="split",
            checkpoint=f"{checkpoint}.{c}" if checkpoint else "",
            checkpoint_seconds=checkpoint_seconds,
            identity=f"gibbs_update {round_number}",
        )
        for c, one in enumerate(several.spawned(seed, len(starts)))
    ]
    work = [(conditional, c, starts[c], one) for c, one in enumerate(settings)]
    chains = mapped(update_chain, work, cores)
    several.remove_checkpoints(settings)
    z, stats = several.collect_draws(chains)
    limits = limits or Limits()
    summary = summarise(z, stats, parameter_names(model), None, max_treedepth)
    shift, widening = changes(starts, z)
    settled = shift < UNSETTLED
    summary = replace(
        summary,
        max_sd_ratio=sd_ratio,
        round_shift=shift,
        round_widening=widening,
        accepted=accepted(summary, limits) and settled,
    )
    middle = np.median(z, axis=(0, 1))
    return Result(
        z=z,
        chain=model.transform.transform(z.reshape(-1, z.shape[-1])),
        stats=stats,
        summary=summary,
        flags=flags_of(summary, limits) | (0 if settled else int(Flag.NOT_CONVERGED)),
        optimum_z=middle,
        optimum_q=model.transform.transform(middle),
        optimum_lnp=model.lnprob(middle),
        cov=cov,
        ncall=sum(chain.ncall for chain in chains),
        ncall_warmup=sum(chain.ncall_warmup for chain in chains),
        wall_time=time.perf_counter() - began,
        seed=f"{seed.entropy} {list(seed.spawn_key)}",
        sampler="split",
        settings=SamplerSettings(
            n_draws=z.shape[1],
            warmup=warmup,
            max_treedepth=max_treedepth,
            target_accept=target_accept,
            gibbs_round=round_number,
        ),
    )


def update_chain(conditional, chain_index: int, starts, settings: ChainSettings):
    """The chain with its draws, each moved from its own start (N, ndim) given its own draw of the neighbours.

    The warm-up tunes the step size on the first draws, which are then done again.
    """
    chain = load(settings) or new_chain(settings)
    rng, most = np.random.default_rng(settings.seed), 2**settings.max_treedepth - 1
    step = Split(None, settings.mean, settings.cov, rng, settings.target_accept, most, angle=QUARTER_TURN)
    step.restore(chain.step)
    saved = time.monotonic()
    while len(chain.draws) < len(starts):
        tuning = chain.iterations < settings.warmup
        i = (chain.iterations // MOVES) % len(starts) if tuning else len(chain.draws)
        _move(step, chain, conditional(chain_index, i).lnprob_and_grad, starts[i], settings)
        if settings.checkpoint and time.monotonic() - saved > settings.checkpoint_seconds:
            chain.step = step.state()
            save(chain, settings)
            saved = time.monotonic()
    return chain


def _move(step, chain, function, start, settings: ChainSettings) -> None:
    """MOVES transitions; the last one's draw is kept, diverging if any of them was.

    The Gaussian that the steps solve exactly is centred where a Newton step from the middle of all starts
    leads.
    """
    before, cov = len(chain.draws), settings.cov
    gradient = function(settings.mean)[1]
    chain.ncall += 1
    chain.ncall_warmup += chain.iterations < settings.warmup
    step.space.function = function
    step.space.mean = settings.mean + (cov * gradient if cov.ndim == 1 else cov @ gradient)
    chain.z, chain.known = np.array(start), None
    for _ in range(MOVES):
        one_draw(step, chain, settings.warmup)
    if len(chain.draws) > before:
        diverging = any(row[0] for row in chain.stats[before:])
        chain.stats[before:] = [(diverging, *chain.stats[-1][1:])]
        chain.draws[before:] = chain.draws[-1:]


def changes(before, after) -> tuple[float, float]:
    """Largest change of a mean in units of its sd, and largest ratio of widths, of draws (C, N, P)."""
    old, new = (z.reshape(-1, z.shape[-1]) for z in (before, after))
    spread = np.maximum(old.std(axis=0), 1e-300)
    shift = np.abs((new.mean(axis=0) - old.mean(axis=0)) / spread).max(initial=0.0)
    return float(shift), float((new.std(axis=0) / spread).max(initial=1.0))
