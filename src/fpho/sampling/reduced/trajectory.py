"""Trajectories along the forces of the reduced likelihood, prior and all, in one compiled call.

In the coordinates u of a reference Gaussian (see `split`); the maps from u to the model's components and back
are those of the posterior itself. All that changes from patch to patch is in one tuple, `Target`.
"""

from typing import NamedTuple

import numpy as np

from ...kernel.arrays import N_SHAPE
from ...kernel.subnormals import restored, without_subnormals
from ...machinecode import compiled
from ...posterior import compiled as mapping
from ...posterior.population import add_slopes
from ...sersic.evaluation import fill_profile
from .. import ridge
from . import nodes as reduced
from .nodes import dot
from .scattered import LEAN, PART


class Ridge(NamedTuple):
    """The numbers of `ridge.RidgeCoefficients`."""

    columns: tuple
    origin: np.ndarray
    index0: np.ndarray
    flux: np.ndarray
    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    k: np.ndarray
    width: np.ndarray
    radius0: np.ndarray


class Map(NamedTuple):
    """The numbers of `posterior.ParameterMap` and its `Components`."""

    n: int  # coordinates
    n_bands: int
    index: np.ndarray
    origin: np.ndarray
    unit: np.ndarray
    number: np.ndarray
    kind: np.ndarray
    tables: np.ndarray
    source: np.ndarray
    share: np.ndarray
    feed: np.ndarray
    held: np.ndarray
    is_point: np.ndarray
    flux_prior: np.ndarray
    sky_index: int
    sky_unit: np.ndarray
    sky_curvature: np.ndarray


class Profiles(NamedTuple):
    """What `sersic.evaluation.scale_free` takes after sources."""

    n_min: float
    n_max: float
    first: float
    per_step: float
    pieces: np.ndarray
    n_below: int


class Law(NamedTuple):
    """The numbers of `posterior.PopulationTerm`; floors of 0 where there is none."""

    weight: np.ndarray
    floor: np.ndarray
    power: np.ndarray
    fall: np.ndarray
    size: int
    law: np.ndarray


class Reference(NamedTuple):
    """y = mean + factor u."""

    mean: np.ndarray  # (n,)
    factor: np.ndarray  # (n, n) lower
    transposed: np.ndarray  # (n, n)
    inverse: np.ndarray  # (n, n)


class Trace(NamedTuple):
    """The places of walkers, one more than trajectories."""

    y: np.ndarray  # (W, T + 1, n)
    u: np.ndarray  # (W, T + 1, n) in the reference's coordinates
    force: np.ndarray  # (W, T + 1, n) slope of ln p + u u / 2 by u
    lnp: np.ndarray  # (W, T + 1) of the reduced posterior

    @classmethod
    def of(cls, n_walkers: int, n_trajectories: int, n: int) -> "Trace":
        """Room for so many."""
        shape = n_walkers, n_trajectories + 1
        return cls(*(np.empty((*shape, n)) for _ in range(3)), np.empty(shape))


class EvaluationRoom(NamedTuple):
    """What one evaluation writes into; see `make_room`."""

    y: np.ndarray
    z: np.ndarray
    bends: np.ndarray
    components: np.ndarray
    values: np.ndarray
    profile: np.ndarray
    count: np.ndarray
    sky: np.ndarray
    by_component: np.ndarray
    by_sky: np.ndarray
    gradient: np.ndarray
    nodes: reduced.NodeRoom


def make_room(target: tuple) -> EvaluationRoom:
    """Room for evaluations of a target."""
    plan, nodes = target[1], target[4]
    n, n_profile, n_components = int(plan.n), target[2].pieces.shape[2] // 2, len(plan.source)
    width = plan.n_bands + N_SHAPE
    return EvaluationRoom(
        np.zeros(n), np.zeros(n), np.zeros((len(plan.index), 4)), np.zeros((n_components, width)),
        np.zeros((*plan.index.shape, 5)), np.zeros((n_components, n_profile, 6)),
        np.zeros(n_components, np.int32), np.zeros(len(nodes.sky_data)), np.zeros((n_components, width)),
        np.zeros(len(nodes.sky_data)), np.zeros(n), reduced.make_room(nodes, n_profile),
    )  # fmt: skip


@compiled(**LEAN)
def product(matrix, vector, out):
    """out = matrix vector."""
    for i in range(len(out)):
        out[i] = dot(matrix[i], vector)


@compiled(**LEAN)
def copy(vector, out):
    """out = vector."""
    for i in range(len(out)):
        out[i] = vector[i]


@compiled(**PART)
def arrange(y, target, z, bends, components, values, profile, count, sky):
    """The model's components at y (n,), their profiles and the skies; ln |dz/dy|."""
    ridge_of, plan, profiles, _, _ = target
    n_bands = plan.n_bands
    log_det = ridge.forward(
        y, n_bands, plan.index, plan.origin, plan.unit, plan.number, plan.tables, ridge_of.columns,
        ridge_of.origin, ridge_of.index0, ridge_of.flux, ridge_of.a, ridge_of.b, ridge_of.c, ridge_of.k,
        ridge_of.width, ridge_of.radius0, z, bends,
    )  # fmt: skip
    mapping.expand(
        z, n_bands, plan.index, plan.origin, plan.unit, plan.number, plan.kind, plan.tables, plan.source,
        plan.share, plan.feed, plan.held, components, values,
    )  # fmt: skip
    for n in range(len(components)):
        count[n] = fill_profile(
            components[n, n_bands + 5], components[n, n_bands + 6], plan.is_point[n], profiles.n_min,
            profiles.n_max, profiles.first, profiles.per_step, profiles.pieces, profiles.n_below,
            profile[n],
        )  # fmt: skip
    for e in range(len(plan.sky_unit)):
        sky[e] = z[plan.sky_index + e] * plan.sky_unit[e]
    return log_det


