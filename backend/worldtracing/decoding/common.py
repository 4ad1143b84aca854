"""What all decoders share: their result, the size limits and the errors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import WorldTracingError
from ..srgb import linear_to_srgb, to_bytes

MAX_PIXELS = 100_000_000
"""Larger pictures are scaled down on load."""

BOMB_PIXELS = 500_000_000
BOMB_PIXELS_PER_BYTE = 1000
BOMB_RATIO_FROM_PIXELS = 50_000_000
"""Refused before decoding: more than BOMB_PIXELS, or, from BOMB_RATIO_FROM_PIXELS on, more pixels per byte of the file
than any photo has (the densest, a blank PNG, reaches about 350)."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """A picture as its file tells it.

    Attributes:
        rgb: (H, W, 3) uint8 sRGB, upright.
        alpha: (H, W) uint8, straight, or None.
        source_size: (width, height) of the file, upright; larger than `rgb` where the decoder has scaled.
        focal_35mm: EXIF FocalLengthIn35mmFilm in millimetres, or None.
        sha256: of the photo's own file, where this one is a hand-off that tells it.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None
    source_size: tuple[int, int]
    focal_35mm: float | None = None
    sha256: str | None = None


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse a decompression bomb by the size that its header claims (WT-IMG-BOMB)."""
    pixels, size = width * height, path.stat().st_size
    dense = pixels > BOMB_RATIO_FROM_PIXELS and pixels > BOMB_PIXELS_PER_BYTE * size
    if pixels > BOMB_PIXELS or dense:
        raise WorldTracingError(
            "WT-IMG-BOMB",
            f"{path.name} claims to be {width} x {height} pixels in a file of {size:,} bytes and was not opened.",
            f"Scale it down to at most {BOMB_PIXELS // 1_000_000} megapixels in an image editor.",
        )


def unreadable(path: Path) -> WorldTracingError:
    return WorldTracingError(
        "WT-IMG-UNREADABLE",
        f"{path.name} is not a picture that World Tracing can read.",
        "Choose a PNG, JPEG, WebP, TIFF, BMP or OpenEXR file, or save the picture as PNG.",
    )


def damaged(path: Path, error: Exception) -> WorldTracingError:
    return WorldTracingError(
        "WT-IMG-DAMAGED",
        f"{path.name} is damaged or cut short ({error}).",
        "Copy it again, or open it in an image editor and save it anew.",
    )


def to_srgb8(path: Path, values: np.ndarray) -> np.ndarray:
    """Colours of any bit depth to uint8 sRGB: integers over their full range, floats as scene-linear light.

    Raises:
        WorldTracingError: WT-IMG-NAN where floats are not finite.
    """
    if np.issubdtype(values.dtype, np.floating):
        check_finite(path, values)
        return to_bytes(linear_to_srgb(values))
    return integers_to_8_bit(values)


def integers_to_8_bit(values: np.ndarray) -> np.ndarray:
    """Unsigned integers of any depth over their full range, or signed ones over their positive range, to uint8."""
    if values.dtype == np.uint8:
        return values
    return to_bytes(np.maximum(values, 0) / np.float64(np.iinfo(values.dtype).max))


def check_finite(path: Path, values: np.ndarray) -> None:
    """Refuse NaN and infinity (WT-IMG-NAN)."""
    bad = values.size - np.count_nonzero(np.isfinite(values))
    if bad:
        raise WorldTracingError(
            "WT-IMG-NAN",
            f"{path.name} holds {bad:,} values that are not a number or infinite.",
            "Render or export it again, or replace them (in Blender's compositor, clamp with a Math node).",
        )


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation, 1 to 8, to (H, W[, C])."""
    if orientation >= 5:  # rows and columns are exchanged
        image = np.swapaxes(image, 0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
