"""EXIF orientation and focal length, checked against Pillow."""

import numpy as np
import pytest
from PIL import Image, ImageOps
from world_tracing.backend.worldtracing.decoding.common import upright
from world_tracing.worldtracing_addon.core.exif import Exif, read_exif


def _photo(path, orientation, focal=None, **options):
    pixels = np.random.default_rng(0).integers(0, 255, (12, 20, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    if focal:
        exif.get_ifd(0x8769)[0xA405] = focal
    Image.fromarray(pixels).save(path, exif=exif, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_equals_pillow(tmp_path, orientation):
    path = tmp_path / "photo.jpg"
    _photo(path, orientation)
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    with Image.open(path) as stored:
        raw = np.asarray(stored)
    assert read_exif(path).orientation == orientation
    np.testing.assert_array_equal(upright(raw, orientation), expected)


def test_focal_length_of_a_jpeg(tmp_path):
    path = tmp_path / "photo.jpg"
    _photo(path, 6, focal=35)
    assert read_exif(path) == Exif(6, 35.0)


def test_files_without_exif_and_damaged_ones_give_the_defaults(tmp_path):
    plain = tmp_path / "plain.png"
    Image.new("RGB", (4, 4)).save(plain)
    damaged = tmp_path / "damaged.jpg"
    _photo(damaged, 3)
    damaged.write_bytes(damaged.read_bytes()[:40])
    assert read_exif(plain) == read_exif(damaged) == read_exif(tmp_path / "missing.jpg") == Exif()
