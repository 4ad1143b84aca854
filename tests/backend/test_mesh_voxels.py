from pathlib import Path

import numpy as np
import pytest
from toy_world import make_world

from worldtracing.meshing.voxels import FIT_POINTS, CanonicalFrame, occupied_voxels
from worldtracing.world import LayeredWorld


@pytest.fixture(scope="module")
def golden():
    """Layers of a made-up object, and the voxels that the release makes of them."""
    return np.load(Path(__file__).parents[1] / "data/golden/misc/voxel.npz")


def test_the_canonical_frame_is_the_releases(golden):
    frame = CanonicalFrame.fit(golden["xyz"], golden["mask"])
    np.testing.assert_array_equal(frame.centroid, golden["centroid"])
    assert frame.scale == golden["scale"]
    np.testing.assert_allclose(frame.apply(golden["sub500"]), golden["canon"], atol=1e-7)
    np.testing.assert_allclose(frame.invert(golden["canon"]), golden["inv"], atol=2e-7)


@pytest.mark.parametrize(("resolution", "between", "closing"), [(64, 4, 1), (32, 4, 1), (64, 0, 0), (48, 7, 2)])
def test_the_voxels_are_the_releases(golden, resolution, between, closing):
    frame = CanonicalFrame.fit(golden["xyz"], golden["mask"])
    voxels = occupied_voxels(golden["xyz"], golden["mask"], frame, resolution, between, closing)
    assert voxels.dtype == np.int32
    np.testing.assert_array_equal(voxels, golden[f"coords_r{resolution}_s{between}_c{closing}"])


def test_the_defaults_are_what_the_release_gives_to_trellis(golden):
    frame = CanonicalFrame.fit(golden["xyz"], golden["mask"])
    np.testing.assert_array_equal(occupied_voxels(golden["xyz"], golden["mask"], frame, 32), golden["coords_r32_s4_c1"])


def test_up_is_up_and_the_camera_looks_along_y():
    points = np.array([[[[0, -1, 2], [0, 1, 2], [0, 0, 1], [0, 0, 3]]]], np.float32)
    high, low, near, far = CanonicalFrame.fit(points, np.ones((1, 1, 4), bool)).apply(points)[0, 0]
    assert high[2] > low[2]
    assert near[1] < far[1]


def test_points_that_are_not_valid_count_for_nothing(golden):
    points = golden["xyz"].copy()
    points[~golden["mask"]] = 1e6
    points[0, 0, 0] = np.nan
    mask = golden["mask"].copy()
    mask[0, 0, 0] = True
    frame = CanonicalFrame.fit(points, mask)
    assert frame.scale == golden["scale"]
    np.testing.assert_array_equal(occupied_voxels(points, mask, frame, 32), golden["coords_r32_s4_c1"])


def test_many_points_are_thinned_out_for_the_frame_alone():
    world = make_world(LayeredWorld, width=640, height=480)
    assert world.valid.sum() > FIT_POINTS
    frame = CanonicalFrame.fit(world.points, world.valid)
    reach = np.abs(frame.apply(world.points[world.valid])).max()
    assert reach == pytest.approx(0.45, abs=0.002)


def test_one_point_makes_one_voxel():
    points = np.full((1, 1, 1, 3), 2.0, np.float32)
    valid = np.ones((1, 1, 1), bool)
    assert occupied_voxels(points, valid, CanonicalFrame.fit(points, valid), 32).tolist() == [[16, 16, 16]]
