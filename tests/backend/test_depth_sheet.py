import numpy as np
import pytest
from PIL import Image

from worldtracing import LayeredWorld
from worldtracing.camera import Camera
from worldtracing.export.depth_sheet import FARTHEST_COLOR, INVALID_GREY, NEAREST_COLOR, depth_sheet, turbo
from worldtracing.export.png import write_png


def test_turbo_is_the_published_colour_map():
    cv2 = pytest.importorskip("cv2")
    levels = np.arange(256, dtype=np.uint8)
    published = cv2.applyColorMap(levels, cv2.COLORMAP_TURBO)[:, 0, ::-1].astype(int)
    error = np.abs(turbo(levels / 255).astype(int) - published)
    assert error.mean() < 7  # a polynomial of degree five, not the table
    assert error.max() < 34


def world(depths, valid):
    camera = Camera.from_fov(6, 5, 50)
    points = camera.rays()[None] * np.asarray(depths, np.float32)[:, None, None, None]
    points = np.where(valid[..., None], points, np.float32(0))
    return LayeredWorld(points, valid, np.full((5, 6, 3), 77, np.uint8), camera.K, "relative")


def test_a_sheet_shows_the_photo_and_all_layers_in_one_range():
    valid = np.ones((2, 5, 6), bool)
    valid[1, 0] = False
    sheet = depth_sheet(world([1, 3], valid))
    assert sheet.shape == (5, 18, 3)
    assert sheet.dtype == np.uint8
    photo, near, far = np.split(sheet, 3, axis=1)
    assert (photo == 77).all()
    assert (near == turbo(NEAREST_COLOR)).all()
    assert (far[1:] == turbo(FARTHEST_COLOR)).all()
    assert (far[0] == INVALID_GREY).all()
    assert near[0, 0, 0] > near[0, 0, 2]  # near is warm
    assert far[1, 0, 2] > far[1, 0, 0]


def test_a_flat_or_empty_world_has_a_sheet_too():
    assert depth_sheet(world([2], np.ones((1, 5, 6), bool))).shape == (5, 12, 3)
    empty = depth_sheet(world([2], np.zeros((1, 5, 6), bool)))
    assert (empty[:, 6:] == INVALID_GREY).all()


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (64, 100)])
def test_a_png_reads_back_as_it_was_written(tmp_path, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    with Image.open(write_png(tmp_path / "a.png", pixels)) as image:
        assert image.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(image), pixels)
