"""Made-up results: three sources with known draws, two patches, two bands."""

import numpy as np
import pytest

from fpho.geometry import CircularRegion
from fpho.parameters import q_names, scene_dtype
from fpho.products.collecting import PatchResult, Results, SourceResult

BANDS = ["g", "r"]
CHAINS, DRAWS = 4, 250
CENTRE = {"g": 100.0, "r": 200.0, "ra": 359.99999, "dec": 60.0, "q": 0.8, "pa": np.pi / 2, "sersic": 2.0}
CENTRE["rhalf"] = 0.3
SPREAD = {"g": 5.0, "r": 4.0, "ra": 2e-6, "dec": 1e-6, "q": 0.02, "pa": 0.1, "sersic": 0.2, "rhalf": 0.01}


def source(index: int, rng, point=False) -> SourceResult:
    """Independent Gaussian draws about CENTRE; `pa` about north, where the position angle wraps."""
    row = np.zeros((), scene_dtype(BANDS))
    row["source_index"], row["id"], row["is_valid"], row["is_point"] = index, f"s{index}", True, point
    draws = np.zeros(CHAINS * DRAWS, [(name, "f8") for name in q_names(BANDS)])
    for name in draws.dtype.names:
        fixed = point and name in ("q", "pa", "sersic", "rhalf")
        row[name] = CENTRE[name]
        draws[name] = CENTRE[name] + (0 if fixed else SPREAD[name]) * rng.standard_normal(len(draws))
    draws["dec"] += 2e-3 * index
    row["dec"] += 2e-3 * index
    return SourceResult(row[()], draws, CHAINS, patch=index // 2, rhat=1.001, ess=900.0)


@pytest.fixture
def results():
    rng = np.random.default_rng(8)
    sources = [source(i, rng, point=i == 2) for i in range(3)]
    patches = [
        PatchResult(
            i, CircularRegion(359.999, 60.0, 3.0), np.array(active), {"max_rhat": 1.001}, ["g1"], {}, None
        )
        for i, active in enumerate(([0, 1], [2]))
    ]
    return Results(BANDS, sources, patches)
