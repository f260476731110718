"""Terms of exposures beside the background, here a scale of fluxes and a shift: exact derivatives."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from fpho.posterior import Posterior

from .. import reference
from .scenes import DEC, RA, TABLE, make_arrays, make_rows, zero_weight

BANDS = ("g", "r")


@dataclass(frozen=True)
class FluxScale:
    """An exposure's fluxes times 1 + value."""

    name: str = "flux_scale"
    sigma: float = 0.05

    def moved(self, patch, value):
        return patch.with_fields(gain=patch.gain * (1 + value))

    def slopes(self, patch, components, value):
        out = np.zeros(components.shape)
        out[:, patch.band[0]] = components[:, patch.band[0]] / (1 + value)
        return out


@dataclass(frozen=True)
class Shift:
    """An exposure's sources moved along x or y, pixels."""

    axis: int
    sigma: float = 0.3

    @property
    def name(self):
        return f"shift_{'xy'[self.axis]}"

    def moved(self, patch, value):
        return patch.with_fields(position=patch.position + value * np.eye(2)[self.axis])

    def slopes(self, patch, components, value):
        out = np.zeros(components.shape)
        n = components.shape[1] - 7
        out[:, n : n + 2] = np.linalg.inv(patch.scale[0])[..., self.axis]
        return out


TERMS = (FluxScale(), Shift(0), Shift(1))


def posterior(noise=1.0, weight=1.0, sky=True):
    rows = make_rows(BANDS, {"g": 150.0, "r": 300.0}, {"g": 90.0, "r": 80.0, "offset": (-0.4, 0.7)})
    arrays = make_arrays(rows, BANDS, n_exposures=3, noise=noise)
    if not weight:
        arrays = zero_weight(arrays)
    return Posterior(
        arrays, rows, BANDS, TABLE, reference=(RA, DEC), in_fit_background=sky, moving_terms=TERMS
    )


def lnlike(model, z):
    """The slow likelihood: each term put into the patch by hand."""
    state = model.state(z)[0]
    values = z[-9:].reshape(3, 3) * model.plan.sky_unit[-9:].reshape(3, 3)
    shift = np.stack(values[1:], axis=-1)[:, None]
    arrays = replace(
        model.arrays,
        gain=model.arrays.gain * (1 + values[0])[:, None],
        position=model.arrays.position + shift,
    )
    return -0.5 * reference.chi2(arrays, state).sum()


@pytest.mark.parametrize("sky", [True, False])
def test_gradient_is_that_of_the_reference(sky):
    """Central differences of the float64 likelihood plus the prior."""
    model, blank = posterior(sky=sky), posterior(weight=0.0, sky=sky)
    z = np.random.default_rng(3).normal(0, 0.7, model.ndim)
    expected = np.zeros(model.ndim)
    for i, step in enumerate(np.eye(model.ndim) * 1e-4):
        f = [lnlike(model, z + k * step) + blank.lnprob(z + k * step) for k in (1, -1, 2, -2)]
        expected[i] = (8 * (f[0] - f[1]) - (f[2] - f[3])) / 12e-4
    gradient = model.lnprob_and_grad(z)[1]
    assert np.abs(gradient - expected).max() < 1e-4 * np.abs(expected).max()
    assert np.isclose(model.lnprob(z), lnlike(model, z) + blank.lnprob(z), rtol=1e-5)


def test_fisher_is_the_curvature_without_noise():
    model = posterior(noise=0.0)
    q = np.concatenate([[row[name] for name in model.plan.columns] for row in model.rows])
    places = [model.plan.column(name) + s * len(model.plan.columns) for s in (0, 1) for name in ("ra", "dec")]
    q[places] -= np.tile([RA, DEC], 2)
    z = model.transform.inverse_transform(np.concatenate([q, np.zeros(12)]))
    found = model.fisher(z)
    steps = 0.02 / np.sqrt(np.diag(found))  # of each coordinate's error: above the rounding of weak ones
    slopes = [
        (model.lnprob_and_grad(z - h)[1] - model.lnprob_and_grad(z + h)[1]) / (2 * step)
        for h, step in zip(np.diag(steps), steps, strict=True)
    ]
    size = np.sqrt(np.outer(np.diag(found), np.diag(found)))
    assert np.abs((found - slopes) / size).max() < 5e-3


def test_where_terms_stand():
    model = posterior()
    names = [name for s, name in model.plan.names() if s < 0]
    assert names == [name for name in ("background", "flux_scale", "shift_x", "shift_y") for _ in range(3)]
    assert model.plan.linear[-12:].tolist() == [True] * 3 + [False] * 9
    z = np.random.default_rng(1).standard_normal(model.ndim)
    q = model.transform.transform(z)
    assert np.allclose(q[-12:], z[-12:] * model.plan.sky_unit)
    assert np.allclose(model.transform.inverse_transform(q)[-12:], z[-12:])
