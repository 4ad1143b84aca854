"""Where the cameras of rigs stand, and how far they may go."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from world_tracing.worldtracing_addon.core import coverage, rigs

K = np.array([[110.0, 0, 52], [0, 105, 33], [0, 0, 1]])
SIZE = (100, 80)
UP = np.array([0, 0, 1.0])


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.5, 50))
def test_the_clip_matrix_sees_what_the_lens_sees(right, up, depth):
    clip = rigs.clip_matrix(K, SIZE, np.eye(4)) @ (right * depth, depth, up * depth, 1)
    x, y = clip[:2] / clip[3]
    assert (x + 1) / 2 * SIZE[0] == pytest.approx(K[0, 0] * right + K[0, 2], abs=1e-6)
    assert (1 - y) / 2 * SIZE[1] == pytest.approx(-K[1, 1] * up + K[1, 2], abs=1e-6)


def normal(seed):
    vector = np.random.default_rng(seed).normal(size=3)
    return vector / np.linalg.norm(vector)


@given(st.integers(0, 99), st.floats(-180, 180))
def test_an_orbit_keeps_the_center_in_its_place(seed, degrees):
    center, up = np.array([0.3, 4, -0.5]), normal(seed)
    pose = rigs.orbit_pose(center, up, degrees)
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-9)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    np.testing.assert_allclose(np.linalg.inv(pose) @ (*center, 1), (*center, 1), atol=1e-9)
    assert np.linalg.norm(pose[:3, 3] - center) == pytest.approx(np.linalg.norm(center))


def test_positive_degrees_lead_to_the_right_and_positive_travel_forward():
    center = np.array([0, 3.0, 0])
    assert rigs.orbit_pose(center, UP, 30)[0, 3] > 1
    np.testing.assert_allclose(rigs.dolly_pose(center, 0.5)[:3, 3], (0, 0.5, 0))


def sphere_splats(front_only):
    """A ball before the camera, all of it or the half that the camera sees."""
    i = np.arange(40000) + 0.5
    polar, turn = np.arccos(1 - 2 * i / len(i)), np.pi * (1 + 5**0.5) * i
    points = np.stack([np.sin(polar) * np.cos(turn), 4 + np.cos(polar), np.sin(polar) * np.sin(turn)], -1)
    if front_only:
        points = points[points[:, 1] < 3.7]
    return coverage.Splats(points.astype(np.float32), np.full(len(points), 0.02, np.float32), False)


def suggested(splats):
    view = rigs.Viewpoint(K, SIZE, np.array([0, 4.0, 0]), UP, 3.0)
    return rigs.suggest_range(splats, view, SIZE)


def test_a_whole_ball_may_be_circled():
    found = suggested(sphere_splats(front_only=False))
    assert found.left == found.right == 180
    assert found.orbit_coverage > 0.95 and found.photo_coverage > 0.99
    assert found.forward > 0 and found.back > 0


def wall_splats(half_width):
    x, z = np.meshgrid(np.linspace(-half_width, half_width, 400), np.linspace(-1.6, 1.6, 300))
    points = np.stack([x.ravel(), np.full(x.size, 4.0), z.ravel()], -1).astype(np.float32)
    return coverage.Splats(points, np.full(len(points), 0.02, np.float32), True)


def test_a_wider_wall_allows_a_wider_arc():
    angles = [suggested(wall_splats(half_width)).right for half_width in (2.0, 4.0)]
    assert 5 <= angles[0] < angles[1] < 90
    narrow = suggested(wall_splats(2.0))
    assert narrow.forward > narrow.back  # nearer, the wall still fills the frame
    assert narrow.orbit_coverage < 0.9


def test_the_flight_begins_at_the_photo_and_stops_short_of_each_point():
    picks = np.array([[0, 2.0, 0], [1, 2, 0]])
    places, along = rigs.fly_path(picks)
    np.testing.assert_array_equal(places[0], (0, 0, 0))
    np.testing.assert_allclose(places[1:], 0.6 * picks)
    assert along[0] == 0 and along[-1] == 1 and (np.diff(along) > 0).all()
