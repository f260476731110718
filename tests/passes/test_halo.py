"""What is left of a patch when the halo is taken away is what a patch without it would have."""

import numpy as np

from fpho.config import Priors
from fpho.posterior.exposure_terms import background_terms
from fpho.posterior.parameter_map import make_parameter_map
from fpho.posterior.transform import Transform
from tests.posterior.scenes import DEC, RA, make_rows, wide_bounds

BANDS = ("g", "r")
SOURCES = (
    {"g": 150.0, "r": 300.0},
    {"g": 60.0, "r": 20.0, "is_point": True, "rhalf": 0.0, "offset": (0.5, 0.4)},
    {"g": 90.0, "r": 80.0, "sersic": 4.0, "offset": (-0.4, 0.7)},
)


def test_coordinates_and_columns_of_the_first_sources():
    """With backgrounds of three exposures, for one, two and all of the sources."""
    rows, terms = make_rows(BANDS, *SOURCES), background_terms([0.5, 1.0, 2.0], 10.0)
    bounds = wide_bounds(rows, BANDS)

    def transform(n):
        return Transform(make_parameter_map(rows[:n], BANDS, bounds[:n], Priors(), (RA, DEC), terms))

    whole = transform(3)
    z = np.random.default_rng(1).standard_normal((20, whole.plan.ndim))
    for n in (1, 2, 3):
        coordinates, columns = whole.plan.of_sources(n)
        part = transform(n)
        assert len(coordinates) == part.plan.ndim
        assert np.array_equal(whole.transform(z)[:, columns], part.transform(z[:, coordinates]))
