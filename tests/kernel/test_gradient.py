"""The gradient everywhere in the prior box, against central differences of the float64 reference.

Through the Sersic table, so that its derivatives are tested along. The tolerance of 1e-4 of the largest
element leaves room for float32 sums (some 1e-6); a wrong or missing term shows as 1e-2 or more. Near an
optimum, where the terms of all elements cancel, a float32 sum is right to 1e-6 of what its terms add up to
without their signs: there 1e-5 of that is the tolerance.
"""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpho.kernel import backend
from fpho.parameters import ellipticity, shape_matrix
from fpho.sersic import load_table
from tests import reference
from tests.kernel.backends import BACKENDS, sized
from tests.kernel.scenes import scene

TABLE = load_table()
source = st.fixed_dictionaries(
    {
        "ratio": st.one_of(st.floats(0.16, 1.0), st.floats(0.05, 0.16), st.just(1.0)),
        "pa": st.floats(-np.pi / 2, np.pi / 2),
        "n": st.floats(0.55, 5.9),
        "log_rhalf": st.floats(np.log(0.005), np.log(3.0)),
        "flux": st.tuples(*[st.floats(1.0, 500.0)] * 2),
        "offset": st.tuples(*[st.floats(-0.03, 0.03)] * 2),
        "is_point": st.booleans(),
    }
)


def profile_of(rows, moved=None, n=0.0, rhalf=0.0):
    """Profiles of the sources, n and rhalf of one of them moved."""
    index = np.array([r["n"] for r in rows])
    size = np.exp([r["log_rhalf"] for r in rows])
    if moved is not None:
        index[moved] += n
        size[moved] += rhalf
    return TABLE.evaluate(index, size, np.array([r["is_point"] for r in rows]))


def state_of(rows, state):
    matrix = shape_matrix(
        *ellipticity(np.sqrt([r["ratio"] for r in rows]), np.array([r["pa"] for r in rows]))
    )
    sources = state.sources.copy()
    sources[:, :2], sources[:, 2:4] = [r["flux"] for r in rows], [r["offset"] for r in rows]
    sources[:, 4:7] = matrix.reshape(-1, 3)
    profile, count = profile_of(rows)
    return dataclasses.replace(state, sources=sources, profile=profile, profile_count=count)


def moves_of(rows, state, patch):
    """All parameters with their steps; shape only where it is a parameter."""
    moves = reference.variations(patch, state)
    width = state.sources.shape[1]
    for s, row in enumerate(rows):
        size = np.exp(row["log_rhalf"])
        steps = {"n": 1e-3, "rhalf": 1e-3 * size}
        for column, (name, step) in enumerate(steps.items(), start=width - 2):
            moves[s * width + column] = (
                lambda h, s=s, name=name: dataclasses.replace(
                    state, profile=profile_of(rows, s, **{name: h})[0]
                ),
                step,
            )
    return moves


@pytest.mark.parametrize("name", BACKENDS)
@settings(max_examples=sized(25, 2), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(rows=st.tuples(source, source), seed=st.integers(0, 1000))
def test_gradient_in_the_prior_box(name, rows, seed):
    check(name, rows, seed)


def check(name, rows, seed):
    """The gradient of two sources on a scene, all bands and exposures."""
    shape = sized((24, 32), (16, 16))
    patch, state = scene(seed, n_sources=2, n_bands=2, n_exposures=sized(2, 1), shape=shape)
    state = state_of(rows, state)
    _, gradient, by_background = backend(name).evaluate(patch, state)
    ours = np.concatenate([gradient.ravel(), by_background])
    pull = -2.0 * patch.weight.astype("f8") * (patch.data - reference.model(patch, state))
    terms = [
        pull * reference.derivative(lambda moved: reference.model(patch, moved), *move)
        for move in moves_of(rows, state, patch)
    ]
    expected, sizes = (np.array([x.sum() for x in some]) for some in (terms, map(np.abs, terms)))
    assert np.all(np.abs(ours - expected) < np.maximum(1e-4 * np.abs(expected).max(), 1e-5 * sizes))


@pytest.mark.parametrize("name", BACKENDS)
def test_gradient_where_its_terms_cancel(name):
    """A star at its place: the sum by position is a hundredth of what its terms add up to."""
    star = {"ratio": 1.0, "pa": 0.0, "n": 1.0, "log_rhalf": 0.0, "flux": (1.0, 165.0), "is_point": True}
    faint = star | {
        "ratio": 0.5,
        "log_rhalf": 1.0,
        "flux": (1.0, 1.0),
        "offset": (0.0, 0.0),
        "is_point": False,
    }
    check(name, (star | {"offset": (0.01425, 0.0001)}, faint), 327)
