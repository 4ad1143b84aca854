"""What a view of splatted points covers, and where it sees nothing."""

import numpy as np
import pytest
from world_tracing.worldtracing_addon.core import coverage, rigs
from world_tracing.worldtracing_addon.core.picking import inside_box, point_under, points_under

K = np.array([[100.0, 0, 50], [0, 100, 40], [0, 0, 1]])
SIZE = (100, 80)
PHOTO = rigs.clip_matrix(K, SIZE, np.eye(4))


def board(depth=2.0, inside=lambda u, v: np.ones_like(u, bool)):
    """Splats of a board that faces the camera, one point per pixel where `inside`."""
    v, u = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    kept = inside(u, v)
    x, z = (u - K[0, 2]) / K[0, 0] * depth, (K[1, 2] - v) / K[1, 1] * depth
    points = np.stack([x, np.full_like(x, depth), z], -1)[kept].astype(np.float32)
    return coverage.Splats(points, np.full(len(points), 0.75 * depth / K[0, 0], np.float32), kept.mean() > 0.9)


def test_the_photos_own_view_covers_exactly_its_pixels():
    disk = board(inside=lambda u, v: np.hypot(u - 30, v - 20) < 15)
    v, u = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    np.testing.assert_array_equal(coverage.covered(disk, PHOTO, SIZE), np.hypot(u - 30, v - 20) < 15)


def test_points_behind_the_camera_are_not_seen():
    behind = coverage.Splats(np.float32([[0, -2, 0]]), np.float32([1]), False)
    assert not coverage.covered(behind, PHOTO, SIZE).any()


def test_near_points_cover_as_many_pixels_as_their_disc():
    near = coverage.Splats(np.float32([[0, 1, 0]]), np.float32([0.05]), False)  # five pixels in radius
    assert np.count_nonzero(coverage.covered(near, PHOTO, SIZE)) == pytest.approx(np.pi * 25, rel=0.1)


def test_a_whole_scene_misses_what_a_turned_camera_brings_into_view():
    whole = board()
    assert coverage.coverage(whole, PHOTO, SIZE) == 1
    turned = rigs.clip_matrix(K, SIZE, rigs.orbit_pose(np.array([0, 2.0, 0]), np.array([0, 0, 1.0]), 40))
    missing = coverage.holes(coverage.covered(whole, turned, SIZE), True)
    assert 0.05 < missing.mean() < 0.6


def test_beside_an_object_is_no_hole_but_a_gap_in_it_is():
    def ring(u, v):
        return (np.hypot(u - 50, v - 40) < 25) & (np.hypot(u - 50, v - 40) > 8)

    seen = coverage.covered(board(inside=ring), PHOTO, SIZE)
    missing = coverage.holes(seen, False)
    v, u = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    np.testing.assert_array_equal(missing, np.hypot(u - 50, v - 40) <= 8)
    slit = seen | missing
    slit[:, 50:52] = False  # open to the outside
    assert coverage.holes(slit, False)[30:50, 50:52].all()


def test_nothing_covers_nothing():
    empty = coverage.Splats(np.empty((0, 3), np.float32), np.empty(0, np.float32), False)
    assert coverage.coverage(empty, PHOTO, SIZE) == 0


def test_the_last_good_step_is_before_the_first_bad_one():
    shares = {1: 0.95, 2: 0.9, 3: 0.5, 4: 1.0}
    assert coverage.largest_step(shares, shares.__getitem__, 0.9) == 2
    assert coverage.largest_step([3], shares.__getitem__, 0.9) == 0


def test_the_nearest_point_under_the_mouse_is_picked():
    points = np.float32([[0, 3, 0], [0, 2, 0], [0.5, 1, 0], [0, -1, 0]])
    radii = np.full(4, 0.01, np.float32)
    middle = (50, 40)
    assert point_under(points, radii, PHOTO, SIZE, middle) == 1
    assert point_under(points, radii, PHOTO, SIZE, (99, 39)) == 2
    assert point_under(points, radii, PHOTO, SIZE, (20, 70)) == -1
    radii[1] = np.nan  # not there any more
    assert point_under(points, radii, PHOTO, SIZE, middle) == 0


def test_the_points_in_a_box_are_found_whichever_corner_it_is_begun_at():
    points = np.float32([[0, 3, 0], [0, 2, 0], [0.5, 2, 0], [0, -1, 0]])
    for start, end in (((45, 35), (55, 45)), ((55, 45), (45, 35)), ((45, 45), (55, 35))):
        assert inside_box(points, PHOTO, SIZE, start, end).tolist() == [True, True, False, False]
    assert inside_box(points, PHOTO, SIZE, (45, 35), (80, 45)).tolist() == [True, True, True, False]


def test_many_places_are_looked_up_at_once_and_each_as_if_alone():
    random = np.random.default_rng(1)
    points = random.uniform((-1, 0.5, -1), (1, 4, 1), (500, 3)).astype(np.float32)
    radii = random.uniform(0.001, 0.05, 500).astype(np.float32)
    radii[::7] = np.nan
    places = random.uniform(-10, 110, (40, 2))
    found = points_under(points, radii, PHOTO, SIZE, places)
    assert found.tolist() == [point_under(points, radii, PHOTO, SIZE, place) for place in places]
    assert (found >= 0).any() and (found < 0).any() and not np.isin(found, np.arange(0, 500, 7)).any()
