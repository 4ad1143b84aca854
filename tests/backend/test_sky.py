import numpy as np
import pytest

from worldtracing.sky import guess_sky


def street(top=(110, 160, 230), horizon=(190, 210, 240)):
    """A sky gradient over a textured street, with a tower before it; and where the sky is."""
    rng = np.random.default_rng(0)
    height, width = 90, 120
    fade = np.linspace(0, 1, height)[:, None, None]
    rgb = (np.array(top) * (1 - fade) + np.array(horizon) * fade) * np.ones((1, width, 1))
    sky = np.ones((height, width), bool)
    sky[50:], sky[15:, 70:85] = False, False
    rgb[~sky] = rng.integers(20, 160, (int((~sky).sum()), 3))
    return rgb.astype(np.uint8), sky


def test_blue_sky_is_found_and_the_tower_is_not():
    rgb, sky = street()
    found = guess_sky(rgb)
    assert not (found & ~sky).any()
    assert found[sky].mean() > 0.9


@pytest.mark.parametrize("gray", [60, 200, 250])
def test_gray_ceilings_and_overcast_skies_are_left_in(gray):
    rgb, _ = street((gray,) * 3, (gray,) * 3)
    assert not guess_sky(rgb).any()


def test_a_blue_lake_below_the_horizon_is_not_sky():
    rgb, _ = street()
    assert not guess_sky(rgb[::-1]).any()


def test_pictures_of_one_row_or_column_are_no_error():
    assert guess_sky(np.full((1, 9, 3), (100, 150, 220), np.uint8)).shape == (1, 9)
    assert guess_sky(np.full((9, 1, 3), (100, 150, 220), np.uint8)).shape == (9, 1)
