"""Loading as a whole: what is refused, what is scaled, and the hand-off file."""

import hashlib
import os
import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from worldtracing.decoding import common
from worldtracing.errors import WorldTracingError
from worldtracing.files import temporary_path
from worldtracing.image import load_mask, load_photo, save_pixels

RGB = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
EVERY_FORMAT = ("a.png", "a.jpg", "a.webp", "a.tif", "a.bmp", "a.gif", "a.exr", "deep.png", "float.tif")


def code_of(action, *arguments):
    with pytest.raises(WorldTracingError) as caught:
        action(*arguments)
    assert caught.value.fix
    return caught.value.code


def write(path, rgb=RGB):
    """A picture in the format that the name tells."""
    if path.suffix == ".exr":
        channels = {name: np.ascontiguousarray(rgb[..., i] / np.float32(255)) for i, name in enumerate("RGB")}
        OpenEXR.File({"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}, channels).write(str(path))
    elif path.stem == "deep":
        cv2.imwrite(str(path), rgb.astype(np.uint16) * 257)
    elif path.stem == "float":
        cv2.imwrite(str(path), rgb / np.float32(255), [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    else:
        Image.fromarray(rgb).save(path)
    return path


def test_the_hash_is_that_of_the_file(tmp_path):
    path = write(tmp_path / "a.png")
    assert load_photo(str(path)).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_paths_that_are_no_pictures(tmp_path):
    assert code_of(load_photo, tmp_path / "none.png") == "WT-IMG-MISSING"
    assert code_of(load_photo, tmp_path) == "WT-IMG-FOLDER"
    assert code_of(load_mask, tmp_path / "none.png", 4, 4) == "WT-IMG-MISSING"


@pytest.mark.parametrize(
    "content", [b"This is a text file named .png.\n" * 9, b"", b"\0" * 500, b"%!PS-Adobe-3.0 EPSF-3.0\n"]
)
def test_a_file_that_is_no_picture(tmp_path, content):
    path = tmp_path / "text.png"
    path.write_bytes(content)
    assert code_of(load_photo, path) == "WT-IMG-UNREADABLE"


@pytest.mark.parametrize("size", [(1, 1), (15, 400), (400, 15)])
def test_pictures_too_small_to_trace(tmp_path, size):
    Image.new("RGB", size, (9, 9, 9)).save(tmp_path / "a.png")
    assert code_of(load_photo, tmp_path / "a.png") == "WT-IMG-SMALL"


def test_the_smallest_picture_passes(tmp_path):
    assert load_photo(write(tmp_path / "a.png", RGB[:16, :16])).rgb.shape == (16, 16, 3)


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_a_file_cut_in_half(tmp_path, name):
    path = write(tmp_path / name, np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert code_of(load_photo, path) in ("WT-IMG-DAMAGED", "WT-IMG-UNREADABLE")


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_rubbish_in_a_file_gives_a_picture_or_a_sentence(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("rubbish")
    content = write(folder / name).read_bytes()

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(st.integers(0, len(content) - 1), st.binary(min_size=1, max_size=8), st.integers(0, len(content)))
    def check(position, rubbish, end):
        damaged = content[:position] + rubbish + content[position + len(rubbish) :]
        (folder / name).write_bytes(damaged[:end] if end % 2 else damaged)
        try:
            assert load_photo(folder / name).rgb.dtype == np.uint8
        except WorldTracingError as error:
            assert error.code.startswith(("WT-IMG-", "WT-MEM-")) and error.fix

    check()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(tmp_path, value):
    light = np.full((24, 40), 0.5, np.float32)
    broken = light.copy()
    broken[3, 4] = value
    for name, channels in (("R", {"R": broken, "G": light, "B": light}), ("Y", {"Y": broken}),
                           ("A", {"R": light, "G": light, "B": light, "A": broken})):  # fmt: skip
        path = tmp_path / f"{name}.exr"
        OpenEXR.File({"type": OpenEXR.scanlineimage}, {key: plane.copy() for key, plane in channels.items()}).write(
            str(path)
        )
        assert code_of(load_photo, path) == "WT-IMG-NAN"
    Image.fromarray(broken).save(tmp_path / "a.tif")
    assert code_of(load_photo, tmp_path / "a.tif") == "WT-IMG-NAN"


def test_an_exr_without_colour(tmp_path):
    OpenEXR.File({"type": OpenEXR.scanlineimage}, {"Z": np.ones((24, 40), np.float32)}).write(str(tmp_path / "z.exr"))
    assert code_of(load_photo, tmp_path / "z.exr") == "WT-IMG-CHANNELS"


def test_a_jpeg_over_100_megapixels_is_scaled_on_load(tmp_path):
    Image.new("L", (12000, 8800), 130).save(tmp_path / "a.jpg")
    photo = load_photo(tmp_path / "a.jpg")
    assert photo.source_size == (12000, 8800)
    assert photo.rgb.shape == (4400, 6000, 3)
    assert (photo.rgb == 130).all()


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.exr"])
def test_other_large_pictures_are_scaled_on_load(tmp_path, monkeypatch, name):
    """With a smaller limit, as the code path is the same and 100 megapixels take long to make."""
    monkeypatch.setattr("worldtracing.image.MAX_PIXELS", 600)
    path = write(tmp_path / name)
    photo = load_photo(path)
    assert photo.source_size == (40, 24)
    height, width = photo.rgb.shape[:2]
    assert 500 < height * width <= 600
    assert width / height == pytest.approx(40 / 24, rel=0.05)


def png_claiming(width, height):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(10_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(30_000, 20_000), (10_000, 9_000), (2**31 - 1, 2**31 - 1)])
def test_decompression_bombs_are_refused_before_decoding(tmp_path, size):
    (tmp_path / "bomb.png").write_bytes(png_claiming(*size))
    assert code_of(load_photo, tmp_path / "bomb.png") == "WT-IMG-BOMB"
    assert code_of(load_mask, tmp_path / "bomb.png", 10, 10) == "WT-IMG-BOMB"


@pytest.mark.parametrize("name", ["a.exr", "float.tif", "a.tif"])
def test_bombs_of_other_formats(tmp_path, monkeypatch, name):
    path = write(tmp_path / name)
    monkeypatch.setattr(common, "BOMB_PIXELS", 900)
    assert code_of(load_photo, path) == "WT-IMG-BOMB"


def test_pillows_own_limit_is_left_as_it_was(tmp_path):
    before = Image.MAX_IMAGE_PIXELS
    load_photo(write(tmp_path / "a.png"))
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(("name", "module"), [("a.png", "PIL"), ("a.jpg", "PIL"), ("a.exr", "OpenEXR")])
def test_a_missing_library_is_named(tmp_path, monkeypatch, name, module):
    path = write(tmp_path / name)
    for loaded in [module, *(key for key in sys.modules if key.startswith(module + "."))]:
        monkeypatch.setitem(sys.modules, loaded, None)
    with pytest.raises(WorldTracingError, match=module) as caught:
        load_photo(path)
    assert caught.value.code == "WT-ENV-PACKAGE"
    assert "pip install" in caught.value.fix


def test_without_opencv_a_tiff_that_needs_it_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "float.tif")
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert code_of(load_photo, path) == "WT-IMG-UNREADABLE"


def test_no_memory_left_is_a_sentence(tmp_path, monkeypatch):
    def no_memory(*_):
        raise MemoryError

    path = write(tmp_path / "a.png")
    monkeypatch.setattr("worldtracing.decoding.pillow._arrays", no_memory)
    assert code_of(load_photo, path) == "WT-MEM-PHOTO"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission(tmp_path):
    path = write(tmp_path / "a.png")
    path.chmod(0)
    assert code_of(load_photo, path) == "WT-IO-READ"


def test_the_hand_off_goes_in_and_out(tmp_path, monkeypatch):
    for module in ("PIL", "PIL.Image", "cv2", "OpenEXR"):
        monkeypatch.setitem(sys.modules, module, None)
    alpha = np.zeros((24, 40), np.uint8)
    alpha[5:, 5:] = 255
    mask = np.zeros((24, 40), bool)
    mask[8:20, 10:30] = True
    path = save_pixels(tmp_path / "photo.safetensors", RGB, alpha, mask)
    photo = load_photo(path)
    np.testing.assert_array_equal(photo.rgb, RGB)
    np.testing.assert_array_equal(photo.alpha, alpha)
    assert photo.source_size == (40, 24)
    assert photo.focal_35mm is None
    np.testing.assert_array_equal(load_mask(path, 40, 24), mask)

    without_mask = save_pixels(tmp_path / "alpha.safetensors", RGB, alpha)
    np.testing.assert_array_equal(load_mask(without_mask, 40, 24), alpha > 127)
    grey = save_pixels(tmp_path / "grey.safetensors", np.repeat(alpha[..., None], 3, axis=2))
    np.testing.assert_array_equal(load_mask(grey, 40, 24), alpha > 127)
    assert load_photo(grey).alpha is None

    assert load_photo(save_pixels(tmp_path / "exif.safetensors", RGB, focal_35mm=28.5)).focal_35mm == 28.5


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("a.safetensors", [RGB.astype(np.float32)]),
        ("a.safetensors", [RGB[..., 0]]),
        ("a.safetensors", [RGB, np.zeros((24, 40), bool)]),
        ("a.safetensors", [RGB, None, np.zeros((24, 41), bool)]),
        ("a.png", [RGB]),
    ],
)
def test_a_hand_off_that_could_not_be_read_is_not_written(tmp_path, name, arguments):
    assert code_of(save_pixels, tmp_path / name, *arguments) == "WT-IO-INVALID"
    assert not (tmp_path / name).exists()


def test_damaged_and_foreign_hand_offs(tmp_path):
    path = save_pixels(tmp_path / "a.safetensors", RGB)
    content = path.read_bytes()
    path.write_bytes(content[:500])
    assert code_of(load_photo, path) == "WT-IO-TRUNCATED"
    path.write_bytes(content.replace(b"worldtracing.pixels", b"somebody.elses.file"))
    assert code_of(load_photo, path) == "WT-IO-FOREIGN"
    path.write_bytes(content.replace(b'"version":"1"', b'"version":"2"'))
    assert code_of(load_mask, path, 4, 4) == "WT-IO-NEWER"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_full_disk(tmp_path):
    path = tmp_path / "a.safetensors"
    temporary_path(path).symlink_to("/dev/full")
    assert code_of(save_pixels, path, RGB) == "WT-IO-FULL"
    assert list(tmp_path.iterdir()) == []
