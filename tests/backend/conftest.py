"""Pictures that several test files begin with."""

import numpy as np
import pytest
from hypothesis import settings
from pictures import ALPHA, GREY, RGB
from PIL import Image

settings.register_profile("same-every-time", derandomize=True)  # --hypothesis-profile=default looks further
settings.load_profile("same-every-time")


@pytest.fixture
def rgb():
    return RGB.copy()


@pytest.fixture
def grey():
    return GREY.copy()


@pytest.fixture
def alpha():
    return ALPHA.copy()


@pytest.fixture
def photo(tmp_path):
    """A 60x40 cut-out of a box on transparency."""
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[10:30, 20:45] = (200, 120, 40, 255)
    Image.fromarray(pixels).save(tmp_path / "box.png")
    return tmp_path / "box.png"
