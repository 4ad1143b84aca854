from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldtracing.camera import Camera
from worldtracing.layers import (
    COLLAPSE_TOLERANCE,
    confidence_from_seeds,
    drop_collapsed,
    order_violations,
    resample_layers,
    solve_camera,
    sort_layers,
)

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "misc"


def stack(*depths, camera=None):
    """Layers of constant or given (H, W) depth along the rays of a small camera; NaN is not valid."""
    camera = camera or Camera.from_fov(6, 4, 50)
    z = np.stack([np.broadcast_to(np.asarray(d, np.float32), (camera.height, camera.width)) for d in depths])
    valid = np.isfinite(z)
    return np.where(valid[..., None], camera.rays() * np.nan_to_num(z)[..., None], 0).astype(np.float32), valid


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_sorting_keeps_each_rays_valid_points_and_orders_them(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.5, 5, (4, 3, 2, 3)).astype(np.float32)
    valid = rng.random((4, 3, 2)) < 0.6
    new_points, new_valid = sort_layers(points, valid)
    assert order_violations(new_points, new_valid) == 0
    for ray in np.ndindex(3, 2):
        here = (slice(None), *ray)
        before, after = points[here][valid[here]], new_points[here][new_valid[here]]
        np.testing.assert_array_equal(before[np.argsort(before[:, 2])], after)
        assert (np.diff(new_valid[here].astype(int)) <= 0).all()  # no gaps
        assert not new_points[here][~new_valid[here]].any()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_sorting_is_a_stable_sort_of_every_ray(seed):
    """Also of ties and NaN, with the invalid layers last, and of an array that is not in C order."""
    rng = np.random.default_rng(seed)
    points = rng.integers(-2, 4, (3, 4, 3, 5)).astype(np.float32)
    points[rng.random(points.shape) < 0.1] = np.nan
    points, valid = np.moveaxis(points, 0, -1)[:, :, ::-1], rng.random((4, 3, 5)) < 0.7
    order = np.argsort(np.where(valid, points[..., 2], np.inf), axis=0, kind="stable")
    expected = np.take_along_axis(valid, order, 0)
    new_points, new_valid = sort_layers(points, valid)
    np.testing.assert_array_equal(new_valid, expected)
    np.testing.assert_array_equal(
        new_points, np.where(expected[..., None], np.take_along_axis(points, order[..., None], 0), 0)
    )


def test_order_violations_count_only_pairs_of_valid_layers():
    half = np.where(np.arange(6) < 3, 1.0, 3.0)  # the farther layer is in front in the left half
    points, valid = stack(2.0, half, np.nan)
    assert order_violations(points, valid) == 0.5
    assert order_violations(points[:1], valid[:1]) == 0


def test_collapsed_layers_are_dropped_relative_to_depth():
    step = COLLAPSE_TOLERANCE
    points, valid = stack(2.0, 2.0 * (1 + 0.5 * step), 2.0 * (1 + 3 * step))
    _, kept = drop_collapsed(points, valid)
    assert kept[:, 0, 0].tolist() == [True, False, True]
    _, kept_far = drop_collapsed(points * 100, valid)  # another unit, the same answer
    np.testing.assert_array_equal(kept, kept_far)


def test_a_slow_drift_is_compared_with_the_last_layer_kept():
    depths = 2.0 * (1 + COLLAPSE_TOLERANCE * 0.6 * np.arange(5))
    _, kept = drop_collapsed(*stack(*depths))
    assert kept[:, 0, 0].tolist() == [True, False, True, False, True]


def test_collapse_skips_layers_that_are_not_valid():
    points, valid = stack(np.nan, 2.0, np.nan, 2.0)
    new_points, kept = drop_collapsed(points, valid)
    assert kept[:, 0, 0].tolist() == [False, True, False, False]
    assert not new_points[~kept].any()
    assert valid[3].all()  # the argument is as it was


def test_confidence_is_one_where_seeds_agree_up_to_scale_and_half_at_five_percent():
    rng = np.random.default_rng(0)
    base = rng.uniform(1, 4, (1, 4, 6)).astype(np.float32)
    seeds = np.stack([base, base * 2.5])  # a relative-scale model may choose any scale
    seeds[0, 0, 0, 0] *= np.exp(0.05)
    seeds[1, 0, 0, 0] *= np.exp(-0.05)
    points = np.zeros((*seeds.shape, 3), np.float32)
    points[..., 2] = seeds
    confidence = confidence_from_seeds(points, np.ones(seeds.shape, bool))
    assert confidence.dtype == np.float32
    assert confidence[0, 0, 0] == pytest.approx(0.5, abs=1e-3)
    np.testing.assert_allclose(confidence[0, 1:], 1, atol=1e-5)


