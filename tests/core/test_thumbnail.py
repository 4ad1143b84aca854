"""The side view that tells seeds apart."""

import numpy as np
from toy_world import make_world
from world_tracing.backend.worldtracing.world import LayeredWorld
from world_tracing.worldtracing_addon.core.thumbnail import side_view


def test_a_world_from_the_side_in_its_own_colors():
    picture = side_view(make_world(LayeredWorld), 64)
    assert picture.shape == (64, 64, 4) and picture.dtype == np.float32
    shown = picture[..., 3] > 0
    assert set(np.unique(picture[..., 3])) == {0, 1} and 0.15 < shown.mean() < 0.95
    assert np.ptp(picture[shown][:, :3]) > 0.3
    assert picture.min() >= 0 and picture.max() <= 1


def test_up_is_up():
    K = np.array([[50, 0, 32], [0, 50, 32], [0, 0, 1]], np.float64)
    v, u = np.mgrid[:64, :64] + 0.5
    points = np.stack([(u - 32) / 25, (v - 32) / 25, np.full_like(u, 2)], -1)[None].astype(np.float32)
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:32] = (255, 0, 0)
    rgb[32:] = (0, 0, 255)
    picture = side_view(LayeredWorld(points, np.ones((1, 64, 64), bool), rgb, K, "relative"), 32)
    top, bottom = picture[24, 16], picture[8, 16]  # rows from the bottom
    assert top[0] == 1 and top[2] == 0 and bottom[0] == 0 and bottom[2] == 1


def test_one_point_is_a_picture():
    valid = np.zeros((1, 4, 4), bool)
    valid[0, 1, 1] = True
    K = np.array([[4, 0, 2], [0, 4, 2], [0, 0, 1]], np.float64)
    world = LayeredWorld(np.ones((1, 4, 4, 3), np.float32), valid, np.full((4, 4, 3), 255, np.uint8), K, "relative")
    assert side_view(world, 16)[..., 3].any()
