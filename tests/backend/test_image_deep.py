"""Pictures of 16 and 32 bits, whole and float, and OpenEXR."""

import struct

import cv2
import numpy as np
import pytest
from pictures import HEIGHT, WIDTH, as_grey, assert_near, write_exr, write_float_tiff
from PIL import Image

from worldtracing.image import load_photo
from worldtracing.srgb import srgb_to_linear


def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path):
    deep = np.linspace(0, 65535, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)
    expected = as_grey(np.rint(deep / 257))
    Image.fromarray(deep).save(tmp_path / "a.png")
    Image.fromarray(deep).save(tmp_path / "a.tif")
    Image.fromarray(deep.astype(">u2")).save(tmp_path / "big.tif")
    cv2.imwrite(str(tmp_path / "a.pgm"), deep)
    for name in ("a.png", "a.tif", "big.tif", "a.pgm"):
        assert_near(load_photo(tmp_path / name).rgb, expected, 0)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bit_colour(tmp_path, rgb, alpha, name):
    deep = rgb.astype(np.uint16) * 257 + 3
    cv2.imwrite(str(tmp_path / name), deep[..., ::-1])
    assert_near(load_photo(tmp_path / name).rgb, rgb, 1)
    cv2.imwrite(str(tmp_path / name), np.dstack([deep[..., ::-1], alpha.astype(np.uint16) * 257]))
    photo = load_photo(tmp_path / name)
    assert_near(photo.rgb, rgb, 1)
    np.testing.assert_array_equal(photo.alpha, alpha)


def uncompressed_tiff(values, sample_format, photometric=1):
    """A minimal TIFF of one channel, for sample types that the libraries here do not write."""
    bits = values.dtype.itemsize * 8
    height, width = values.shape
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1), (278, height)]
    tags += [(279, values.nbytes), (339, sample_format)]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return (
        struct.pack("<2sHI", b"II", 42, 8 + values.nbytes)
        + values.astype(values.dtype.newbyteorder("<")).tobytes()
        + struct.pack("<H", len(tags))
        + directory
        + bytes(4)
    )


@pytest.mark.parametrize(
    ("dtype", "sample_format", "full"),
    [(np.uint32, 1, 2**32 - 1), (np.int32, 2, 2**31 - 1), (np.int16, 2, 2**15 - 1), (np.uint16, 1, 2**16 - 1)],
)
def test_integer_tiffs_are_scaled_over_their_range(tmp_path, grey, dtype, sample_format, full):
    values = np.rint(grey / 255 * full).astype(dtype)
    (tmp_path / "a.tif").write_bytes(uncompressed_tiff(values, sample_format))
    assert_near(load_photo(tmp_path / "a.tif").rgb, as_grey(grey), 0)
    if dtype == np.uint16:
        (tmp_path / "inverted.tif").write_bytes(uncompressed_tiff(values, sample_format, photometric=0))
        assert_near(load_photo(tmp_path / "inverted.tif").rgb, as_grey(255 - grey), 0)


def test_float_tiffs_are_scene_linear(tmp_path, rgb, grey, alpha):
    path = write_float_tiff(tmp_path / "rgb.tif", srgb_to_linear(rgb))
    assert_near(load_photo(path).rgb, rgb, 0)
    Image.fromarray(srgb_to_linear(grey)).save(tmp_path / "grey.tif")
    assert_near(load_photo(tmp_path / "grey.tif").rgb, as_grey(grey), 0)
    rgba = np.dstack([srgb_to_linear(rgb), alpha.astype(np.float32) / 255])
    photo = load_photo(write_float_tiff(tmp_path / "rgba.tif", rgba))
    assert_near(photo.rgb, rgb, 0)
    np.testing.assert_array_equal(photo.alpha, alpha)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_exr(tmp_path, rgb, dtype):
    linear = srgb_to_linear(rgb).astype(dtype)
    channels = {name: np.ascontiguousarray(linear[..., i]) for i, name in enumerate("RGB")}
    photo = load_photo(write_exr(tmp_path / "a.exr", channels))
    assert_near(photo.rgb, rgb, 0)
    assert photo.alpha is None

    layered = {f"View.Combined.{name}": value for name, value in channels.items()}
    layered["View.Depth.Z"] = channels["R"]
    assert_near(load_photo(write_exr(tmp_path / "layered.exr", layered)).rgb, rgb, 0)


def test_exr_alpha_is_unpremultiplied(tmp_path, rgb, alpha):
    coverage = (alpha / 255).astype(np.float32)
    linear = srgb_to_linear(rgb) * coverage[..., None]
    channels = {name: np.ascontiguousarray(linear[..., i]) for i, name in enumerate("RGB")} | {"A": coverage}
    photo = load_photo(write_exr(tmp_path / "a.exr", channels))
    np.testing.assert_array_equal(photo.alpha, alpha)
    assert_near(photo.rgb[alpha > 0], rgb[alpha > 0], 0)


def test_exr_with_luminance_only(tmp_path, grey):
    photo = load_photo(write_exr(tmp_path / "a.exr", {"Y": srgb_to_linear(grey)}))
    assert_near(photo.rgb, as_grey(grey), 0)


def test_exr_is_placed_in_its_display_window(tmp_path, rgb):
    linear = srgb_to_linear(rgb)
    channels = {name: np.ascontiguousarray(linear[..., i]) for i, name in enumerate("RGB")}
    window = (np.array([2, 3], np.int32), np.array([WIDTH + 1, HEIGHT + 2], np.int32))
    frame = (np.array([0, 5], np.int32), np.array([WIDTH + 9, HEIGHT + 9], np.int32))
    path = write_exr(tmp_path / "a.exr", channels, {"dataWindow": window, "displayWindow": frame})
    photo = load_photo(path)
    assert photo.source_size == (WIDTH + 10, HEIGHT + 5)
    assert_near(photo.rgb[: HEIGHT - 2, 2 : WIDTH + 2], rgb[2:], 0)
    assert (photo.alpha > 0).sum() == (HEIGHT - 2) * WIDTH
