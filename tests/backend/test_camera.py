import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldtracing.camera import Camera, intrinsics_from_points
from worldtracing.errors import WorldTracingError

SIZES = st.integers(1, 40)


def test_field_of_view_reaches_the_outer_edges_of_the_pixels():
    camera = Camera.from_fov(640, 480, 60)
    assert camera.fov_x_degrees == pytest.approx(60)
    edge = (640 - camera.cx) / camera.fx
    assert math.degrees(2 * math.atan(edge)) == pytest.approx(60)
    assert camera.fx == camera.fy


def test_35mm_equivalent_focal_length_compares_diagonals():
    camera = Camera.from_focal_35mm(3600, 2400, 50)
    assert camera.fx == pytest.approx(5000)  # the same 3:2 shape as the film: 100 pixels per millimetre
    assert camera.source == "exif"
    turned = Camera.from_focal_35mm(2400, 3600, 50)
    assert turned.fx == pytest.approx(camera.fx)


@settings(max_examples=50, deadline=None)
@given(SIZES, SIZES, st.floats(5, 160))
def test_rays_project_onto_their_own_pixel_centres(width, height, fov):
    camera = Camera.from_fov(width, height, fov)
    depth = np.random.default_rng(0).uniform(0.5, 9, (height, width, 1))
    pixels = camera.project(camera.rays() * depth)
    rows, columns = np.mgrid[:height, :width]
    np.testing.assert_allclose(pixels, np.stack([columns + 0.5, rows + 0.5], -1), atol=2e-4)


def test_the_y_axis_points_down_and_x_right():
    rays = Camera.from_fov(4, 4, 50).rays()
    assert rays[0, 0, 0] < 0 < rays[0, 3, 0]
    assert rays[0, 0, 1] < 0 < rays[3, 0, 1]
    assert (rays[..., 2] == 1).all()


@settings(max_examples=50, deadline=None)
@given(SIZES, SIZES, SIZES, SIZES, st.integers(-20, 20), st.integers(-20, 20))
def test_resizing_and_cropping_move_pixels_as_the_picture_moves(width, height, new_width, new_height, x0, y0):
    camera = Camera(width, height, 31.0, 29.0, 0.4 * width, 0.6 * height)
    points = np.array([[0.3, -0.2, 2.0], [-1.0, 0.5, 4.0]])
    pixels = camera.project(points)
    resized = camera.resized(new_width, new_height)
    np.testing.assert_allclose(resized.project(points), pixels * [new_width / width, new_height / height])
    cropped = camera.cropped(x0, y0, 5, 6)
    np.testing.assert_allclose(cropped.project(points), pixels - [x0, y0])
    assert (resized.width, resized.height, cropped.width, cropped.height) == (new_width, new_height, 5, 6)


def test_a_matrix_goes_in_and_out():
    K = np.array([[500.0, 0, 310], [0, 510, 250], [0, 0, 1]])
    camera = Camera.from_K(K, 640, 480, "solved")
    np.testing.assert_array_equal(camera.K, K)
    assert camera.source == "solved"


@settings(max_examples=30, deadline=None)
@given(st.floats(20, 200), st.floats(20, 200), st.floats(0, 24), st.floats(0, 16))
def test_intrinsics_are_recovered_from_a_point_map(fx, fy, cx, cy):
    camera = Camera(24, 16, fx, fy, cx, cy)
    random = np.random.default_rng(1)
    points = (camera.rays() * random.uniform(1, 3, (16, 24, 1))).astype(np.float32)
    valid = random.random((16, 24)) < 0.5
    points[~valid] = np.nan
    np.testing.assert_allclose(intrinsics_from_points(points, valid), camera.K, rtol=1e-3, atol=1e-2)


def test_no_intrinsics_from_too_few_or_degenerate_points():
    camera = Camera.from_fov(24, 16, 50)
    points = camera.rays()
    few = np.zeros((16, 24), bool)
    few[0, :9] = True
    assert intrinsics_from_points(points, few) is None
    one_column = np.zeros((16, 24), bool)
    one_column[:, 3] = True
    assert intrinsics_from_points(points, one_column) is None
    mirrored = points * [-1, 1, 1]
    assert intrinsics_from_points(mirrored, np.ones((16, 24), bool)) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: Camera.from_fov(64, 48, 0),
        lambda: Camera.from_fov(64, 48, float("nan")),
        lambda: Camera.from_focal_35mm(64, 48, 0),
        lambda: Camera(64, 48, 50, -50, 32, 24),
        lambda: Camera(64, 48, 50, 50, float("inf"), 24),
        lambda: Camera(0, 48, 50, 50, 32, 24),
    ],
)
def test_an_impossible_camera_is_refused(make):
    with pytest.raises(WorldTracingError) as caught:
        make()
    assert caught.value.code == "WT-IMG-CAMERA"
    assert caught.value.fix
