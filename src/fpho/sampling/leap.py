"""Draws by the walk of a reduced posterior: one evaluation each, and several of a chain at once.

The walk of a draw goes through `learnt.hops` trajectories, each tested on the reduced posterior, which it
therefore leaves as it is. The last test takes what the true posterior has more (Liu 2001, Monte Carlo
Strategies in Scientific Computing, section 9.4.3, the surrogate transition method), so that draws are exact.

Nearly all draws are accepted. So a chain walks on through some of them as if all were, and the true posterior
is evaluated at all ends in one call; from the first rejection on they are forgotten, and their random numbers
serve again. Draws are to the last bit those that come one by one.
"""

import numpy as np

from .reduced.trajectory import Trace
from .split import DIVERGING, JITTER, Split
from .steps import Draw, DrawStats

TRUE_SHARE, TRUE_STEPS = 0.25, 4  # of the trajectories, where learnt forces are rough; and their steps


class Leap(Split):
    """By the walk of a reduced posterior; there is nothing to tune.

    Where these forces are rough, some draws follow true ones: they lead back from tails in which leaps are
    hardly ever accepted. Which of the two is drawn does not depend on where the chain is, so both leave the
    posterior as it is.
    """

    def __init__(self, function, values, mean, cov, rng: np.random.Generator, learnt):
        """values: z (W, ndim) -> ln p (W,); learnt: `LearntForces` about the same reference."""
        super().__init__(function, mean, cov, rng, target_accept=None, max_steps=1)
        self.learnt, self.values = learnt, values
        self.place: tuple | None = None  # u (ndim,), force (ndim,) and ln p of the reduced posterior
        self.momenta, self.chances = np.empty((0, learnt.hops, len(mean))), np.empty((0, 2 * learnt.hops + 1))
        self.used, self.before = 0, self.rng.bit_generator.state

    def draw(self, z, known, tune: bool) -> Draw:
        """One draw from z (ndim,); see `leap_together`."""
        return leap_together([self], [z], [known], [1])[0][0]

    def _move(self, start, p, turn, tune):
        step = turn * self.angle / TRUE_STEPS
        points, p = self.space.follow(start, p, step, TRUE_STEPS)
        return points[-1], p, len(points), step

    def _adapt(self, chance):
        """A step is what it is."""

    def numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """For draws to come momenta (D, hops, n), chances (D, 2 hops + 1): angles, tests, the last test."""
        if self.used == len(self.chances):
            self._fill()
        return self.momenta[self.used :], self.chances[self.used :]

    def _fill(self) -> None:
        self.before, self.used = self.rng.bit_generator.state, 0
        shape = self.learnt.ahead, *self.momenta.shape[1:]
        self.momenta = self.rng.standard_normal(shape)
        self.chances = self.rng.random((shape[0], self.chances.shape[1]))

    def along_true(self) -> bool:
        """Whether the next draw is one along true forces."""
        return self.learnt.rough and self.rng.random() < TRUE_SHARE

    def state(self) -> dict:
        """As of `Split`, with the place, and the numbers that are still to be used."""
        block = {"block": (self.before, self.used)} if self.used < len(self.chances) else {}
        return super().state() | {"place": self.place} | block

    def restore(self, state: dict) -> None:
        """Go on from a state; without one from the start."""
        super().restore(state)
        self.place = state.get("place")
        if "block" in state:
            self.rng.bit_generator.state, used = state["block"]
            self._fill()
            self.used = used


def leap_together(steps: list[Leap], places, knowns, most: list[int]) -> list[list[Draw]]:
    """Some draws, up to `most`, of several chains with the same learnt forces; each is the same as alone."""
    along_true = [step.along_true() for step in steps]
    left = [i for i, one in enumerate(along_true) if not one]
    leaps = iter(_leaps(*([values[i] for i in left] for values in (steps, places, knowns, most))))
    draws = []
    for step, z, known, one in zip(steps, places, knowns, along_true, strict=True):
        draws.append([Split.draw(step, z, known, False)] if one else next(leaps))
        if one:
            step.place = None
    return draws


