"""TIFF files that Pillow does not read, such as 32-bit float RGB, through OpenCV."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from ..extras import need
from .common import Decoded, check_size, integers_to_8_bit, to_srgb8, unreadable

TIFF_SIGNATURES = (b"II\x2a\x00", b"MM\x00\x2a", b"II\x2b\x00", b"MM\x00\x2b")
WIDTH, HEIGHT = 256, 257


def decode_tiff(path: Path) -> Decoded:
    """A TIFF file, upright.

    Raises:
        WorldTracingError: WT-ENV-PACKAGE without OpenCV, WT-IMG-UNREADABLE, WT-IMG-BOMB, WT-IMG-NAN.
    """
    cv2 = need("cv2", "image", "read this TIFF file")
    check_size(path, *_claimed_size(path))
    try:
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)  # imread fails on some Windows paths
    except cv2.error as error:
        raise unreadable(path) from error
    if pixels is None:
        raise unreadable(path)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    channels = pixels.shape[2]
    colour = pixels[..., 2::-1] if channels >= 3 else np.repeat(pixels[..., :1], 3, axis=2)  # OpenCV has BGR
    alpha = pixels[..., 3] if channels == 4 else None
    if alpha is not None:
        alpha = np.rint(np.clip(alpha, 0, 1) * 255) if alpha.dtype.kind == "f" else integers_to_8_bit(alpha)
        alpha = alpha.astype(np.uint8)
    rgb = np.ascontiguousarray(to_srgb8(path, colour))
    return Decoded(rgb, alpha, (rgb.shape[1], rgb.shape[0]))


def _claimed_size(path: Path) -> tuple[int, int]:
    """Width and height from the first directory of the file, read by Pillow without decoding."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = file.read(8)
            if b"\x2b" in header[2:4]:  # BigTIFF
                header += file.read(8)
            directory = ImageFileDirectory_v2(header)
            file.seek(directory.next)
            directory.load(file)
            return int(directory[WIDTH]), int(directory[HEIGHT])
    except Exception as error:  # a damaged directory makes Pillow raise nearly anything
        raise unreadable(path) from error
