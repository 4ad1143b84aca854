import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

cKDTree = pytest.importorskip("scipy.spatial").cKDTree  # noqa: N816
pytest.importorskip("cv2")

from worldtracing import neighbours  # noqa: E402
from worldtracing.camera import Camera  # noqa: E402
from worldtracing.flyers import STILL, FlyerFilter, drop_flyers  # noqa: E402
from worldtracing.neighbours import NeighbourDistances  # noqa: E402


def surface(rng, height=30, width=37, ray_noise=0.3, depth_noise=0.003):
    """A wavy, noisy surface with an edge and holes, such as a network makes: (H, W, 3) float32 and (H, W) bool."""
    camera = Camera.from_fov(width, height, 50)
    rays = camera.rays()
    rays[..., :2] += rng.normal(0, ray_noise / camera.fx, (height, width, 2))
    z = 2 + np.sin(rays[..., 0] * rng.uniform(0, 12)) * rng.uniform(0, 0.5) + (rays[..., 1] > 0.1)
    z *= 1 + depth_noise * rng.standard_normal(z.shape)
    return (rays * z[..., None]).astype(np.float32), rng.random((height, width)) < rng.uniform(0.05, 1)


def anything(rng):
    """Points in no order at all."""
    shape = rng.integers(1, 24, 2)
    return rng.normal(0, 2, (*shape, 3)).astype(np.float32), rng.random(shape) < 0.8


def regular(rng):
    """A plane of many equal distances, half of which repeats the same points."""
    points = Camera.from_fov(24, 18, 50).rays() * np.float32(rng.integers(1, 4))
    points[9:] = points[:9]
    return points, rng.random((18, 24)) < 0.9


def tree_distances(points, kept, count):
    cloud = points[kept]
    return cKDTree(cloud).query(cloud, k=count + 1)[0][:, 1:].mean(1)


@pytest.mark.parametrize("make", [surface, anything, regular])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.sampled_from([1, 3, 8, 30]))
def test_medians_and_decisions_are_those_of_all_distances(make, seed, count):
    rng = np.random.default_rng(seed)
    points, kept = make(rng)
    points[~kept] = rng.choice([0, np.nan, np.inf])
    if kept.sum() <= count:
        return
    distances = tree_distances(points, kept, count)
    found = NeighbourDistances(points, kept, count)
    median = found.median()
    deviation = found.median(center=median)
    assert median == np.median(distances)
    assert deviation == np.median(np.abs(distances - median))
    for limit in (median + 2.5 * deviation, median, 0.5 * median):
        np.testing.assert_array_equal(found.at_most(limit), distances <= limit)


@pytest.mark.parametrize("make", [surface, anything, regular])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_distance_lies_outside_its_bounds(make, seed):
    rng = np.random.default_rng(seed)
    points, kept = make(rng)
    if kept.sum() <= 8:
        return
    distances, found = tree_distances(points, kept, 8), NeighbourDistances(points, kept, 8)
    assert (found._lower <= distances).all()
    assert (found._upper >= distances).all()


def test_few_points_of_a_smooth_surface_are_looked_up(monkeypatch):
    points, _ = surface(np.random.default_rng(0), 120, 120, 0.05, 0.0005)
    looked_up, settle = [], NeighbourDistances._settle

    def count(self, which):
        looked_up.append(np.count_nonzero(which & (self._lower < self._upper)))
        settle(self, which)

    monkeypatch.setattr(NeighbourDistances, "_settle", count)
    found = NeighbourDistances(points, np.ones((120, 120), bool), 8)
    found.at_most(2 * found.median())
    assert sum(looked_up) < 0.1 * points[..., 0].size


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_filter_decides_as_with_every_distance(seed):
    """With NaN and infinite points, and pixels that are not valid."""
    rng = np.random.default_rng(seed)
    points, valid = (np.stack(arrays) for arrays in zip(surface(rng), surface(rng), strict=True))
    points[rng.random(valid.shape) < 0.02, 1] = np.nan
    points[rng.random(valid.shape) < 0.02, 0] = np.inf
    new_points, kept = drop_flyers(points, valid, STILL)
    _, expected = drop_flyers(points, valid, FlyerFilter(neighbours=0))
    for layer in range(2):
        usable = expected[layer] & np.isfinite(points[layer]).all(-1)
        expected[layer] = usable
        if usable.sum() > 8:
            distances = tree_distances(points[layer], usable, 8)
            deviation = 1.4826 * np.median(np.abs(distances - np.median(distances)))
            expected[layer][usable] = (distances <= np.median(distances) + 2.5 * deviation) | (deviation == 0)
    np.testing.assert_array_equal(kept, expected)
    np.testing.assert_array_equal(new_points, np.where(expected[..., None], points, 0))


def test_the_window_and_blocks_cover_any_size():
    rng = np.random.default_rng(1)
    for height, width in ((1, 40), (40, 1), (2, 9), (neighbours.BLOCK + 1, 6), (3, 3)):
        points = np.abs(rng.normal(0, 1, (height, width, 3))).astype(np.float32) + 1
        kept = np.ones((height, width), bool)
        distances = tree_distances(points, kept, 8)
        np.testing.assert_array_equal(NeighbourDistances(points, kept, 8).at_most(1.0), distances <= 1.0)
