"""Hamiltonian Monte Carlo whose Gaussian part is solved exactly: one step in littlemcmc's form.

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

With a `surrogate` for r a draw is one evaluation (`Leap`). A longer way costs no more then and adds to the
error: it is little more than the quarter turn.
"""

import littlemcmc
import numpy as np
from littlemcmc.quadpotential import QuadPotentialDiag

from .surrogate import Surrogate
from .whitened import Whitened, WhitenedPoint

ANGLE = 2.1  # rad that a draw turns by
LEARNT_ANGLE = 1.7  # rad, along the forces of a surrogate
JITTER = 0.2  # relative; the same angle again and again could meet a period of the target
LONGEST = 1.3  # rad, of one step: at least two steps
FIRST = 0.15  # rad, the first step of the tuning, which then tries ten times as much


class Split(littlemcmc.HamiltonianMC):
    """A step method; `function` remembers what it found where a draw ended (`nuts.Remember`)."""

    def __init__(self, function, mean, cov, target_accept: float, max_steps: int):
        """mean (ndim,) and cov (ndim, ndim), or its diagonal (ndim,): the reference Gaussian in z."""
        n = len(mean)
        super().__init__(
            function,
            n,
            potential=QuadPotentialDiag(np.ones(n), "float64"),
            target_accept=target_accept,
            step_scale=FIRST * n**0.25,
            max_steps=max_steps,
        )
        self.angle = ANGLE
        self.space = Whitened(function, mean, cov)

    def _astep(self, q0):
        """One draw from q0 (ndim,): (its end, [statistics])."""
        start = self.space.at_z(q0)
        if not np.isfinite(start.lnp):
            raise ValueError(f"ln p is {start.lnp} at the start of a draw")
        turn = 1 + JITTER * np.random.uniform(-1, 1)  # noqa: NPY002
        p = np.random.standard_normal(self.model_ndim)  # noqa: NPY002
        before = start.energy(p)
        end, p, ncall = self._move(start, p, turn)
        after = end.energy(p)
        change = after - before
        chance = float(np.exp(min(0.0, -change))) if change > -np.inf else 0.0
        taken = np.random.uniform() < chance  # noqa: NPY002
        self._adapt(chance)
        here = end if taken else start
        self._logp_dlogp_func.keep(here.z, (here.lnp, here.gradient))
        self.iter_count += 1
        stats = {
            "diverging": not abs(change) < self.Emax,
            "tree_size": ncall,
            "depth": ncall.bit_length(),
            "energy": after if taken else before,
            "model_logp": here.lnp,
            "mean_tree_accept": chance,
        }
        return here.z, [stats]

    def _move(self, start: WhitenedPoint, p, turn: float) -> tuple[WhitenedPoint, np.ndarray, int]:
        """(end, momentum there, evaluations) of a trajectory over `turn` times the usual angle."""
        self.step_size = min(float(self.step_adapt.current(self.tune)), LONGEST)
        angle = turn * self.angle
        n_steps = min(int(np.ceil(angle / self.step_size)), self.max_steps)
        points, p = self.space.follow(start, p, angle / n_steps, n_steps)
        return points[-1], p, n_steps

    def _adapt(self, chance: float) -> None:
        self.step_adapt.update(chance, self.tune)


class Leap(Split):
    """The same with a surrogate of the reference; there is nothing to tune."""

    def __init__(self, function, mean, cov, surrogate: Surrogate):
        super().__init__(function, mean, cov, target_accept=0.9, max_steps=1)
        self.surrogate = surrogate

    def _move(self, start, p, turn):
        self.step_size = turn * LEARNT_ANGLE
        return *self.space.leap(start, p, self.step_size, self.surrogate), 1

    def _adapt(self, chance):
        """A step is what it is."""
