"""Robust statistics against astropy's, which carries more digits of the factor."""

import numpy as np
import pytest
from astropy import stats

from fpho.robust import mad_std


def test_median_absolute_deviation():
    values = np.random.default_rng(1).normal(3.0, 2.0, 5000)
    values[:200] = 1e6
    assert mad_std(values) == pytest.approx(stats.mad_std(values), rel=1e-5)
    both = np.concatenate([values, 6.0 - values])  # its median is 3
    assert mad_std(values, about=3.0) == pytest.approx(stats.mad_std(both), rel=1e-5)
    assert mad_std(values) == pytest.approx(2.0, rel=0.1)
