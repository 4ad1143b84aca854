import sys
from pathlib import Path

import numpy as np
import pytest

from worldtracing.errors import WorldTracingError
from worldtracing.flyers import CLIP, STILL, FlyerFilter, drop_flyers

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "misc"

CASES = {
    "default": (STILL, None),
    "preset": (CLIP, None),
    "k7": (FlyerFilter(median_size=7), None),
    "nosor": (FlyerFilter(neighbours=0, depth_absolute=0.05), None),
    "boundary": (FlyerFilter(border_band=True), None),
    "layer0": (STILL, (0,)),
}


@pytest.mark.parametrize("name", CASES)
def test_filter_equals_the_released_one(name):
    golden = np.load(GOLDEN / "flyers.npz")
    settings, layers = CASES[name]
    points, valid = drop_flyers(golden["xyz"], golden["mask"], settings, layers)
    np.testing.assert_array_equal(valid, golden[f"mask_{name}"])
    assert not points[~valid].any()
    if name == "default":
        np.testing.assert_array_equal(points, golden["xyz_default"])


def test_a_point_strung_between_two_surfaces_goes_and_the_surfaces_stay():
    v, u = np.mgrid[:32, :32].astype(np.float32)
    z = np.where(u < 16, 1.0, 3.0).astype(np.float32)
    points = np.stack([u / 32 * z, v / 32 * z, z], -1)
    flyer = points.copy()
    flyer[10, 16] *= 2 / 3
    _, before = drop_flyers(points[None], np.ones((1, 32, 32), bool), FlyerFilter(neighbours=0))
    _, after = drop_flyers(flyer[None], np.ones((1, 32, 32), bool), FlyerFilter(neighbours=0))
    assert before.all()
    assert np.argwhere(~after).tolist() == [[0, 10, 16]]


@pytest.mark.parametrize("settings", [STILL, FlyerFilter(median_size=7), FlyerFilter(border_band=True)])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_nearly_empty_layers_do_no_harm(settings, count):
    valid = np.zeros((2, 8, 8), bool)
    valid.reshape(2, -1)[:, :count] = True
    points = np.where(valid[..., None], np.float32(2), np.float32(0)) * np.ones(3, np.float32)
    _, kept = drop_flyers(points, valid, settings)
    assert kept.sum() <= valid.sum()


def test_without_opencv_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(WorldTracingError, match=r"cv2.*pip install") as caught:
        drop_flyers(np.ones((1, 4, 4, 3), np.float32), np.ones((1, 4, 4), bool))
    assert caught.value.code == "WT-ENV-PACKAGE"
