"""Scene-linear colors: the byte table and the color scales."""

import numpy as np
from world_tracing.backend.worldtracing.srgb import linear_to_srgb
from world_tracing.worldtracing_addon.core.color import LINEAR_OF_BYTE, TURBO, linear_rgba, linear_stops


def test_every_byte_survives():
    assert np.rint(linear_to_srgb(LINEAR_OF_BYTE) * 255).astype(int).tolist() == list(range(256))


def test_rgba_of_a_picture():
    rgba = linear_rgba(np.array([[[255, 0, 128]]], np.uint8))
    assert rgba.dtype == np.float32
    np.testing.assert_allclose(rgba, [[[1, 0, 0.21586, 1]]], atol=1e-5)


def test_the_depth_scale_runs_from_blue_to_red():
    stops = np.array(linear_stops(TURBO))
    assert stops.shape == (11, 4) and (stops[:, 3] == 1).all()
    assert stops[2, 2] > stops[2, 0] and stops[-2, 0] > stops[-2, 2]
