"""Camera frames: every conversion against an independent formula, and there and back."""

import numpy as np
import pytest
from world_tracing.worldtracing_addon.core.frames import SENSOR_MM, Frame, Lens, to_blender, to_opencv
from world_tracing.worldtracing_addon.core.names import MAX_BYTES, fit_name


def matrix(fx, fy, cx, cy):
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64)


CAMERAS = {
    "landscape": (matrix(500, 500, 200, 150), 400, 300),
    "portrait": (matrix(500, 500, 150, 200), 300, 400),
    "square": (matrix(500, 500, 256, 256), 512, 512),
    "off-centre": (matrix(420, 420, 90, 260), 400, 300),
    "tall pixels": (matrix(600, 450, 210, 140), 400, 300),
    "wide pixels": (matrix(400, 610, 190, 170), 400, 300),
    "tall pixels decide the fit": (matrix(900, 500, 150, 140), 310, 300),
}


def test_opencv_axes_become_blender_axes():
    right, down, forward = np.eye(3, dtype=np.float32)
    assert to_blender(right).tolist() == [1, 0, 0]
    assert to_blender(down).tolist() == [0, 0, -1]
    assert to_blender(forward).tolist() == [0, 1, 0]


def test_points_come_back():
    points = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    back = to_opencv(to_blender(points))
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, points)


@pytest.mark.parametrize("camera", CAMERAS)
def test_lens_gives_the_matrix_back(camera):
    K, width, height = CAMERAS[camera]
    np.testing.assert_allclose(Lens.from_K(K, width, height).to_K(width, height), K, atol=1e-9)


def test_lens_of_a_centred_square_camera():
    lens = Lens.from_K(matrix(500, 500, 256, 256), 512, 512)
    assert lens.focal_mm == pytest.approx(500 / 512 * SENSOR_MM)
    assert (lens.shift_x, lens.shift_y, lens.aspect_x, lens.aspect_y) == (0, 0, 1, 1)


@pytest.mark.parametrize("camera", CAMERAS)
def test_pixel_aspect_is_at_least_one(camera):
    lens = Lens.from_K(*CAMERAS[camera])
    assert min(lens.aspect_x, lens.aspect_y) == 1


def test_photo_frame_projects_like_the_crop():
    K, width, height = CAMERAS["off-centre"]
    crop = (-20.0, 35.0, 180.0, 185.0)  # half the traced pixels, reaching out of the photo
    frame = Frame.of_photo(K, (width, height), (640, 480), crop)
    point = np.array([0.1, -0.2, 2.0])
    u, v, w = K @ point
    photo_u, photo_v, photo_w = frame.K @ point
    assert photo_u / photo_w == pytest.approx(u / w / 2 - 20)
    assert photo_v / photo_w == pytest.approx(v / w / 2 + 35)
    low, high = frame.uv_window()
    assert low == pytest.approx((-20 / 640, 1 - 185 / 480))
    assert high == pytest.approx((180 / 640, 1 - 35 / 480))


def test_photo_of_another_shape_is_refused():
    K, width, height = CAMERAS["landscape"]
    assert Frame.of_photo(K, (width, height), (3000, 4000), None) is None
    assert Frame.of_photo(K, (width, height), (4001, 3000), None).width == 4001  # a pixel's rounding
    assert Frame.of_photo(K, (width, height), (400, 300), (500, 0, 600, 100)) is None


@pytest.mark.parametrize("name", ["cat", "Katze im Grünen 猫" * 9, "é" * 60, "a\nb\tc", " ", "x" * 63])
def test_names_fit_with_suffix_and_counter(name):
    fitted = fit_name(name, " Camera")
    assert fitted.endswith(" Camera")
    assert len((fitted + ".001").encode()) <= MAX_BYTES
    assert fitted.isprintable() and len(fitted) > len(" Camera")


def test_reach_is_where_the_pictures_edges_are():
    frame = Frame.of_traced(np.array([[100.0, 0, 30], [0, 100, 20], [0, 0, 1]]), 80, 40)
    assert frame.reach(2.0) == pytest.approx((-0.6, 1.0))
