"""The sRGB curve: the standard's own values, there and back."""

import numpy as np
import pytest

from worldtracing.srgb import linear_to_srgb, srgb_to_linear, to_bytes

KNOWN = [(0, 0), (1, 1), (0.5, 0.21404114), (0.04045, 0.0031308), (0.02, 0.02 / 12.92)]


@pytest.mark.parametrize(("srgb", "linear"), KNOWN)
def test_known_values(srgb, linear):
    assert float(srgb_to_linear(np.float32(srgb))) == pytest.approx(linear, abs=1e-6)
    assert float(linear_to_srgb(np.float32(linear))) == pytest.approx(srgb, abs=1e-5)


def test_there_and_back():
    values = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(values)), values, atol=2e-6)
    every_byte = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_bytes(linear_to_srgb(srgb_to_linear(every_byte))), every_byte)


def test_what_no_screen_can_show_is_clipped():
    np.testing.assert_allclose(linear_to_srgb(np.array([-1.0, 7.0])), [0, 1], atol=1e-6)
