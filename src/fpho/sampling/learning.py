"""Walkers that learn a surrogate: every point where they evaluate ln p teaches, whether accepted or not.

They start with no surrogate at all, by turns in the reference Gaussian, and learn anew whenever the number of
points has doubled. Where the polynomial is wrong they are sent to, see it, and come back. Now and then they
follow true forces, which lead into tails that the polynomial does not know yet.
"""

from dataclasses import replace

import numpy as np

from .split import ANGLE, JITTER, LEARNT_ANGLE, TRUE_STEPS
from .surrogate import Surrogate, best_share, learn
from .whitened import Whitened, WhitenedPoint

EVALUATIONS_PER_COORDINATE = 48
MIN_EVALUATIONS, MAX_EVALUATIONS = 128, 1200  # evaluations
DOUBLINGS = 3  # of the number of points: learnt anew each time
TRUE_EVERY = 8  # trajectories of which one follows true forces
GOOD_ACCEPTANCE = 0.95  # acceptance from which nothing more is learnt
SMOOTH, MIN_ACCEPTANCE = 0.9, 0.5  # acceptance below which a surrogate is rough, or is not used


def learn_forces(function, mean, cov, starts, rng: np.random.Generator) -> tuple[Surrogate | None, int]:
    """A surrogate for the forces about a reference Gaussian.

    Parameters
    ----------
    function : z (ndim,) -> (ln p, gradient)
    mean, cov : the reference: (ndim,), and (ndim, ndim) or (ndim,)
    starts : z of the walkers

    Returns
    -------
    surrogate : None where its trajectories were accepted too rarely
    ncall : evaluations
    """
    total = int(np.clip(EVALUATIONS_PER_COORDINATE * len(mean), MIN_EVALUATIONS, MAX_EVALUATIONS))
    space, surrogate, share, acceptances = Whitened(function, mean, cov), None, 1.0, []
    walkers, rounds = [Walker(space, z, rng) for z in starts], 0
    points = [walker.here for walker in walkers]
    for part in range(DOUBLINGS, -1, -1):
        acceptances = []
        while len(points) < total >> part:
            for walker in walkers:
                if rounds % TRUE_EVERY == 0:
                    points += walker.follow()
                else:
                    points += walker.leap(surrogate)
                    acceptances.append(walker.accepted)
            rounds += 1
        used = [point for point in points if np.isfinite(point.lnp)]
        u, forces = np.array([point.u for point in used]), np.array([point.force for point in used])
        share = best_share(u, forces) if part == 1 else share
        surrogate = learn(u, forces, share)
        if acceptances and np.mean(acceptances) >= GOOD_ACCEPTANCE:
            break
    acceptance = np.mean(acceptances)
    surrogate = replace(surrogate, rough=bool(acceptance < SMOOTH))
    return (surrogate if acceptance >= MIN_ACCEPTANCE else None), len(points)


class Walker:
    """A chain; `here` is where it is, `accepted` whether its last trajectory was accepted."""

    def __init__(self, space: Whitened, z, rng):
        self.space, self.rng, self.here, self.accepted = space, rng, space.at_z(z), True

    def leap(self, surrogate: Surrogate | None) -> list[WhitenedPoint]:
        """A trajectory along learnt forces; its end."""
        p, turn = self._draw()
        end, after = self.space.leap(self.here, p, LEARNT_ANGLE * turn, surrogate)
        return self._decide([end], p, after)

    def follow(self) -> list[WhitenedPoint]:
        """A trajectory along true forces; all its points."""
        p, turn = self._draw()
        points, after = self.space.follow(self.here, p, ANGLE * turn / TRUE_STEPS, TRUE_STEPS)
        return self._decide(points, p, after)

    def _draw(self) -> tuple[np.ndarray, float]:
        """A momentum, and how far to turn."""
        return self.rng.standard_normal(len(self.here.u)), 1 + JITTER * self.rng.uniform(-1, 1)

    def _decide(self, points, before, after) -> list[WhitenedPoint]:
        """The Metropolis test of a trajectory with these momenta at its ends; its points."""
        change = points[-1].energy(after) - self.here.energy(before)
        self.accepted = bool(np.log(self.rng.random()) < -change)
        if self.accepted:
            self.here = points[-1]
        return points
