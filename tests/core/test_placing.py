"""Where objects stand, and what left and right mean there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from world_tracing.worldtracing_addon.core import placing

UP = np.array([0, 0, 1.0])


def box(low, high):
    return np.random.default_rng(0).uniform(low, high, (5000, 3))


def unit(seed):
    vector = np.random.default_rng(seed).normal(size=3)
    return vector / np.linalg.norm(vector)


def test_the_bottom_center_is_on_what_is_known_to_be_below():
    points = box((1, 2, 3), (3, 6, 4))
    assert placing.bottom_center(points, UP) == pytest.approx((2, 4, 3), abs=0.05)
    assert placing.bottom_center(points, UP, floor=2.9) == pytest.approx((2, 4, 2.9), abs=0.05)
    stray = np.concatenate([points, [[100, 100, -100]]])
    assert placing.bottom_center(stray, UP) == pytest.approx((2, 4, 3), abs=0.05)


@given(st.integers(0, 99))
def test_axes_are_at_right_angles(seed):
    up, forward = unit(seed), unit(seed + 100)
    level = placing.horizontal_axes(up)
    np.testing.assert_allclose(level @ level.T, np.eye(2), atol=1e-9)
    np.testing.assert_allclose(level @ up, 0, atol=1e-9)
    seen = placing.viewer_axes(forward, up)
    np.testing.assert_allclose(seen @ seen.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(seen) == pytest.approx(1) and seen[1] @ forward > 0


def test_looking_straight_down_still_has_directions():
    seen = placing.viewer_axes(-UP, UP)
    np.testing.assert_allclose(seen @ seen.T, np.eye(3), atol=1e-9)


def test_an_object_stands_on_the_nearest_level_plane_below_it():
    planes = [(UP, 0.0), (UP, 0.8)]  # floor and table
    assert placing.standing_on(box((0, 0, 0.81), (0.1, 0.1, 1)), planes, 0.25) == 1
    assert placing.standing_on(box((0, 0, 0.01), (1, 1, 1)), planes, 0.25) == 0
    assert placing.standing_on(box((0, 0, 3), (1, 1, 4)), planes, 0.25) == -1
    assert placing.standing_on(box((0, 0, -1), (1, 1, -0.01)), [(UP, 0.0)], 2.0) == -1  # below it


@given(st.integers(0, 99), st.floats(-3, 3))
def test_turns_are_counterclockwise_seen_from_above(seed, angle):
    up = unit(seed)
    right, ahead = placing.horizontal_axes(up)
    ahead = np.cross(up, right)
    turned = np.cos(angle) * right + np.sin(angle) * ahead + 0.7 * up
    assert placing.turn_between(right, turned, up) == pytest.approx(angle, abs=1e-9)
