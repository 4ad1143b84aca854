"""PNG files without a picture library."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from ..files import write_atomically

SIGNATURE = b"\x89PNG\r\n\x1a\n"
FILTER_UP = 2


def write_png(path: str | Path, rgb: np.ndarray) -> Path:
    """Write (H, W, 3) uint8 sRGB, or (H, W, 4) with straight alpha, as an 8-bit PNG.

    Raises:
        WorldTracingError: WT-IO-WRITE, WT-IO-FULL.
    """
    return write_atomically(path, png_bytes(rgb))


def png_bytes(rgb: np.ndarray) -> bytes:
    """The content of the file that `write_png` writes."""
    height, width, channels = rgb.shape
    color_type = {3: 2, 4: 6}[channels]
    # Each row is stored as its difference from the row above, which compresses photos and depth maps well.
    rows = np.diff(rgb.reshape(height, -1), axis=0, prepend=np.uint8(0))
    filtered = np.insert(rows, 0, FILTER_UP, axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, color_type, 0, 0, 0)  # 8 bit
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b"")
    return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
