"""Any picture to RGB and alpha. The decoders behind this are in `decoding`."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .decoding.common import MAX_PIXELS, Decoded
from .decoding.pixels import SUFFIX, read_pixels, save_pixels
from .errors import WorldTracingError
from .resample import resize_area, resize_mask, resize_nearest

__all__ = ["Photo", "load_mask", "load_photo", "picture_mask", "resize_area", "resize_mask", "save_pixels"]

MIN_SIDE = 16
"""Pixels a side below which there is nothing to trace."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture, upright, at most 100 megapixels.

    Attributes:
        rgb: (H, W, 3) uint8 sRGB.
        alpha: (H, W) uint8, straight; None where the file has none or is opaque everywhere.
        source_size: (width, height) of the upright file, before any scaling on load.
        focal_35mm: EXIF FocalLengthIn35mmFilm in millimetres, or None.
        sha256: of the file's bytes, hexadecimal; of a hand-off that of the photo it was made from, if it tells it.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None
    source_size: tuple[int, int]
    focal_35mm: float | None
    sha256: str


def load_photo(path: str | Path, name: str | None = None) -> Photo:
    """Read a picture file: PNG, JPEG, WebP, TIFF, BMP, OpenEXR or a pixels hand-off; of an animation the first frame.

    Args:
        path: of the file.
        name: what errors call a picture that comes as a hand-off.

    Raises:
        WorldTracingError: WT-IMG-MISSING, WT-IMG-FOLDER, WT-IMG-UNREADABLE, WT-IMG-DAMAGED, WT-IMG-BOMB,
            WT-IMG-SMALL, WT-IMG-NAN, WT-IMG-CHANNELS, WT-IO-READ, WT-MEM-PHOTO, WT-ENV-PACKAGE where the library for
            the format is missing, and those of `TensorFormat.read` for a hand-off.
    """
    path = _existing(path)
    decoded = _decode(path)
    width, height = decoded.source_size
    if min(width, height) < MIN_SIDE:
        raise WorldTracingError(
            "WT-IMG-SMALL",
            f"{name or path.name} is {width} x {height} pixels, which is too small to trace.",
            f"Choose a picture of at least {MIN_SIDE} x {MIN_SIDE} pixels.",
        )
    rgb, alpha = decoded.rgb, decoded.alpha
    if alpha is not None and (alpha == 255).all():
        alpha = None
    if rgb.shape[0] * rgb.shape[1] > MAX_PIXELS:
        scale = math.sqrt(MAX_PIXELS / (rgb.shape[0] * rgb.shape[1]))
        size = max(1, int(rgb.shape[1] * scale)), max(1, int(rgb.shape[0] * scale))
        rgb = resize_area(rgb, *size)
        alpha = None if alpha is None else resize_area(alpha, *size)
    return Photo(rgb, alpha, decoded.source_size, decoded.focal_35mm, decoded.sha256 or _sha256(path))


def load_mask(path: str | Path, width: int, height: int) -> np.ndarray:
    """Read a mask from a picture file or a pixels hand-off and fit it to a photo of `width` x `height` pixels.

    Returns:
        (height, width) bool: the hand-off's mask if it has one, else `picture_mask`.

    Raises:
        WorldTracingError: as `load_photo`, without WT-IMG-SMALL.
    """
    path = _existing(path)
    mask = read_pixels(path).mask if path.suffix == SUFFIX else None
    if mask is not None:
        return resize_nearest(mask, width, height)
    picture = _decode(path)
    return picture_mask(picture.rgb, picture.alpha, width, height)


def picture_mask(rgb: np.ndarray, alpha: np.ndarray | None, width: int, height: int) -> np.ndarray:
    """What a picture means as a mask: (height, width) bool.

    True where alpha (H, W) uint8 is above 127 if it varies, else where the luma of `rgb` (H, W, 3) uint8 is. A picture
    of another size is scaled.

    Raises:
        WorldTracingError: WT-IMG-MASK-SIZE where its shape is another one, but for a pixel of rounding.
    """
    rows, columns = rgb.shape[:2]
    if abs(columns * height - rows * width) > max(columns, rows, width, height):
        raise WorldTracingError(
            "WT-IMG-MASK-SIZE",
            f"The mask is {columns} x {rows} pixels and the photo {width} x {height}: their shapes differ.",
            "Give a mask of the photo's shape. Its size does not matter.",
        )
    if alpha is not None and np.ptp(alpha) > 0:
        mask = alpha > 127
    else:
        mask = rgb @ np.array([0.299, 0.587, 0.114], np.float32) > 127.5
    return resize_nearest(mask, width, height)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if path.is_dir():
        raise WorldTracingError("WT-IMG-FOLDER", f"{path} is a folder.", "Choose a picture file in it.")
    if not path.is_file():
        raise WorldTracingError("WT-IMG-MISSING", f"There is no picture {path}.", "Check the path.")
    return path


def _decode(path: Path) -> Decoded:
    try:
        return _decode_by_content(path)
    except MemoryError as error:
        raise WorldTracingError(
            "WT-MEM-PHOTO",
            f"There is not enough memory to open {path.name}.",
            "Close other programs, or scale the picture down in an image editor.",
        ) from error
    except OSError as error:
        raise WorldTracingError(
            "WT-IO-READ", f"{path} cannot be read ({error.strerror or error}).", "Check its permissions."
        ) from error


def _decode_by_content(path: Path) -> Decoded:
    """Choose the decoder by the file's first bytes, as names often lie."""
    from .decoding import exr, opencv, pillow

    if path.suffix == SUFFIX:
        pixels = read_pixels(path)
        height, width = pixels.rgb.shape[:2]
        return Decoded(pixels.rgb, pixels.alpha, (width, height), pixels.focal_35mm, pixels.source_sha256)
    with path.open("rb") as file:
        signature = file.read(4)
    if signature == exr.SIGNATURE:
        return exr.decode_exr(path)
    try:
        return pillow.decode(path)
    except WorldTracingError as error:
        if signature not in opencv.TIFF_SIGNATURES or error.code not in ("WT-IMG-UNREADABLE", "WT-IMG-DAMAGED"):
            raise
        try:
            return opencv.decode_tiff(path)
        except WorldTracingError as second:
            # Where OpenCV cannot help either, Pillow's account of the file is the better one.
            raise (error if second.code in ("WT-ENV-PACKAGE", "WT-IMG-UNREADABLE") else second) from second
