"""sRGB: the standard's own values, there and back, and the byte table."""

import numpy as np
import pytest
from world_tracing.worldtracing_addon.core.color import LINEAR_OF_BYTE, linear_rgba, linear_to_srgb, srgb_to_linear

KNOWN = [(0, 0), (1, 1), (0.5, 0.21404114), (0.04045, 0.0031308), (0.02, 0.02 / 12.92)]


@pytest.mark.parametrize(("srgb", "linear"), KNOWN)
def test_known_values(srgb, linear):
    assert float(srgb_to_linear(np.float64(srgb))) == pytest.approx(linear, abs=1e-6)
    assert float(linear_to_srgb(np.float64(linear))) == pytest.approx(srgb, abs=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_and_back_keeps_the_dtype(dtype):
    values = np.linspace(0, 1, 1001, dtype=dtype)
    back = linear_to_srgb(srgb_to_linear(values))
    assert back.dtype == dtype
    np.testing.assert_allclose(back, values, atol=2e-6)


def test_every_byte_survives():
    assert np.rint(linear_to_srgb(LINEAR_OF_BYTE) * 255).astype(int).tolist() == list(range(256))


def test_rgba_of_a_picture():
    rgba = linear_rgba(np.array([[[255, 0, 128]]], np.uint8))
    assert rgba.dtype == np.float32
    np.testing.assert_allclose(rgba, [[[1, 0, 0.21586, 1]]], atol=1e-5)
