"""Hamiltonian Monte Carlo whose Gaussian part is solved exactly: two step methods (see `steps`).

With the reference Gaussian N(mean, L L^t), z = mean + L u and momentum p ~ N(0, 1),

    H = (u u + p p) / 2 - r(u),      r = ln p + u u / 2:

the first part turns (u, p) by an angle, exactly and at no cost, and r, what is not Gaussian, gives the
momentum kicks: half a kick, a turn by `step`, half a kick. That is reversible and keeps volume, so a
Metropolis test makes it exact for any reference (Shahbaba, Lan, Johnson, Neal 2014, Statistics and
Computing 24, 339; for the infinite case Beskos, Pinski, Sanz-Serna, Stuart 2011, Stochastic Processes and
their Applications 121, 2201). Leapfrog steps, and with them NUTS, are limited by the Gaussian part instead:
they need about 6 evaluations for a draw, two or three times as many as these turns (`whitened`).

A draw turns by about ANGLE in equal steps no longer than the one that was tuned. A quarter turn (1.57) makes
draws independent, half a turn (3.14) brings the mirror image, which is good for means and says nothing new
about widths and tails; where the posterior is wider than its reference the clock runs slower. Measured on
galaxies of S/N 8 to 50, alone and overlapping: 2.1 serves bulk and tail best.

Along learnt forces a draw is one evaluation, however far it goes (`Leap`).
"""

from contextlib import nullcontext

import numpy as np
from littlemcmc.step_sizes import DualAverageAdaptation

from .steps import Draw, DrawStats
from .whitened import Whitened, WhitenedPoint, unknown

ANGLE = 2.1  # rad that a draw turns by
TRUE_SHARE, TRUE_STEPS = 0.25, 4  # of the trajectories, where learnt forces are rough; and their steps
JITTER = 0.2  # relative; the same angle again and again could meet a period of the target
LONGEST = 1.3  # rad, of one step: at least two steps
FIRST = 0.15  # rad, the first step of the tuning, which then tries ten times as much
DIVERGING = 1000.0  # change of the energy over a draw
# of dual averaging (Hoffman, Gelman 2014, Journal of Machine Learning Research 15, 1593: their values)
DUAL_AVERAGE = {"gamma": 0.05, "k": 0.75, "t0": 10}


class Split:
    """Along true forces, in steps whose size is tuned by dual averaging."""

    def __init__(
        self, function, mean, cov, rng: np.random.Generator, target_accept: float, max_steps: int, angle=ANGLE
    ):
        """function: z -> (ln p, gradient); mean (ndim,) and cov (ndim, ndim) or (ndim,): the reference."""
        self.space, self.rng = Whitened(function, mean, cov), rng
        self.angle, self.max_steps = angle, max_steps
        self.adaptation = DualAverageAdaptation(FIRST, target_accept, **DUAL_AVERAGE)

    def draw(self, z, known, tune: bool) -> Draw:
        """One draw from z (ndim,), where `known` is (ln p, gradient) or None."""
        start = self.space.at_z(z, known)
        if not np.isfinite(start.lnp):
            raise ValueError(f"ln p is {start.lnp} at the start of a draw")
        turn = 1 + JITTER * self.rng.uniform(-1, 1)
        p = self.rng.standard_normal(len(z))
        before = start.energy(p)
        end, p, n_steps, step_size = self._move(start, p, turn, tune)
        after = end.energy(p)
        change = after - before
        chance = float(np.exp(min(0.0, -change))) if change > -np.inf else 0.0
        accepted = self.rng.random() < chance
        if tune:
            self._adapt(chance)
        here = end if accepted else start
        stats = DrawStats(
            diverging=not abs(change) < DIVERGING,
            tree_size=n_steps,
            depth=n_steps.bit_length(),
            energy=float(after if accepted else before),
            model_logp=float(here.lnp),
            mean_tree_accept=chance,
            step_size=float(step_size),
        )
        return Draw(here.z, (here.lnp, here.gradient), stats, n_steps + unknown(known))

    def _move(self, start: WhitenedPoint, p, turn: float, tune: bool):
        """(end, momentum there, steps, size of a step) of a trajectory over `turn` times the usual angle."""
        size = min(float(self.adaptation.current(tune)), LONGEST)
        angle = turn * self.angle
        n_steps = min(int(np.ceil(angle / size)), self.max_steps)
        points, p = self.space.follow(start, p, angle / n_steps, n_steps)
        return points[-1], p, n_steps, size

    def _adapt(self, chance: float) -> None:
        self.adaptation.update(chance, True)

    def state(self) -> dict:
        """Generator and step size."""
        return {"generator": self.rng.bit_generator.state, "adaptation": dict(vars(self.adaptation))}

    def restore(self, state: dict) -> None:
        """Go on from a state; without one from the start."""
        if "generator" in state:
            self.rng.bit_generator.state = state["generator"]
        vars(self.adaptation).update(state.get("adaptation", {}))

    def running(self):
        """Nothing needs to be set up for its draws."""
        return nullcontext()


