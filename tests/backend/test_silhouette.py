import numpy as np
import pytest

from worldtracing import Cancelled, WorldTracingError
from worldtracing.camera import Camera
from worldtracing.engines.base import TraceOptions, create_engine
from worldtracing.engines.silhouette import CAMERA_HEIGHT, FARTHEST
from worldtracing.inflate import RIM_PIXELS, inflate, solve_poisson
from worldtracing.progress import silent
from worldtracing.regions import erode


def disk(size, cx, cy, rx, ry=None):
    y, x = np.mgrid[:size, :size] + 0.5
    return ((x - cx) / rx) ** 2 + ((y - cy) / (ry or rx)) ** 2 < 1


def trace(mask, mode="object", fov=49.1, resolution=504, on_progress=silent, foreground=None):
    height, width = mask.shape
    image = np.full((height, width, 3), 90, np.uint8)
    options = TraceOptions(mode, resolution=resolution, extra={} if foreground is None else {"foreground": foreground})
    camera = Camera.from_fov(width, height, fov)
    return create_engine("silhouette").trace(image, mask, camera, options, on_progress), camera


# The solver


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_poisson_equals_a_direct_sparse_solver(share):
    sparse = pytest.importorskip("scipy.sparse")
    from scipy.sparse.linalg import spsolve

    mask = np.random.default_rng(1).random((61, 83)) < share
    index = np.full(mask.shape, -1)
    index[mask] = np.arange(mask.sum())
    pairs = [(index[1:], index[:-1]), (index[:, 1:], index[:, :-1])]
    a, b = (np.concatenate([pair[k][(pair[0] >= 0) & (pair[1] >= 0)] for pair in pairs]) for k in (0, 1))
    links = sparse.coo_matrix((np.ones(len(a)), (a, b)), (mask.sum(),) * 2)
    expected = np.zeros(mask.shape)
    expected[mask] = spsolve((4 * sparse.eye(mask.sum()) - links - links.T).tocsc(), np.full(mask.sum(), 4.0))
    np.testing.assert_allclose(solve_poisson(mask), expected, atol=1e-3 * expected.max())


def test_a_disk_becomes_a_hemisphere():
    radius = 60
    y, x = np.mgrid[:140, :140] + 0.5
    squared = (x - 70) ** 2 + (y - 70) ** 2
    expected = np.sqrt(np.maximum(radius**2 - squared, 0))
    height = inflate(squared < radius**2)
    assert height.max() == pytest.approx(radius, rel=0.015)
    assert np.abs(height - expected)[squared < (radius - RIM_PIXELS - 1) ** 2].max() < 0.03 * radius
    assert np.abs(height - expected)[squared < radius**2].mean() < 0.03 * radius


def test_front_and_back_meet_at_the_rim_and_thin_parts_keep_their_thickness():
    mask = disk(300, 150, 100, 90)
    mask[190:, 148:152] = True
    height = inflate(mask)
    rim = mask & ~erode(mask, 1)
    assert (height[mask] > 0).all()
    assert height[rim].max() < 0.4 * (2 * 90) ** 0.5
    assert height[250, 149] == pytest.approx(2, abs=1)


@pytest.mark.parametrize(("half_width", "half_length"), [(40, 60), (30, 90), (15, 95)])
def test_an_ellipse_is_as_thick_as_it_is_wide(half_width, half_length):
    height = inflate(disk(200, 100, 100, half_length, half_width))
    assert height.max() == pytest.approx(half_width, rel=0.05)


def test_a_long_bar_is_as_thick_as_it_is_wide_and_a_square_about_so():
    bar = np.zeros((200, 200), bool)
    bar[80:120, 4:196] = True
    assert inflate(bar).max() == pytest.approx(20, rel=0.05)
    square = np.zeros((200, 200), bool)
    square[50:150, 50:150] = True
    assert 50 < inflate(square).max() < 50 * 2**0.5


def test_components_inflate_independently():
    left, right = disk(200, 60, 100, 50), disk(200, 160, 100, 20)
    np.testing.assert_allclose(inflate(left | right), inflate(left) + inflate(right), atol=0.05)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (37, 3)])
def test_tiny_and_thin_masks_get_a_positive_height_everywhere(shape):
    height = inflate(np.ones(shape, bool))
    assert height.shape == shape
    assert (height > 0).all()
    assert height.max() <= (min(shape) + 1) / 2 * 2**0.5


def test_an_empty_mask_stays_flat():
    assert not inflate(np.zeros((9, 7), bool)).any()


# Object mode


def test_an_object_is_two_closed_layers_on_their_rays():
    mask = disk(120, 70, 50, 40, 25)
    world, camera = trace(mask)
    assert (world.layers, world.scale, world.confidence) == (2, "relative", None)
    assert (world.valid == mask).all()
    assert not world.points[~world.valid].any()
    rows, columns = np.nonzero(mask)
    centers = np.stack([columns + 0.5, rows + 0.5], -1)
    for layer in range(2):
        points = world.layer_points(layer)
        np.testing.assert_allclose(camera.project(points), centers, atol=1e-3)
        np.testing.assert_allclose(points, camera.rays()[mask] * points[:, 2:], rtol=1e-5)
    front, back = (world.layer_points(layer)[:, 2] for layer in range(2))
    assert (front < back).all()
    np.testing.assert_allclose(front + back, (front + back).mean(), rtol=1e-5)  # mirrored at one mid depth


