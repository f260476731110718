"""Every source model, those of the tests included: gradient, Fisher matrix, coordinates, components."""

import numpy as np
import pytest
from numpy.lib.recfunctions import append_fields

from fpho.errors import InputError
from fpho.models import MODELS, PARAMETERS, POINT, SERSIC, component_values, models_of, parameters_of
from fpho.patch import source_state
from fpho.posterior import Posterior

from .. import reference
from .models import BULGE_DISC, SIZE_BY_BAND
from .scenes import (
    DEC,
    RA,
    TABLE,
    central_differences,
    curvature,
    make_arrays,
    make_rows,
    wide_bounds,
    zero_weight,
)

BANDS = ("g", "r")
SOURCES = ({"g": 150.0, "r": 300.0}, {"g": 90.0, "r": 80.0, "offset": (-0.4, 0.7)})
ALL_MODELS = {model.name: model for model in (*MODELS, BULGE_DISC, SIZE_BY_BAND)}


def posterior(model, noise=1.0):
    """Two sources of which the first has the model; (posterior, z at the starting values)."""
    extra = {name: p.start for name, p in parameters_of([model]).items() if name not in PARAMETERS}
    rows = make_rows(BANDS, {**SOURCES[0], "is_point": model is POINT}, SOURCES[1])
    for name, value in extra.items():
        rows = append_fields(rows, name, np.full(len(rows), value), usemask=False)
    models = [model, SERSIC]
    components = [s for s, one in enumerate(models) for _ in one.expand(len(BANDS))]
    arrays = make_arrays(rows[components], BANDS, n_exposures=3)
    made = Posterior(arrays, rows, BANDS, TABLE, reference=(RA, DEC), models=models)
    names = made.plan.columns
    q = np.concatenate([[row[name] for name in names] for row in rows])
    places = [made.plan.column(name) + s * len(names) for s in (0, 1) for name in ("ra", "dec")]
    q[places] -= np.tile([RA, DEC], 2)
    z = made.transform.inverse_transform(q)
    rng = np.random.default_rng(4)
    arrays.data[:] = reference.model(arrays, made.state(z)[0]) + noise * rng.standard_normal(
        arrays.data.shape
    )
    return made, z


def blank(made):
    """The same posterior without pixels."""
    arrays = zero_weight(made.arrays)
    models = [*made.models]
    return Posterior(arrays, made.rows, BANDS, TABLE, made.bounds, reference=(RA, DEC), models=models)


@pytest.mark.parametrize("name", ALL_MODELS)
def test_gradient_is_that_of_the_reference(name):
    """Central differences of the float64 likelihood; a parameter that feeds the wrong slot shows at once."""
    made, z = posterior(ALL_MODELS[name])
    z = z + np.random.default_rng(1).normal(0, 0.7, made.ndim)
    _, gradient = made.lnprob_and_grad(z)
    expected = central_differences(made, blank(made), z)
    assert np.abs(gradient - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["bulge_disc", "size_by_band"])
def test_fisher_is_the_curvature_at_the_truth(name):
    made, z = posterior(ALL_MODELS[name], noise=0.0)
    found, expected = made.fisher(z), curvature(made, z)
    size = np.sqrt(np.outer(np.diag(found), np.diag(found)))
    assert np.abs((found - expected) / size).max() < 5e-3


@pytest.mark.parametrize("name", ALL_MODELS)
def test_there_and_back(name):
    made, _ = posterior(ALL_MODELS[name])
    z = np.random.default_rng(5).normal(0, 1.0, (20, made.ndim))
    q = made.transform.transform(z)
    assert np.allclose(
        made.transform.transform(made.transform.inverse_transform(q)), q, rtol=1e-7, atol=1e-11
    )


def test_a_bulge_and_its_disc_share_flux_and_centre():
    """Fluxes of the two components add up to the source's; both stand at the same place."""
    made, z = posterior(BULGE_DISC)
    state, values = made.state(z + 0.3)
    x = values[..., 0]
    disc, bulge, other = state.sources
    part = x[0, made.plan.column("bulge_share")]
    assert np.allclose(bulge[:2], part * x[0, :2]) and np.allclose(disc[:2] + bulge[:2], x[0, :2])
    assert np.array_equal(disc[2:4], bulge[2:4]) and not np.array_equal(disc[2:4], other[2:4])
    assert bulge[-2] == 4.0 and bulge[-1] == x[0, made.plan.column("bulge_rhalf")]
    fluxes, _, _, index, radius = component_values(made.plan.components, x)
    assert np.allclose(fluxes, state.sources[:, :2])
    assert np.allclose(index, state.sources[:, -2]) and np.allclose(radius, state.sources[:, -1])


def test_rows_and_coordinates_give_the_same_components():
    """What patches draw of scene rows is what the posterior draws at their coordinates."""
    rows = make_rows(BANDS, *SOURCES, {"g": 60.0, "r": -20.0, "is_point": True, "rhalf": 0.0})
    made = Posterior(make_arrays(rows, BANDS), rows, BANDS, TABLE, reference=(RA, DEC))
    z = made.transform.inverse_transform(
        np.concatenate(
            [[row[n] - {"ra": RA, "dec": DEC}.get(n, 0) for n in made.plan.columns] for row in rows]
        )
    )
    found, expected = made.state(z)[0], source_state(rows, BANDS, TABLE, 2)
    assert np.allclose(found.sources[:, :-2], expected.sources[:, :-2], atol=1e-7)
    assert np.allclose(found.profile, expected.profile, atol=1e-7)


def test_which_model_a_row_has():
    rows = make_rows(BANDS, *SOURCES, {"is_point": True})
    assert models_of(rows) == [SERSIC, SERSIC, POINT]
    rows["model"] = ["", "point", ""]
    assert models_of(rows) == [SERSIC, POINT, POINT]
    rows["model"] = ["", "spiral", ""]
    with pytest.raises(InputError, match="Known are sersic, point"):
        models_of(rows)


def test_parameters_that_are_not_in_the_model_are_held():
    rows = make_rows(BANDS, {"is_point": True, "q": 0.7})
    bounds = wide_bounds(rows, BANDS)
    held = [name for name in bounds.dtype.names if bounds[name][0, 0] == bounds[name][0, 1]]
    assert held == list(PARAMETERS)
    assert bounds["q"][0, 0] == 0.7