class Leap(Split):
    """By the walk of a reduced posterior, one evaluation a draw; there is nothing to tune.

    The walk goes through `learnt.hops` trajectories, each tested on the reduced posterior, which it therefore
    leaves as it is. The last test takes what the true posterior has more (Liu 2001, Monte Carlo Strategies in
    Scientific Computing, section 9.4.3, the surrogate transition method), so that draws are exact.

    Where these forces are rough, some draws follow true ones: they lead back from tails in which leaps are
    hardly ever accepted. Which of the two is drawn does not depend on where the chain is, so both leave the
    posterior as it is.
    """

    def __init__(self, function, values, mean, cov, rng: np.random.Generator, learnt):
        """values: z (W, ndim) -> ln p (W,); learnt: `LearntForces` about the same reference."""
        super().__init__(function, mean, cov, rng, target_accept=0.9, max_steps=1)
        self.learnt, self.values = learnt, values

    def draw(self, z, known, tune: bool) -> Draw:
        """One draw from z (ndim,); see `leap_together`."""
        return leap_together([self], [z], [known])[0]

    def _move(self, start, p, turn, tune):
        step = turn * self.angle / TRUE_STEPS
        points, p = self.space.follow(start, p, step, TRUE_STEPS)
        return points[-1], p, len(points), step

    def _adapt(self, chance):
        """A step is what it is."""

    def numbers(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """What a draw takes: momenta (hops, n); chances (2 hops + 1,): angles, tests, the last test."""
        hops = self.learnt.hops
        return self.rng.standard_normal((hops, n)), self.rng.random(2 * hops + 1)


def leap_together(steps: list[Leap], places, knowns) -> list[Draw]:
    """A draw of several chains with the same learnt forces; each is the same as alone."""
    along_true = [step.learnt.rough and step.rng.random() < TRUE_SHARE for step in steps]
    left = [i for i, one in enumerate(along_true) if not one]
    leaps = iter(_leaps([steps[i] for i in left], [places[i] for i in left], [knowns[i] for i in left]))
    return [
        Split.draw(step, z, known, False) if one else next(leaps)
        for step, z, known, one in zip(steps, places, knowns, along_true, strict=True)
    ]


def _leaps(steps: list[Leap], places, knowns) -> list[Draw]:
    """Draws along learnt forces: a walk of each, then the last test of all."""
    if not steps:
        return []
    learnt, starts = steps[0].learnt, np.array(places)
    momenta, chances = map(np.array, zip(*(step.numbers(starts.shape[1]) for step in steps), strict=True))
    hops = learnt.hops
    angles = learnt.angle * (1 + JITTER * (2 * chances[:, :hops] - 1))
    kinetic = 0.5 * np.square(momenta[:, 0]).sum(axis=1)
    paths, reduced, _ = learnt.posterior.walk(
        starts, momenta, angles, np.ascontiguousarray(chances[:, hops:-1]), learnt.n_steps
    )
    ends, new = paths[:, -1].copy(), [k for k, known in enumerate(knowns) if known is None]
    lnp = steps[0].values(np.concatenate([ends, starts[new]]) if new else ends)
    before = np.array([0.0 if known is None else known[0] for known in knowns])
    before[new] = lnp[len(steps) :]
    after = lnp[: len(steps)]
    gain = (after - reduced[:, 1]) - (before - reduced[:, 0])
    accepted = np.log(chances[:, -1]) < gain
    known = np.where(accepted, after, before)
    chance = np.where(gain > -np.inf, np.exp(np.minimum(gain, 0.0)), 0.0)
    columns = [x.tolist() for x in (~(gain > -DIVERGING), kinetic - known, known, chance)]
    return [
        Draw(
            ends[k] if accepted[k] else places[k],
            (lnp_here, None),
            DrawStats(diverging, 1, 1, energy, lnp_here, share, learnt.angle),
            1 + (knowns[k] is None),
        )
        for k, (diverging, energy, lnp_here, share) in enumerate(zip(*columns, strict=True))
    ]