@compiled(**PART)
def weigh(z, target, values, by_component, by_sky, gradient):
    """ln prior at z (n,); makes `gradient` (n,) that of ln p from the slopes of chi2."""
    _, plan, _, law, _ = target
    lnprior = mapping.collect(
        z, plan.n_bands, plan.index, plan.kind, plan.source, plan.share, plan.feed, values, plan.flux_prior,
        plan.sky_index, plan.sky_unit, plan.sky_curvature, by_component, by_sky, gradient,
    )  # fmt: skip
    return lnprior + add_slopes(
        plan.index, values, law.weight, law.floor, law.power, law.fall, law.size, law.law, gradient
    )


@compiled(**LEAN)
def arrange_all(y, target, room, lnp, components, profile, count, sky):
    """`arrange` for places y (W, n), a row of each of the last four: ln |dz/dy| + ln prior to lnp (W,)."""
    for w in range(len(y)):
        room.by_component[:], room.by_sky[:], room.gradient[:] = 0.0, 0.0, 0.0
        log_det = arrange(
            y[w], target, room.z, room.bends, components[w], room.values, profile[w], count[w], sky[w]
        )
        lnp[w] = log_det + weigh(room.z, target, room.values, room.by_component, room.by_sky, room.gradient)


@compiled(**PART)
def at(u, target, reference, force, room):
    """ln p at u (n,), and the slope of ln p + u u / 2 by u to `force` (n,)."""
    ridge_of, plan, nodes, y, z = target[0], target[1], target[4], room.y, room.z
    product(reference.factor, u, y)
    for i in range(len(u)):
        y[i] += reference.mean[i]
    room.by_component[:], room.by_sky[:], room.gradient[:] = 0.0, 0.0, 0.0
    lnp = arrange(y, target, z, room.bends, room.components, room.values, room.profile, room.count, room.sky)
    lnp += reduced.evaluate(
        nodes, room.components, room.profile, room.count, room.sky, room.by_component, room.by_sky,
        room.nodes,
    )  # fmt: skip
    lnp += weigh(z, target, room.values, room.by_component, room.by_sky, room.gradient)
    ridge.backward(
        z, plan.n_bands, plan.index, plan.origin, plan.unit, ridge_of.columns, ridge_of.flux, ridge_of.a,
        room.bends, room.gradient,
    )  # fmt: skip
    product(reference.transposed, room.gradient, force)
    for i in range(len(u)):
        force[i] += u[i]
    return lnp


@compiled(**PART)
def follow(u, p, angle, n_steps, target, reference, force, room):
    """A trajectory of `n_steps` turns through `angle` rad in place, `force` (n,) known where it starts; ln p.

    Half a kick before and after each turn: u, p and force are those at its end.
    """
    step = angle / n_steps
    cosine, sine, lnp = np.cos(step), np.sin(step), 0.0
    for _ in range(n_steps):
        for i in range(len(u)):
            push = p[i] + 0.5 * step * force[i]
            u[i], p[i] = cosine * u[i] + sine * push, cosine * push - sine * u[i]
        lnp = at(u, target, reference, force, room)
        for i in range(len(u)):
            p[i] += 0.5 * step * force[i]
    return lnp


@compiled(**LEAN)
def whiten(y, reference, shifted, u):
    """u (n,) of y (n,)."""
    for i in range(len(y)):
        shifted[i] = y[i] - reference.mean[i]
    product(reference.inverse, shifted, u)


@compiled(**PART)
def go_on(t, trace, momentum, angle, chance, n_steps, target, reference, room):
    """A trajectory from place t of a walker's trace to the next, tested on the reduced posterior itself."""
    copy(trace.u[t], trace.u[t + 1])
    copy(trace.force[t], trace.force[t + 1])
    before = trace.lnp[t] - 0.5 * dot(momentum, momentum)
    lnp = follow(trace.u[t + 1], momentum, angle, n_steps, target, reference, trace.force[t + 1], room)
    accepted = np.log(chance) < lnp - 0.5 * dot(momentum, momentum) - before
    if accepted:
        trace.lnp[t + 1] = lnp
        product(reference.factor, trace.u[t + 1], trace.y[t + 1])
        for i in range(len(reference.mean)):
            trace.y[t + 1, i] += reference.mean[i]
    else:
        trace.lnp[t + 1] = trace.lnp[t]
        copy(trace.y[t], trace.y[t + 1])
        copy(trace.u[t], trace.u[t + 1])
        copy(trace.force[t], trace.force[t + 1])
    return accepted


@compiled(**LEAN)
def explore(trace, known, many, momenta, angles, chances, n_steps, target, reference, room):
    """Walkers through `many` (W,) trajectories each: momenta (W, T, n), angles and chances (W, T).

    Where a walker begins y is given, and where it is `known` (W,) all else too. Momenta are written over.
    Returns how many trajectories were accepted. A walker's numbers do not depend on the others, nor on where
    a walk is interrupted, to the last bit.
    """
    accepted, mode = 0, without_subnormals()  # as far from narrow Gaussians
    for w in range(len(many)):
        one = Trace(trace.y[w], trace.u[w], trace.force[w], trace.lnp[w])
        if not known[w]:
            whiten(one.y[0], reference, one.force[0], one.u[0])
            one.lnp[0] = at(one.u[0], target, reference, one.force[0], room)
        for t in range(many[w]):
            accepted += go_on(
                t, one, momenta[w, t], angles[w, t], chances[w, t], n_steps, target, reference, room
            )
    restored(mode)
    return accepted
