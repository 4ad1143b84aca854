"""Coarse layers on the pixels of a finer picture."""

import tracemalloc

import numpy as np
import pytest

from worldtracing import upsample
from worldtracing.camera import Camera
from worldtracing.upsample import guided_layers

COARSE, FINE = Camera.from_fov(16, 12, 50), Camera.from_fov(80, 60, 50)
RED, BLUE = np.array([200, 30, 30], np.uint8), np.array([20, 40, 190], np.uint8)


def on_rays(depth, camera):
    return camera.rays() * depth[..., None].astype(np.float32)


def plane(camera, distance=2.0, normal=(0.1, -0.06, 1.0)):
    """Depth of the plane n · p = distance."""
    return distance / (camera.rays() @ np.array(normal))


def test_a_plane_stays_a_plane():
    points = np.stack([on_rays(plane(COARSE), COARSE), on_rays(plane(COARSE, 3.0), COARSE)])
    valid = np.ones((2, 12, 16), bool)
    mask = np.ones((60, 80), bool)
    gray = np.full((12, 16, 3), 0.5, np.float32)
    fine_points, fine_valid = guided_layers(
        points, valid, gray, COARSE, np.full((60, 80, 3), 128, np.uint8), FINE, mask
    )
    assert fine_valid.all()
    inner = np.s_[8:-8, 8:-8]  # at the border the spline's neighbors are repeated
    for layer, distance in enumerate((2.0, 3.0)):
        np.testing.assert_allclose(fine_points[layer, ..., 2][inner], plane(FINE, distance)[inner], rtol=1e-5)
    projected = fine_points[0] @ FINE.K.T.astype(np.float32)
    columns, rows = np.meshgrid(np.arange(80) + 0.5, np.arange(60) + 0.5)
    np.testing.assert_allclose(projected[..., 0] / projected[..., 2], columns, atol=1e-3)
    np.testing.assert_allclose(projected[..., 1] / projected[..., 2], rows, atol=1e-3)


@pytest.mark.parametrize("edge", [38, 40, 42])
def test_a_step_in_depth_lies_where_the_colors_change(edge):
    """The coarse step is at fine column 40; the photo's edge is up to half a coarse pixel off it."""
    depth = np.where(np.arange(16) < 8, 1.0, 2.0) * np.ones((12, 1))
    fine_rgb = np.where((np.arange(80) < edge)[None, :, None], RED, BLUE) * np.ones((60, 1, 1), np.uint8)
    share = np.clip((edge - 5 * np.arange(16)) / 5, 0, 1)[None, :, None]  # of red in each coarse pixel
    rgb = ((RED * share + BLUE * (1 - share)) / 255 * np.ones((12, 1, 1))).astype(np.float32)
    valid = np.ones((1, 12, 16), bool)
    mask = np.ones((60, 80), bool)
    points, _ = guided_layers(on_rays(depth, COARSE)[None], valid, rgb, COARSE, fine_rgb, FINE, mask)
    z = points[0, ..., 2]
    expected = np.where(np.arange(80) < edge, 1.0, 2.0) * np.ones((60, 1))
    np.testing.assert_allclose(z, expected, rtol=1e-5)  # in particular, no point between the two


def test_hidden_layers_end_in_curves_and_never_precede_the_visible_one():
    columns, rows = np.meshgrid(np.arange(16) + 0.5, np.arange(12) + 0.5)
    disk = (columns - 8) ** 2 + (rows - 6) ** 2 < 16
    valid = np.stack([columns > 0, disk, disk])
    points = np.stack([on_rays(plane(COARSE, d), COARSE) for d in (2.0, 2.5, 3.0)]) * valid[..., None]
    fine_columns, fine_rows = np.meshgrid(np.arange(80) + 0.5, np.arange(60) + 0.5)
    mask = fine_columns < 60
    rgb = np.full((60, 80, 3), 90, np.uint8)
    out, ok = guided_layers(points, valid, np.full((12, 16, 3), 90 / 255, np.float32), COARSE, rgb, FINE, mask)
    assert np.array_equal(ok[0], mask)
    assert (ok[1:] <= ok[:-1]).all()
    assert not out[~ok].any()
    circle = (fine_columns / 5 - 8) ** 2 + (fine_rows / 5 - 6) ** 2 < 16
    wrong = (ok[2] ^ (circle & mask)).sum() / circle.sum()
    assert wrong < 0.06


def test_pixels_far_from_all_coarse_ones_are_not_traced():
    valid = np.zeros((1, 12, 16), bool)
    valid[0, 2, 3] = True
    points = on_rays(np.full((12, 16), 2.0), COARSE)[None] * valid[..., None]
    rgb = np.zeros((12, 16, 3), np.float32)
    _, ok = guided_layers(points, valid, rgb, COARSE, np.zeros((60, 80, 3), np.uint8), FINE, np.ones((60, 80), bool))
    rows, columns = np.nonzero(ok[0])
    assert rows.min() >= 2 * 5 - 10
    assert rows.max() <= 3 * 5 + 9
    assert columns.min() >= 3 * 5 - 10
    assert columns.max() <= 4 * 5 + 9


def test_a_pixel_at_the_far_corner_of_the_only_neighbor_lies_at_its_depth():
    """There the spline's weight is 1e-13 or less, and still the only one."""
    fine = Camera.from_fov(1616, 1212, 50)
    mask = np.zeros((1212, 1616), bool)
    mask[340:370, 440:470] = True  # coarse pixel (5, 6) weighs for rows from 354 and columns from 455
    valid = np.zeros((1, 12, 16), bool)
    valid[0, 5, 6] = True
    points = on_rays(np.full((12, 16), 2.0), COARSE)[None] * valid[..., None]
    gray = np.zeros((12, 16, 3), np.float32)
    out, ok = guided_layers(points, valid, gray, COARSE, np.zeros((*mask.shape, 3), np.uint8), fine, mask)
    assert ok.any()
    np.testing.assert_allclose(out[ok][:, 2], 2.0, rtol=1e-5)


def test_memory_does_not_grow_with_the_picture():
    """But for what is returned, and a ray for each pixel; before, a pixel took 500 bytes."""
    fine = Camera.from_fov(1200, 900, 50)
    points, valid = on_rays(np.full((12, 16), 2.0), COARSE)[None], np.ones((1, 12, 16), bool)
    rgb, mask = np.zeros((900, 1200, 3), np.uint8), np.ones((900, 1200), bool)
    tracemalloc.start()
    try:
        _, ok = guided_layers(points, valid, np.zeros((12, 16, 3), np.float32), COARSE, rgb, fine, mask)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ok.all()
    assert peak < 120 * mask.size


def test_pixels_do_not_depend_on_which_are_worked_on_with_them(monkeypatch):
    rng = np.random.default_rng(0)
    valid = rng.random((3, 12, 16)) < 0.7
    points = on_rays(rng.uniform(1, 3, (3, 12, 16)), COARSE) * valid[..., None]
    picture = rng.random((12, 16, 3), np.float32)
    fine_rgb = rng.integers(0, 255, (60, 80, 3), np.uint8)
    mask = rng.random((60, 80)) < 0.8
    whole = guided_layers(points, valid, picture, COARSE, fine_rgb, FINE, mask)
    monkeypatch.setattr(upsample, "AT_ONCE", 77)
    parts = guided_layers(points, valid, picture, COARSE, fine_rgb, FINE, mask)
    assert all(np.array_equal(one, other) for one, other in zip(whole, parts, strict=True))