def test_the_longest_side_is_one_unit_and_a_disk_a_ball():
    world, camera = trace(disk(256, 128, 128, 60))
    front, back = (world.layer_points(layer)[:, 2] for layer in range(2))
    middle = (front[0] + back[0]) / 2
    assert 120 / camera.fx * middle == pytest.approx(1, rel=1e-3)
    assert back.max() - front.min() == pytest.approx(1, rel=0.05)


def test_the_front_stays_before_the_eye_at_the_widest_view():
    world, _ = trace(np.ones((64, 64), bool), fov=170)
    assert world.points[..., 2].min() > 0


def test_tracing_again_gives_the_same_bits():
    mask = np.random.default_rng(3).random((150, 200)) < 0.8
    first, second = (trace(mask)[0] for _ in range(2))
    assert first.points.tobytes() == second.points.tobytes()


def test_the_picture_is_shrunk_to_the_resolution_but_never_enlarged():
    mask = np.ones((90, 160), bool)
    world, camera = trace(mask, resolution=64)
    assert world.rgb.shape == (36, 64, 3)
    np.testing.assert_allclose(world.K, camera.resized(64, 36).K)
    assert trace(mask, resolution=500)[0].rgb.shape == (90, 160, 3)


@pytest.mark.parametrize("last", [0, 3, 7])
def test_a_cancel_stops_within_one_step(last):
    calls = []

    def on_progress(stage, k, n):
        calls.append((k, n))
        if len(calls) > last:
            raise Cancelled

    with pytest.raises(Cancelled):
        trace(disk(200, 100, 100, 90), on_progress=on_progress)
    assert len(calls) == last + 1


def test_progress_never_runs_backwards_or_over_its_end():
    steps = []
    trace(disk(200, 100, 100, 90), on_progress=lambda stage, k, n: steps.append((k, n)))
    assert [k for k, _ in steps] == sorted(k for k, _ in steps)
    assert all(0 <= k < n for k, n in steps)
    assert steps[-1][0] > steps[0][0]


def test_a_mask_that_vanishes_or_has_another_size_is_refused():
    with pytest.raises(WorldTracingError, match="WT-IMG-EMPTY-MASK"):
        trace(np.zeros((40, 40), bool))
    image, camera = np.zeros((40, 40, 3), np.uint8), Camera.from_fov(40, 40, 50)
    with pytest.raises(WorldTracingError, match="WT-IMG-MASK-SIZE"):
        create_engine("silhouette").trace(image, np.ones((40, 41), bool), camera, TraceOptions(), silent)


# Scene mode


def test_a_scene_without_foreground_is_a_floor_that_meets_a_wall():
    world, _ = trace(np.ones((200, 150), bool), mode="scene")
    assert world.layers == 1
    assert world.valid.all()
    points = world.points[0]
    floor, wall = np.isclose(points[..., 1], CAMERA_HEIGHT, rtol=1e-5), np.isclose(points[..., 2], FARTHEST, rtol=1e-5)
    assert (floor | wall).all()
    assert floor[-1].all()
    assert wall[:100].all()
    step = np.abs(np.diff(points[:, 0], axis=0)).max(-1)
    seam = np.flatnonzero(np.diff(wall[:, 0].astype(int)))[0]
    assert step[seam] < max(step[seam + 1], step[seam - 1]) * 1.5  # no jump where they meet


def test_what_is_cut_out_of_a_scene_has_no_points():
    mask = ~disk(100, 50, 20, 15)
    world, _ = trace(mask, mode="scene")
    assert (world.valid[0] == mask).all()


def test_the_foreground_of_a_scene_stands_on_the_floor_before_the_stage():
    standing = disk(200, 60, 150, 20, 35) | disk(200, 140, 140, 12)
    everything = np.ones_like(standing)
    stage, _ = trace(everything, mode="scene")
    world, _ = trace(everything, mode="scene", foreground=standing)
    assert world.layers == 3
    assert world.valid[0].all()
    assert (world.valid[1] == standing).all()
    depth = world.points[..., 2]
    assert (depth[0][~standing] == stage.points[0, ..., 2][~standing]).all()
    assert (depth[0] < depth[1])[standing].all()
    hidden = world.valid[2]
    assert (hidden <= standing).all()
    assert hidden.sum() > 0.9 * standing.sum()
    assert (depth[1] < depth[2])[hidden].all()
    assert (world.points[2][hidden] == stage.points[0][hidden]).all()
    for part in (standing & (np.arange(200) < 100), standing & (np.arange(200) >= 100)):
        lowest = np.flatnonzero(part.any(1))[-1]
        touch = stage.points[0, lowest, 0, 2]
        middle = (depth[0] + depth[1])[part & hidden] / 2
        np.testing.assert_allclose(middle, touch, rtol=0.02)
