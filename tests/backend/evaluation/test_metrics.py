"""The protocol's numbers against cases that can be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldtracing.evaluation.metrics import (
    Cloud,
    align,
    cloud_scores,
    depth_scores,
    order_violations,
    relief_scores,
)

RNG = np.random.default_rng(0)
POINTS = RNG.normal((0, 0, 4), 1, (400, 3))


@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_alignment_undoes_any_scale_and_shift_along_z(scale, shift):
    true = scale * POINTS + [0, 0, shift]
    np.testing.assert_allclose(align(POINTS, true)(POINTS), true, atol=1e-8)


def test_alignment_is_the_least_squares_optimum():
    true = POINTS * [1.5, 1.4, 0.7] + RNG.normal(0, 0.1, POINTS.shape) + [0, 0, 3]
    best = align(POINTS, true)

    def error(scale, shift):
        return ((scale * POINTS + [0, 0, shift] - true) ** 2).sum()

    around = [error(best.scale + ds, best.shift + dt) for ds, dt in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01))]
    assert error(best.scale, best.shift) < min(around)


def test_a_prediction_without_extent_is_moved_to_the_truth():
    aligned = align(np.zeros((5, 3)), POINTS[:5])
    assert aligned.scale == 1 and aligned.shift == pytest.approx(POINTS[:5, 2].mean())


def test_clouds_a_fixed_distance_apart():
    grid = np.stack(np.meshgrid(*[np.arange(5.0)] * 3), -1).reshape(-1, 3)
    scores = cloud_scores(grid + np.array([0.04, 0, 0]), Cloud(grid))
    assert scores["cd"] == pytest.approx(0.04)
    assert (scores["f@0.1"], scores["f@0.05"], scores["f@0.02"]) == (1, 1, 0)


def test_half_a_cloud_has_full_precision_and_half_recall():
    left, right = np.zeros((10, 3)), np.full((10, 3), 3.0)
    scores = cloud_scores(left, Cloud(np.concatenate([left, right])))
    assert scores["f@0.05"] == pytest.approx(2 * 1 * 0.5 / 1.5)
    assert scores["cd"] == pytest.approx((0 + np.sqrt(27) / 2) / 2)


def test_depth_scores_ignore_scale_and_count_outliers():
    true = np.array([1.0, 2.0, 3.0, 4.0])
    assert depth_scores(5 * true, true) == {"absrel": pytest.approx(0), "delta1.25": 1}
    assert depth_scores(np.array([2.0, 2.0, 3.0, 4.0]), true)["delta1.25"] == 0.75


def test_relief_is_relative_to_a_constant():
    true = np.log(RNG.uniform(1, 2, 500))
    assert relief_scores(true, true) == pytest.approx((0, 0))
    assert relief_scores(np.zeros(500), true) == pytest.approx((1, 1))
    r, s = relief_scores(0.5 * true + 3, true)
    assert (r, s) == (pytest.approx(0, abs=1e-6), pytest.approx(0.5))
    assert relief_scores(-true, true)[0] == pytest.approx(1)  # a mirrored relief is not rewarded
    assert relief_scores(np.zeros(500), np.zeros(500)) is None
    assert relief_scores(true[:10], true[:10]) is None


def test_order_violations_look_across_gaps():
    depth = np.array([[[1.0, 3.0]], [[0.0, 0.0]], [[2.0, 2.0]]])
    valid = np.array([[[True, True]], [[False, False]], [[True, True]]])
    assert order_violations(depth, valid) == (1, 2)
