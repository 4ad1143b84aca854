import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from worldtracing.resample import resize_area, resize_mask, resize_nearest
from worldtracing.srgb import linear_to_srgb, srgb_to_linear

SIDES = st.integers(1, 30)


@settings(max_examples=100, deadline=None)
@given(hnp.array_shapes(min_dims=2, max_dims=3, max_side=30), SIDES, SIDES, st.sampled_from([np.uint8, np.float32]))
def test_size_dtype_and_constants_are_kept(shape, width, height, dtype):
    result = resize_area(np.full(shape, 77, dtype), width, height)
    assert result.shape == (height, width, *shape[2:])
    assert result.dtype == dtype
    np.testing.assert_allclose(result, 77, rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES)
def test_shrinking_keeps_the_mean(height, width, new_height, new_width):
    image = np.random.default_rng(0).random((height, width))
    result = resize_area(image, min(width, new_width), min(height, new_height))
    assert result.mean() == pytest.approx(image.mean())


@pytest.mark.parametrize("size", [(20, 10), (33, 7), (1, 1), (50, 40)])
def test_shrinking_equals_opencv_area(size):
    image = np.random.default_rng(0).random((40, 50, 3), np.float32)
    np.testing.assert_allclose(
        resize_area(image, *size), cv2.resize(image, size, interpolation=cv2.INTER_AREA), atol=1e-6
    )


@pytest.mark.parametrize("size", [(100, 80), (51, 41), (75, 90)])
def test_enlarging_equals_opencv_linear(size):
    image = np.random.default_rng(0).random((40, 50), np.float32)
    np.testing.assert_allclose(resize_area(image, *size), cv2.resize(image, size), atol=1e-5)


def test_integers_are_rounded_to_nearest():
    assert resize_area(np.array([[0, 255, 255, 255]], np.uint8), 1, 1)[0, 0] == 191
    assert resize_area(np.array([[0, 65535]], np.uint16), 1, 1).dtype == np.uint16


def test_a_mask_is_kept_where_half_of_a_pixel_is_covered():
    mask = np.zeros((4, 8), bool)
    mask[:, :3] = True
    assert resize_mask(mask, 2, 1).tolist() == [[True, False]]
    assert resize_mask(mask, 4, 2).tolist() == [[True, True, False, False]] * 2
    np.testing.assert_array_equal(resize_mask(mask, 16, 8), mask.repeat(2, 0).repeat(2, 1))


def test_nearest_takes_the_pixel_under_the_centre():
    image = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(resize_nearest(image, 8, 6), image.repeat(2, 0).repeat(2, 1))
    np.testing.assert_array_equal(resize_nearest(image, 2, 1), [[5, 7]])


def test_the_curve_is_the_exact_piecewise_one():
    codes = np.arange(256, dtype=np.uint8)
    linear = srgb_to_linear(codes)
    assert linear[0] == 0 and linear[255] == 1
    assert linear[10] == pytest.approx(10 / 255 / 12.92)
    assert linear[188] == pytest.approx(0.502886, abs=1e-6)
    np.testing.assert_allclose(linear_to_srgb(linear) * 255, codes, atol=1e-3)
    np.testing.assert_allclose(linear_to_srgb(np.array([-1.0, 7.0])), [0, 1], atol=1e-7)
