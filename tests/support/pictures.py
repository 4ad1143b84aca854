"""A small picture in many shapes, and writers for formats that Pillow does not write."""

import cv2
import numpy as np
import OpenEXR

HEIGHT, WIDTH = 24, 40


def _picture():
    """Smooth colors, which lossy formats keep, with no symmetry; and a cut-out."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    rgb = np.stack([u * 6, v * 10, 200 - u * 2 - v], -1).astype(np.uint8)
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    alpha[4:20, 8:30] = 255
    alpha[10, 10] = 100
    return rgb, alpha


RGB, ALPHA = _picture()
GREY = np.ascontiguousarray(RGB[..., 0])


def assert_near(actual, expected, tolerance):
    assert actual.dtype == np.uint8 and actual.shape == expected.shape
    assert np.abs(actual.astype(int) - expected).max() <= tolerance


def as_grey(grey):
    return np.repeat(grey[..., None], 3, axis=2)


def write_exr(path, channels, header=None):
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **(header or {})}
    OpenEXR.File(header, dict(channels)).write(str(path))  # a copy: OpenEXR replaces the values
    return path


def write_float_tiff(path, linear):
    """Uncompressed; OpenCV's default for floats is a lossy LogLuv."""
    bgr = [2, 1, 0, 3][: linear.shape[2]]
    cv2.imwrite(str(path), linear[..., bgr], [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    return path
