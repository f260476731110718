"""Forces that cost a few percent of an evaluation: the reduced posterior of a patch, made where it lies.

The first design are points of the Gaussian at the optimum. Walkers on the reduced posterior, which take no
evaluation, then tell its mean and covariance, which become the reference of the trajectories; at some of
their places ln p is evaluated. Where the two differ by more than a constant, more of their places join the
design, and all is made anew. Draws start at the walkers' last places.
"""

import numpy as np

from .reduced import LearntForces, ReducedPosterior, TruePosterior, can_be_reduced, make_target, reduce
from .rules import shrunk_covariance, shrunk_mean
from .split import JITTER

DESIGN, WIDER = 100, 1.2  # points of a design, and how much wider than the Gaussian the first ones lie
WALKERS = 8
LEAST_TURNS, MOST_TURNS = 32, 128  # trajectories of each: two for each coordinate, within these
ROUNDS = 4  # of designs
INFLATED = 1.3  # how much wider than what they found walkers' places are in the next design
TESTED = 16  # places where ln p is evaluated
# sd of the difference of ln p with which the first design, or a later one, is enough
FINE, GOOD = 0.05, 0.25
MANY = 70  # coordinates from which on it may be larger, as differences of further sources add up
USELESS = 1.5  # and from which all draws follow true forces
STEPS = (3, 4, 6, 8, 12, 16)  # of a trajectory
SMOOTH = 0.95  # acceptance on the reduced posterior that the number of steps aims at
SHORT_ANGLE, LONG_ANGLE = 1.65, 2.0  # rad of a trajectory: of several for a draw, of a single one
FORGOTTEN, MOST_HOPS = 0.2, 4  # autocorrelation of the slowest coordinate that is left after a draw's hops


def learn_forces(target, start, rng: np.random.Generator) -> tuple[LearntForces | None, int]:
    """Learnt forces for a posterior in ridge coordinates, and the evaluations that it took.

    Parameters
    ----------
    target : `RidgeCoordinates`
    start : `Start`: optimum and covariance

    Returns
    -------
    forces : None where there is no reduced posterior, or it is too far from the true one
    ncall : evaluations
    """
    if not can_be_reduced(target.model):
        return None, 0
    mean, cov, ncall, n = start.z, start.cov, 0, len(start.z)
    factor = np.linalg.cholesky(cov)
    design = mean + WIDER * rng.standard_normal((DESIGN, n)) @ factor.T
    walkers = mean + 0.5 * rng.standard_normal((WALKERS, n)) @ factor.T
    for again in range(ROUNDS):
        compiled = reduced_target(target, design)
        if compiled is None:
            return None, ncall
        turns = turns_for(n) if again else LEAST_TURNS
        draws = explored(ReducedPosterior(compiled, mean, cov), walkers, rng, turns)[0]
        draws, walkers = draws[:, turns // 4 :], draws[:, -1]
        mean, cov = shrunk_mean(draws, start.z), shrunk_covariance(draws, start.cov)
        flat = draws.reshape(-1, n)
        tested = flat[:: max(1, len(flat) // TESTED)][:TESTED]
        reduced = ReducedPosterior(compiled, mean, cov)
        difference = spread(target.model, reduced, tested)
        ncall += len(tested)
        if difference < (GOOD if again else FINE) * max(1.0, n / MANY) ** 0.5:
            break
        more = mean + INFLATED * (flat[rng.choice(len(flat), min(DESIGN, len(flat)), replace=False)] - mean)
        design = np.concatenate([design, more])
    return chosen_walk(compiled, mean, cov, draws, walkers, difference, rng), ncall


def learn_again(target, y, mean, cov, rng: np.random.Generator) -> tuple[LearntForces | None, int]:
    """Learnt forces from draws y (chain, draw, ndim) that were not enough, about a given reference.

    The draws are those of the true posterior, with the places at which chains were caught.
    """
    flat = y.reshape(-1, y.shape[-1])
    some = flat[rng.choice(len(flat), 2 * DESIGN)]
    compiled = reduced_target(
        target, np.concatenate([some[:DESIGN], mean + INFLATED * (some[DESIGN:] - mean)])
    )
    reduced, tested = ReducedPosterior(compiled, mean, cov), some[:TESTED]
    difference = spread(target.model, reduced, tested)
    walkers = y[:, -1]
    draws = explored(reduced, walkers, rng, turns_for(len(mean)))[0]
    return chosen_walk(compiled, mean, cov, draws, walkers, difference, rng), len(tested)


def reduced_target(target, y) -> tuple | None:
    """The reduced posterior of a design y (D, ndim), for compiled code; None where no pixel sees a source."""
    nodes = reduce(target.model, target.to_z(y)[0])
    return None if nodes is None else make_target(target.model, target.coefficients, nodes)


def spread(model, reduced: ReducedPosterior, y) -> float:
    """Standard deviation over places y (T, ndim) of ln p less that of the reduced posterior."""
    return float(np.std(TruePosterior(model, reduced.target).lnprobs(y) - reduced.lnp(y)))


def chosen_walk(compiled, mean, cov, draws, walkers, difference, rng) -> LearntForces | None:
    """How draws walk on a reduced posterior, from how `draws` (W, T, ndim) of short trajectories did."""
    if not difference < USELESS:
        return None
    hops = hops_needed(draws)
    angle = LONG_ANGLE if hops == 1 else SHORT_ANGLE
    n_steps = steps_needed(ReducedPosterior(compiled, mean, cov), walkers, rng, angle)
    return LearntForces(compiled, mean, cov, n_steps, hops, angle, walkers, difference)


def turns_for(ndim: int) -> int:
    """Trajectories of each walker that tell the covariance of so many coordinates."""
    return int(np.clip(2 * ndim, LEAST_TURNS, MOST_TURNS))


def explored(reduced: ReducedPosterior, walkers, rng, turns: int, n_steps: int = 6, angle=SHORT_ANGLE):
    """Draws (WALKERS, turns, ndim) of the reduced posterior from `walkers`, and the share accepted."""
    momenta = rng.standard_normal((len(walkers), turns, walkers.shape[1]))
    angles = angle * (1 + JITTER * rng.uniform(-1, 1, momenta.shape[:2]))
    trace, accepted = reduced.walk(walkers, momenta, angles, rng.random(angles.shape), n_steps)
    return trace.y[:, 1:], accepted


def steps_needed(reduced: ReducedPosterior, walkers, rng, angle: float) -> int:
    """The fewest steps with which trajectories on the reduced posterior are mostly accepted."""
    for n_steps in STEPS:
        if explored(reduced, walkers, rng, 8, n_steps, angle)[1] > SMOOTH:
            return n_steps
    return STEPS[-1]


def hops_needed(draws) -> int:
    """Trajectories after which the slowest coordinate of draws (W, T, ndim) is nearly forgotten."""
    d = draws - draws.mean(axis=(0, 1))
    both = np.concatenate([d, d**2 - np.mean(d**2, axis=(0, 1))], axis=2)
    kept = np.max(np.mean(both[:, 1:] * both[:, :-1], axis=(0, 1)) / np.mean(both**2, axis=(0, 1)))
    return int(np.clip(np.ceil(np.log(FORGOTTEN) / np.log(np.clip(kept, 0.01, 0.99))), 1, MOST_HOPS))
