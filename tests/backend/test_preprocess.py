from pathlib import Path

import numpy as np
import pytest

from worldtracing.camera import Camera
from worldtracing.errors import WorldTracingError
from worldtracing.layers import solve_camera
from worldtracing.preprocess import clip_input, object_input, scene_input

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "golden" / "misc" / "preprocess.npz")


def picture(name):
    rgba = GOLDEN[name]
    return np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])


def assert_golden(name, result, frame=()):
    rgb, mask = GOLDEN[f"{name}_rgb"][(0, *frame)], GOLDEN[f"{name}_mask"][(0, *frame)][0]
    np.testing.assert_array_equal(result.rgb.transpose(2, 0, 1).astype(np.float32) / 255, rgb)
    np.testing.assert_array_equal(result.mask, mask)


@pytest.mark.parametrize(
    ("name", "options", "crop"),
    [
        ("object_default", {}, (-4, 34, 53)),
        ("object_erode2_black", {"background": (0, 0, 0), "erode_pixels": 2}, (-4, 34, 53)),
        ("object_tight", {"background": (10, 200, 30), "ratio": 0.8}, (0, 39, 44)),
    ],
)
def test_object_equals_the_released_preprocessing(name, options, crop):
    result = object_input(*picture("object_in"), 56, **options)
    assert_golden(name, result)
    window = result.window
    assert (window.y0, window.x0, window.width, window.height) == (*crop, crop[2])


def test_scene_equals_the_released_preprocessing():
    assert_golden("scene", scene_input(*picture("scene_in"), 70))
    assert_golden("object_nocrop_nobg", scene_input(*picture("object_in"), 56))


def test_clip_equals_the_released_preprocessing():
    rgb, alpha = picture("clip_in")
    for t, result in enumerate(clip_input(rgb, alpha, 42)):
        assert_golden("clip", result, (t,))
        assert (result.window.y0, result.window.x0, result.window.width) == (2, 3, 62)


def test_without_foreground_the_window_is_the_centred_square():
    rgb = np.zeros((30, 50, 3), np.uint8)
    result = object_input(rgb, np.zeros((30, 50), bool), 14)
    assert (result.window.x0, result.window.y0, result.window.width, result.window.height) == (10, 0, 30, 30)
    assert not result.mask.any()


def test_frames_of_other_sizes_share_the_window_even_where_they_do_not_reach():
    sizes = [(40, 60), (20, 20)]
    frames = [np.full((*size, 3), 200, np.uint8) for size in sizes]
    alphas = [np.zeros(size, np.uint8) for size in sizes]
    alphas[0][30:38, 45:55] = 255
    large, small = clip_input(frames, alphas, 28)
    assert large.mask.any()
    assert not small.mask.any()
    assert (small.rgb == 128).all()
    assert small.rgb.shape == (28, 28, 3)


def test_tiny_pictures_and_bool_masks_work():
    result = object_input(np.full((14, 1, 3), 7, np.uint8), np.ones((14, 1), bool), 56)
    assert result.rgb.shape == (56, 56, 3)
    assert result.mask.any()


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(WorldTracingError, match="10x20") as caught:
        scene_input(np.zeros((30, 50, 3), np.uint8), np.ones((20, 10), bool), 14)
    assert caught.value.code == "WT-IMG-MASK-SIZE"


@pytest.mark.parametrize(("width", "height"), [(90, 50), (50, 90), (33, 33)])
def test_padding_keeps_the_aspect_ratio_and_masks_its_border(width, height):
    rgb = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    result = scene_input(rgb, np.ones((height, width), bool), 84, keep_aspect=True)
    camera = result.window.square_camera(Camera.from_fov(width, height, 60), 84)
    assert camera.fx == pytest.approx(camera.fy)
    longest = max(width, height)
    assert result.mask.sum() == pytest.approx(84 * 84 * width * height / longest**2, rel=0.05)


@pytest.mark.parametrize("keep_aspect", [False, True])
@pytest.mark.parametrize(("width", "height"), [(90, 50), (50, 91)])
def test_the_square_s_camera_is_what_its_points_say(keep_aspect, width, height):
    photo = Camera.from_fov(width, height, 60)
    seen = scene_input(np.zeros((height, width, 3), np.uint8), np.ones((height, width), bool), 84, keep_aspect)
    square = seen.window.square_camera(photo, 84)
    rays = square.rays()
    points = rays * (2 / (rays @ np.array([0.1, 0.3, 1.0], np.float32)))[..., None]
    solved = solve_camera(points[None], seen.mask[None])
    np.testing.assert_allclose(solved.K, square.K, rtol=1e-4)
    middle = photo.rays()[height // 2, width // 2] * 3  # a point of the photo's middle is in the square's
    np.testing.assert_allclose(square.project(middle), [42, 42], atol=1)
