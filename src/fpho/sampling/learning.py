"""Walkers that learn a surrogate: every point where they evaluate ln p teaches, whether accepted or not.

They start with no surrogate at all, by turns in the reference Gaussian, and learn anew whenever the number of
points has doubled. Where the polynomial is wrong they are sent to, see it, and come back. Now and then they
follow true forces, which lead into tails that the polynomial does not know yet.
"""

import numpy as np

from .split import ANGLE, JITTER, QUARTER
from .surrogate import Surrogate, best_share, learn
from .whitened import Point, Whitened

EACH = 48  # evaluations for each coordinate
LEAST, MOST = 128, 1200  # evaluations
DOUBLINGS = 3  # of the number of points: learnt anew each time
TRUE_EVERY, TRUE_STEPS = 8, 4  # trajectories of which one follows true forces, and its steps
ENOUGH = 0.95  # acceptance from which nothing more is learnt
WORTH = 0.5  # acceptance below which a surrogate is not used


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
    total = int(np.clip(EACH * len(mean), LEAST, MOST))
    space, surrogate, share, taken = Whitened(function, mean, cov), None, 1.0, []
    walkers, rounds = [Walker(space, z, rng) for z in starts], 0
    points = [walker.here for walker in walkers]
    for part in range(DOUBLINGS, -1, -1):
        taken = []
        while len(points) < total >> part:
            for walker in walkers:
                if rounds % TRUE_EVERY == 0:
                    points += walker.follow()
                else:
                    points += walker.leap(surrogate)
                    taken.append(walker.taken)
            rounds += 1
        used = [point for point in points if np.isfinite(point.lnp)]
        u, forces = np.array([point.u for point in used]), np.array([point.force for point in used])
        share = best_share(u, forces) if part == 1 else share
        surrogate = learn(u, forces, share)
        if taken and np.mean(taken) >= ENOUGH:
            break
    return (surrogate if np.mean(taken) >= WORTH else None), len(points)


class Walker:
    """A chain; `here` is where it is, `taken` whether its last trajectory was accepted."""

    def __init__(self, space: Whitened, z, rng):
        self.space, self.rng, self.here, self.taken = space, rng, space.at_z(z), True

    def leap(self, surrogate: Surrogate | None) -> list[Point]:
        """A trajectory along learnt forces; its end."""
        p, turn = self._draw()
        end, after = self.space.leap(self.here, p, QUARTER * turn, surrogate)
        return self._decide([end], p, after)

    def follow(self) -> list[Point]:
        """A trajectory along true forces; all its points."""
        p, turn = self._draw()
        points, after = self.space.follow(self.here, p, ANGLE * turn / TRUE_STEPS, TRUE_STEPS)
        return self._decide(points, p, after)

    def _draw(self) -> tuple[np.ndarray, float]:
        """A momentum, and how far to turn."""
        return self.rng.standard_normal(len(self.here.u)), 1 + JITTER * self.rng.uniform(-1, 1)

    def _decide(self, points, before, after) -> list[Point]:
        """The Metropolis test of a trajectory with these momenta at its ends; its points."""
        change = points[-1].energy(after) - self.here.energy(before)
        self.taken = bool(np.log(self.rng.random()) < -change)
        if self.taken:
            self.here = points[-1]
        return points
