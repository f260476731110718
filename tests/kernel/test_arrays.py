"""Which exposures have a good pixel near a source: only tiles around it are looked at."""

import numpy as np
import pytest

from fpho.geometry import tile_pixels
from fpho.kernel.arrays import near_pixels

from ..posterior.scenes import make_arrays, make_rows


@pytest.mark.parametrize("reach", [1.0, 3.0, 11.0])
def test_near_pixels_are_those_of_all_pixels(reach):
    """Sources on tiles' edges, inside, and beyond the patch; two of three pixels are bad."""
    rng = np.random.default_rng(4)
    rows = make_rows("g", *({"offset": tuple(place)} for place in rng.uniform(-2.4, 2.4, (40, 2))))
    arrays = make_arrays(rows[:1], "g", size=40, n_exposures=2)
    position = rng.uniform(-15, 55, (2, 40, 2))
    position[:, :10] = np.round(position[:, :10] / 8) * 8 - 0.5
    arrays = arrays.with_fields(
        position=position, weight=np.where(rng.random(arrays.weight.shape) < 1 / 3, arrays.weight, 0)
    )
    x, y = tile_pixels(arrays.tile_x, arrays.tile_y)
    slow = [
        [np.any((arrays.weight[a:b] > 0) & (np.hypot(x[a:b] - x0, y[a:b] - y0) < reach)) for x0, y0 in places]
        for places, a, b in zip(position, arrays.exposure_start, arrays.exposure_start[1:], strict=False)
    ]
    assert np.array_equal(near_pixels(arrays, reach), slow) and 0 < np.mean(slow) < 1
