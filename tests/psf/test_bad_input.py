"""Bad PSF images stop with a message that says what to do, or are mended with a warning that says how."""

import numpy as np
import pytest

from fpho.errors import InputError
from fpho.psf import effective_image, fit_mixture
from fpho.psf.image import centroid
from fpho.psf.mixture import evaluate


def stamp(x0=0.0, y0=0.0, size=41):
    y, x = np.indices((size, size)) - size // 2
    return evaluate(np.array([[1.0, x0, y0, 2.0, 2.5, 0.2]]), x, y)


def test_a_good_stamp_passes_without_a_word(recwarn):
    image = effective_image(stamp(0.2, -0.1))
    assert not recwarn.list
    assert image.center == (20, 20)
    assert centroid(image) == pytest.approx((20.2, 19.9), abs=1e-3)


def test_not_centred_is_mended_with_a_warning():
    with pytest.warns(UserWarning, match=r"2\.83 native pixels off"):
        image = effective_image(stamp(2.0, -2.0))
    assert image.center == pytest.approx((22, 18), abs=1e-2)
    assert effective_image(stamp(2.0, -2.0), center="stamp").center == (20, 20)


def test_far_off_centre_stops():
    with pytest.raises(InputError, match="off the stamp's middle"):
        effective_image(stamp(14.0, 0.0))


def test_not_normalised_is_mended_with_a_warning():
    with pytest.warns(UserWarning, match=r"sum is 250\b.*normalised"):
        image = effective_image(250 * stamp())
    assert image.data.sum() == pytest.approx(1)


def test_nan_in_the_wings_is_mended_in_the_core_stops():
    data = stamp()
    data[0, 3] = np.nan
    with pytest.warns(UserWarning, match="1 NaN"):
        assert np.isfinite(effective_image(data).data).all()
    data[20, 20] = np.nan
    with pytest.raises(InputError, match="NaN"):
        effective_image(data)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (-stamp(), "sum is -1"),
        (np.zeros((41, 41)), "sum is 0"),
        (stamp()[18:23, 18:23], "5 x 5 native pixels"),
        (stamp()[None], "3 dimensions"),
    ],
)
def test_no_psf_at_all_stops(data, found):
    with pytest.raises(InputError, match=found):
        effective_image(data, where="psf.fits")


def test_flat_stamp_is_no_psf():
    with pytest.raises(InputError, match="flat"):
        effective_image(np.ones((41, 41)) / 41**2)


def test_native_samples_without_the_pixel_are_said_to_be_poor():
    with pytest.warns(UserWarning, match="give an oversampled image"):
        effective_image(stamp(), pixel_included=False)


def test_cubes_say_what_they_are():
    with pytest.raises(InputError, match=r"3 x 41 x 41.*gridded"):
        effective_image(np.stack([stamp()] * 3))


@pytest.mark.parametrize(("oversample", "size"), [(1, 40), (2, 82), (4, 160)])
def test_even_stamps_centred_on_a_sample(oversample, size, recwarn):
    """The convention of Fourier transforms, sample n / 2, is half a sample off the middle."""
    y, x = (np.indices((size, size)) - size // 2) / oversample
    data = evaluate(np.array([[1.0, 0, 0, 2.0, 2.5, 0.2]]), x, y) / oversample**2
    image = effective_image(data, oversample)
    assert image.center == pytest.approx((size / 2, size / 2), abs=1e-3)
    assert len(recwarn.list) == 1
    assert effective_image(data, oversample, center="stamp").center == ((size - 1) / 2, (size - 1) / 2)


@pytest.mark.parametrize("oversample", [1, 4])
def test_even_stamps_centred_between_samples(oversample, recwarn):
    y, x = (np.indices((80, 80)) - 39.5) / oversample
    image = effective_image(
        evaluate(np.array([[1.0, 0, 0, 2.0, 2.5, 0.2]]), x, y) / oversample**2, oversample
    )
    assert image.center == (39.5, 39.5) and not recwarn.list


def test_samples_coarser_than_the_pixels():
    """Of a PSF that is wide enough to be sampled so; the same light as of native samples."""
    wide = np.array([[1.0, 0.1, -0.2, 6.0, 6.5, 0.5]])
    y, x = (np.indices((35, 35)) - 17) * 1.25
    image = effective_image(evaluate(wide, x, y) * 1.25**2, oversample=0.8)
    assert image.step == 1.25 and image.data.max() == pytest.approx(evaluate(wide, 0, 0), rel=0.01)
    with pytest.raises(InputError, match=r"samples 2\.5 native pixels apart.*too coarse"):
        effective_image(evaluate(wide / [1, 1, 1, 3, 3, 3], 2 * x, 2 * y), oversample=0.4)


def test_negative_light_is_said_or_refused():
    y, x = np.indices((41, 41)) - 20
    wings = np.hypot(x, y) > 8
    for level, word in ((0.05, "negative pixels hold"), (0.6, None)):
        data = stamp() - level * wings / wings.sum()
        if word:
            with pytest.warns(UserWarning, match=word):
                effective_image(data / data.sum())
        else:
            with pytest.raises(InputError, match="negative pixels hold"):
                effective_image(data / data.sum())


def test_wings_that_are_cut_off_are_said():
    with pytest.warns(UserWarning, match="outermost pixels hold"):
        effective_image(stamp(size=7) / stamp(size=7).sum())


def test_the_fraction_of_the_light_in_a_stamp():
    """A plain file whose sum is a little below 1 says so much; the mixture then has that sum."""
    data = 0.98 * stamp()
    with pytest.warns(UserWarning, match="fraction of the light"):
        image = effective_image(data, keep_total="stated")
    assert image.total == pytest.approx(0.98, abs=1e-4)
    with pytest.warns(UserWarning, match="fraction of the light"):
        fit = fit_mixture(data, n_components=1, keep_total="stated")
    assert fit.mixture[:, 0].sum() == pytest.approx(0.98, abs=1e-4)
    assert fit.quality["stamp_total"] == pytest.approx(0.98, abs=1e-4)
    for odd in (0.3, 1.2):
        with pytest.warns(UserWarning, match="normalised to 1"):
            assert effective_image(odd * stamp(), keep_total="stated").total == 1
