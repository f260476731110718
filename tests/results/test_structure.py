"""What bright galaxies tell of the structure of all: shares that were put in, and errors of faint ones."""

import os

import numpy as np
import pytest

from fpho.errors import DamagedError, InputError
from fpho.results.misfit import SCALES, patterns
from fpho.results.structure import FEWEST, STEP, learnt, read_structure, telling, write_structure

from .test_misfit import BANDS, GALAXY, KNOTS, posterior


def dimmed(source, factor):
    return source | {band: factor * source[band] for band in BANDS}


def entries(share, error, n, seed=1):
    """Of n galaxies with a share, measured with an error."""
    rng = np.random.default_rng(seed)
    shape = (len(SCALES), 1)
    return [
        ((share + error * rng.standard_normal(shape)).tolist(), np.full(shape, error).tolist())
        for _ in range(n)
    ]


def test_the_share_of_the_bright_ones_is_found():
    """Of 40, a quarter of them with anything in it; those in which noise hides it say nothing."""
    some = entries(0.01, 0.002, 30) + entries(0.2, 0.002, 10) + entries(9.0, 5.0, 50) + [()] * 20
    shares, counts = learnt(some, 1)
    assert np.all(counts == 40)
    assert np.all(np.abs(np.log(shares / 0.01)) < np.log(STEP) + 0.2)


@pytest.mark.parametrize("n", [0, FEWEST - 1])
def test_too_few_tell_nothing(n):
    shares, counts = learnt(entries(0.01, 0.001, n), 1)
    assert not shares.any() and np.all(counts == n)


def test_smooth_galaxies_have_none():
    """The median of noise is positive half of the time, but not by more than its own error."""
    found = [learnt(entries(0.0, 0.005, 30, seed), 1)[0] for seed in range(40)]
    assert np.mean(np.array(found) > 0) < 0.25 and np.max(found) < 0.002


def test_a_few_more_galaxies_change_nothing():
    """Shares are rounded: draws of a whole field would be made again for each new bright galaxy."""
    some = entries(0.0105, 0.0005, 41)
    assert np.array_equal(learnt(some, 1)[0], learnt(some[:-1], 1)[0])


def test_a_faint_galaxy_has_the_errors_of_the_structure_that_noise_hides():
    """What is expected grows as the square of its light: a fifth of the bright one's, here."""
    bright = patterns(*_fitted(KNOTS, GALAXY))
    shares, _ = learnt(telling(bright) * FEWEST, len(BANDS))
    faint = [patterns(*_fitted([dimmed(k, 0.2) for k in KNOTS], dimmed(GALAXY, 0.2), s)) for s in range(4)]
    before, after = (np.mean([one.factors(known) for one in faint]) for known in (None, shares))
    expected = (bright.factors()[0] - 1) / 25
    assert before - 1 < 0.5 * expected < after - 1 < 3 * expected


def test_what_is_measured_well_counts_as_measured():
    """A bright smooth galaxy among ones with knots keeps its errors."""
    smooth = patterns(*_fitted([GALAXY], GALAXY))
    shares, _ = learnt(telling(patterns(*_fitted(KNOTS, GALAXY))) * FEWEST, len(BANDS))
    assert smooth.factors(shares)[0] < 1.6


def test_stars_tell_and_expect_nothing():
    star = {"g": 400.0, "r": 500.0, "is_point": True, "rhalf": 0.0}
    left = patterns(*_fitted([star], star))
    assert telling(left) == ((),) and left.factors(np.ones((len(SCALES), 2))) == pytest.approx([1.0])


def test_table(tmp_path):
    path, shares = tmp_path / "structure.tsv", np.arange(8.0).reshape(len(SCALES), 2) / 100
    write_structure(path, BANDS, shares, np.full(shares.shape, 9))
    assert np.allclose(read_structure(path, BANDS), shares)
    assert np.allclose(read_structure(path, ["r", "z"]), np.stack([shares[:, 1], np.zeros(4)], axis=1))
    assert read_structure(path, ["z"]) is None and read_structure("", BANDS) is None
    state = path.stat()
    path.write_text(path.read_text().replace("0.07", "0.7"))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # as a failing disk does it
    with pytest.raises(DamagedError, match=r"structure\.tsv"):
        read_structure(path, BANDS)
    path.write_text(path.read_text().replace("0.7", "much"))
    with pytest.raises(InputError, match=r"structure\.tsv"):
        read_structure(path, BANDS)


def _fitted(data, start, seed=1):
    model, optimum = posterior(data, seed, **start)
    return model, optimum.q
