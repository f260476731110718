"""Bad PSF images stop with a message that says what to do, or are mended with a warning that says how."""

import numpy as np
import pytest

from fpho.errors import InputError
from fpho.psf import effective_image
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