def test_confidence_does_not_depend_on_the_unit():
    rng = np.random.default_rng(1)
    points = rng.uniform(1, 2, (3, 2, 4, 5, 3)).astype(np.float32)
    valid = rng.random((3, 2, 4, 5)) < 0.8
    confidence = confidence_from_seeds(points, valid)
    np.testing.assert_allclose(confidence, confidence_from_seeds(points * 1000, valid), atol=1e-4)
    assert (confidence >= 0).all()
    assert (confidence <= 1).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_confidence_is_its_formula(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.5, 4, (rng.integers(2, 5), 2, 3, 4, 3)).astype(np.float32)
    points[rng.random(points.shape) < 0.05] = np.nan
    valid = rng.random(points.shape[:-1]) < 0.8
    usable = valid & (points[..., 2] > 0)
    log_depth = np.where(usable, np.log(np.where(usable, points[..., 2], 1).astype(np.float64)), np.nan)
    if usable.all(0).any():
        common = log_depth[:, usable.all(0)]
        log_depth -= np.median(common - common.mean(0), axis=1)[:, None, None, None]
    expected = np.zeros(valid.shape[1:])
    for pixel in np.argwhere(usable.any(0)):
        here = (slice(None), *pixel)
        expected[tuple(pixel)] = usable[here].mean() / (1 + np.nanvar(log_depth[here]) / 0.05**2)
    np.testing.assert_allclose(confidence_from_seeds(points, valid), expected, rtol=1e-5, atol=1e-7)


def test_confidence_counts_the_seeds_in_which_a_layer_exists():
    points, valid = stack(2.0, 3.0)
    seeds, ok = np.stack([points] * 4), np.stack([valid] * 4)
    ok[:3, 1] = False
    ok[:, :, 0, 0] = False
    confidence = confidence_from_seeds(seeds, ok)
    np.testing.assert_allclose(confidence[1, 1:], 0.25)
    assert (confidence[:, 0, 0] == 0).all()


def test_one_seed_has_no_agreement():
    points, valid = stack(2.0)
    with pytest.raises(ValueError, match="two seeds"):
        confidence_from_seeds(points[None], valid[None])


@pytest.mark.parametrize(
    ("points", "mask", "K", "fov"), [("xyz", "mask", "K", "fov"), ("xyz_noisy", "mask_noisy", "K_noisy", "fov_noisy")]
)
def test_intrinsics_equal_the_released_ones(points, mask, K, fov):
    golden = np.load(GOLDEN / "intrinsics.npz")
    camera = solve_camera(golden[points][None], golden[mask][None])
    np.testing.assert_allclose(camera.K, golden[K], rtol=1e-6, atol=1e-5)
    assert camera.fov_x_degrees == pytest.approx(float(golden[fov]), rel=1e-6)
    assert camera.source == "solved"


def test_too_few_points_give_no_camera():
    points, valid = stack(2.0)
    valid[:] = False
    valid[0, 0, :] = True
    assert solve_camera(points, valid) is None


def upsampled(points, valid, camera, width, height):
    """The same layers on a raster of width x height pixels."""
    columns = (np.arange(width) + 0.5) * camera.width / width
    rows = (np.arange(height) + 0.5) * camera.height / height
    return resample_layers(points, valid, camera, columns, rows)


def test_a_slanted_plane_is_upsampled_exactly():
    small, large = Camera.from_fov(12, 9, 60), Camera.from_fov(12, 9, 60).resized(36, 27)
    normal = np.array([0.2, -0.1, 1.0])  # the plane n·x = 3
    points, valid = stack(3 / (small.rays() @ normal), camera=small)
    new_points, new_valid = upsampled(points, valid, small, 36, 27)
    inner = np.s_[0, 3:-3, 3:-3]  # the outermost half pixel has no neighbour to mix with
    expected = large.rays() * (3 / (large.rays() @ normal))[..., None]
    assert new_valid.all()
    np.testing.assert_allclose(new_points[inner], expected[inner[1:]], atol=1e-5)
    np.testing.assert_allclose(large.project(new_points[0]), large.project(large.rays()), atol=1e-3)


def test_no_point_hangs_between_a_near_and_a_far_surface():
    camera = Camera.from_fov(8, 8, 50)
    depth = np.where(np.arange(8) < 4, 1.0, 3.0)
    new_points, new_valid = upsampled(*stack(depth, camera=camera), camera, 40, 40)
    assert new_valid.all()
    assert set(np.unique(new_points[..., 2].round(4))) == {1.0, 3.0}
    assert (new_points[0, :, :20, 2].round(4) == 1).all()  # the edge stays where it was


def test_holes_stay_holes_and_do_not_bleed():
    camera = Camera.from_fov(4, 4, 50)
    depth = np.full((4, 4), 2.0)
    depth[1, 2] = np.nan
    new_points, new_valid = upsampled(*stack(depth, camera=camera), camera, 12, 12)
    assert not new_valid[0, 3:6, 6:9].any()
    assert new_valid.sum() == 144 - 9
    np.testing.assert_allclose(new_points[new_valid][:, 2], 2, rtol=1e-6)


def test_same_raster_gives_the_same_points_even_off_their_rays():
    rng = np.random.default_rng(2)
    camera = Camera.from_fov(7, 5, 50)
    points, valid = stack(rng.uniform(1, 9, (5, 7)), rng.uniform(1, 9, (5, 7)), camera=camera)
    points += rng.normal(0, 0.05, points.shape).astype(np.float32)
    new_points, new_valid = upsampled(points, valid, camera, 7, 5)
    assert new_valid.all()
    np.testing.assert_allclose(new_points, points, rtol=1e-5, atol=1e-6)


def test_nothing_is_valid_outside():
    camera = Camera.from_fov(4, 4, 50)
    _, valid = resample_layers(*stack(2.0, camera=camera), camera, np.array([-0.1, 0.5, 4.1]), np.array([1.5, 9.0]))
    assert valid[0].tolist() == [[False, True, False], [False, False, False]]
