import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from worldtracing.regions import (
    component_areas,
    connected_to_border,
    dilate,
    erode,
    fill_holes,
    label_components,
    remove_specks,
)

ndimage = pytest.importorskip("scipy.ndimage")
MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12), elements=st.booleans())


@settings(max_examples=200, deadline=None)
@given(MASKS, st.booleans())
def test_labels_equal_scipy(mask, diagonal):
    labels, count = label_components(mask, diagonal)
    expected, expected_count = ndimage.label(mask, np.ones((3, 3)) if diagonal else None)
    assert labels.dtype == np.int32
    assert count == expected_count
    np.testing.assert_array_equal(labels, expected)


def test_labels_of_a_large_noisy_mask_equal_scipy():
    mask = np.random.default_rng(0).random((700, 900)) < 0.55
    labels, count = label_components(mask)
    expected, expected_count = ndimage.label(mask, np.ones((3, 3)))
    assert count == expected_count
    np.testing.assert_array_equal(labels, expected)


def test_a_spiral_is_one_component():
    size = 61
    mask = np.zeros((size, size), bool)
    row, column, steps, direction = 0, 0, size - 1, 0
    mask[0, 0] = True
    for leg in range(size):
        dr, dc = ((0, 1), (1, 0), (0, -1), (-1, 0))[direction]
        for _ in range(steps):
            row, column = row + dr, column + dc
            mask[row, column] = True
        direction = (direction + 1) % 4
        if leg >= 2 and leg % 2 == 0:
            steps -= 2
        if steps <= 0:
            break
    assert label_components(mask, diagonal=False)[1] == ndimage.label(mask)[1] == 1


def test_areas_are_counted():
    labels, count = label_components(np.array([[1, 0, 1], [1, 0, 0], [0, 0, 1]], bool))
    assert component_areas(labels, count).tolist() == [2, 1, 1]


def test_specks_go_and_holes_are_filled():
    mask = np.zeros((20, 20), bool)
    mask[4:16, 4:16] = True
    clean = mask.copy()
    mask[8, 8] = mask[10:14, 10:14] = False
    mask[0, 0] = mask[19, 18:] = True
    clean[10:14, 10:14] = False
    np.testing.assert_array_equal(fill_holes(remove_specks(mask, 3), 4), clean)


def test_a_bay_of_the_border_is_no_hole():
    mask = np.ones((5, 5), bool)
    mask[0, 2] = mask[1, 2] = False
    np.testing.assert_array_equal(fill_holes(mask, 10), mask)


def test_flood_from_the_border_stops_at_the_object():
    white = np.ones((9, 9), bool)
    white[2:7, 2:7] = False
    white[4, 4] = True
    outside = white.copy()
    outside[4, 4] = False
    np.testing.assert_array_equal(connected_to_border(white), outside)


@settings(max_examples=50, deadline=None)
@given(MASKS, st.integers(0, 4))
def test_dilation_and_erosion_equal_scipy(mask, radius):
    square = np.ones((2 * radius + 1, 2 * radius + 1), bool)
    np.testing.assert_array_equal(dilate(mask, radius), ndimage.binary_dilation(mask, square))
    np.testing.assert_array_equal(erode(mask, radius), ndimage.binary_erosion(mask, square, border_value=1))
