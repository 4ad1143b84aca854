"""Scene-linear colors: the byte table and the color scales."""

import numpy as np
from world_tracing.backend.worldtracing.srgb import linear_to_srgb
from world_tracing.worldtracing_addon.core.color import (
    LINEAR_OF_BYTE,
    TURBO,
    convert,
    linear_rgba,
    linear_stops,
)

REC709_TO_REC2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
"""ITU-R BT.2087, equation (4)."""


def test_every_byte_survives():
    assert np.rint(linear_to_srgb(LINEAR_OF_BYTE) * 255).astype(int).tolist() == list(range(256))


def test_rgba_of_a_picture():
    rgba = linear_rgba(np.array([[[255, 0, 128]]], np.uint8), np.eye(3))
    assert rgba.dtype == np.float32
    np.testing.assert_allclose(rgba, [[[1, 0, 0.21586, 1]]], atol=1e-5)


def test_the_depth_scale_runs_from_blue_to_red():
    stops = np.array(linear_stops(TURBO, np.eye(3)))
    assert stops.shape == (11, 4) and (stops[:, 3] == 1).all()
    assert stops[2, 2] > stops[2, 0] and stops[-2, 0] > stops[-2, 2]


def test_working_spaces_with_other_primaries():
    rgba = linear_rgba(np.array([[255, 0, 0], [255, 255, 255]], np.uint8), REC709_TO_REC2020)
    np.testing.assert_allclose(rgba, [[0.6274, 0.0691, 0.0164, 1], [1, 1, 1, 1]], atol=2e-4)
    assert rgba.dtype == np.float32
    np.testing.assert_allclose(linear_stops(((1, 0, 0),), REC709_TO_REC2020), rgba[:1], atol=1e-6)
    back = convert(rgba[:, :3], np.linalg.inv(REC709_TO_REC2020))
    np.testing.assert_allclose(back, [[1, 0, 0], [1, 1, 1]], atol=1e-3)


def test_a_rounded_identity_changes_nothing():
    colors = np.float32([[0.1, 0.2, 0.3]])
    assert convert(colors, np.eye(3) + 1e-5) is colors