def _leaps(steps: list[Leap], places, knowns, most: list[int]) -> list[list[Draw]]:
    """Draws along learnt forces: a walk of each through some of them, then the last tests of all."""
    if not steps:
        return []
    hops = steps[0].learnt.hops
    many, momenta, chances = _numbers(steps, most)
    kinetic = 0.5 * np.square(momenta[:, ::hops]).sum(axis=2)
    trace = _walked(steps, places, many, momenta, chances)
    true = _true(steps[0].values, trace.y[:, ::hops], many, knowns)
    with np.errstate(invalid="ignore"):  # behind a place without a finite ln p
        gain = np.diff(true - trace.lnp[:, ::hops], axis=1)
    accepted = (np.log(chances[..., -1]) < gain) & (np.arange(gain.shape[1]) < many[:, None])
    n_accepted = np.cumprod(accepted, axis=1).sum(axis=1)
    at = np.minimum(np.arange(1, gain.shape[1] + 1), n_accepted[:, None])
    lnp = np.take_along_axis(true, at, axis=1)
    share = np.where(gain > -np.inf, np.exp(np.minimum(gain, 0.0)), 0.0)
    stats = zip(*(x.tolist() for x in (~(gain > -DIVERGING), kinetic - lnp, lnp, share)), strict=True)
    chains = zip(steps, places, knowns, many.tolist(), n_accepted.tolist(), stats, strict=True)
    return [_ended(*chain, Trace(*(x[w] for x in trace))) for w, chain in enumerate(chains)]


def _numbers(steps: list[Leap], most: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws of each chain (W,), their momenta (W, D hops, n) and chances (W, D, 2 hops + 1)."""
    numbers = [step.numbers() for step in steps]
    many = np.array([min(len(one), wanted) for (_, one), wanted in zip(numbers, most, strict=True)])
    momenta = np.zeros((len(many), many.max(), *numbers[0][0].shape[1:]))
    chances = np.ones((*momenta.shape[:2], numbers[0][1].shape[1]))
    for w, (n, (some, others)) in enumerate(zip(many, numbers, strict=True)):
        momenta[w, :n], chances[w, :n] = some[:n], others[:n]
    return many, momenta.reshape(len(many), -1, momenta.shape[-1]), chances


def _walked(steps: list[Leap], places, many, momenta, chances) -> Trace:
    """The walks from where the chains are; momenta are written over."""
    learnt, hops = steps[0].learnt, steps[0].learnt.hops
    trace = Trace.of(*momenta.shape)
    for w, (step, place) in enumerate(zip(steps, places, strict=True)):
        trace.y[w, 0] = place
        if step.place is not None:
            trace.u[w, 0], trace.force[w, 0], trace.lnp[w, 0] = step.place
    angles = learnt.angle * (1 + JITTER * (2 * chances[..., :hops] - 1))
    tests = chances[..., hops:-1]
    known = np.array([step.place is not None for step in steps])
    learnt.posterior.explore(
        trace, known, many * hops, momenta, *(x.reshape(momenta.shape[:2]) for x in (angles, tests)),
        learnt.n_steps,
    )  # fmt: skip
    return trace


def _true(values, ends, many, knowns) -> np.ndarray:
    """ln p (W, D + 1) of the true posterior where draws end (W, D + 1, n); the first may be known."""
    wanted = np.arange(ends.shape[1]) <= many[:, None]
    wanted[:, 0] = [known is None for known in knowns]
    out = np.zeros(wanted.shape)
    out[:, 0] = [0.0 if known is None else known[0] for known in knowns]
    out[wanted] = values(ends[wanted])
    return out


def _ended(step: Leap, place, known, many: int, n_accepted: int, stats, trace: Trace) -> list[Draw]:
    """The draws of a chain, of which the last may be rejected, and the step at the place where that is.

    stats : lists of diverging, energy, ln p, share, of `many` draws and more
    """
    hops, taken = step.learnt.hops, min(n_accepted + 1, many)
    at = n_accepted * hops
    step.used += taken
    step.place = trace.u[at].copy(), trace.force[at].copy(), float(trace.lnp[at])
    places = [place, *trace.y[hops : at + 1 : hops].copy()]
    places += places[-1:] * (taken - n_accepted)
    ncall = [1] * taken
    ncall[0] += known is None
    ncall[-1] += many - taken
    return [
        Draw(z, (lnp, None), DrawStats(diverging, 1, 1, energy, lnp, share, step.learnt.angle), calls)
        for z, calls, diverging, energy, lnp, share in zip(places[1:], ncall, *stats, strict=False)
    ]
