"""Hamiltonian Monte Carlo whose Gaussian part is solved exactly: a step method (see `steps`).

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

Along learnt forces a draw is one evaluation, however far it goes (`leap`).
"""

from contextlib import nullcontext

import numpy as np

from .steps import Draw, DrawStats
from .whitened import Whitened, WhitenedPoint, unknown

ANGLE = 2.1  # rad that a draw turns by
JITTER = 0.2  # relative; the same angle again and again could meet a period of the target
LONGEST = 1.3  # rad, of one step: at least two steps
FIRST = 0.15  # rad, the first step of the tuning, which then tries ten times as much
DIVERGING = 1000.0  # change of the energy over a draw
# of dual averaging (Hoffman, Gelman 2014, Journal of Machine Learning Research 15, 1593: their values)
DUAL_AVERAGE = {"gamma": 0.05, "k": 0.75, "t0": 10}


def dual_averaging(target_accept: float):
    """The tuning of a step's size."""
    from littlemcmc.step_sizes import DualAverageAdaptation  # brings scipy.stats: a second

    return DualAverageAdaptation(FIRST, target_accept, **DUAL_AVERAGE)


class Split:
    """Along true forces, in steps whose size is tuned by dual averaging."""

    def __init__(
        self,
        function,
        mean,
        cov,
        rng: np.random.Generator,
        target_accept: float | None,
        max_steps: int,
        angle=ANGLE,
    ):
        """function: z -> (ln p, gradient); mean (ndim,) and cov (ndim, ndim) or (ndim,): the reference.

        target_accept : of the tuning; None where there is nothing to tune
        """
        self.space, self.rng = Whitened(function, mean, cov), rng
        self.angle, self.max_steps = angle, max_steps
        self.adaptation = None if target_accept is None else dual_averaging(target_accept)

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
        tuned = {} if self.adaptation is None else {"adaptation": dict(vars(self.adaptation))}
        return {"generator": self.rng.bit_generator.state, **tuned}

    def restore(self, state: dict) -> None:
        """Go on from a state; without one from the start."""
        if "generator" in state:
            self.rng.bit_generator.state = state["generator"]
        if self.adaptation is not None:
            vars(self.adaptation).update(state.get("adaptation", {}))

    def running(self):
        """Nothing needs to be set up for its draws."""
        return nullcontext()
