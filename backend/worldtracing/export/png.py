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
    """Write (H, W, 3) uint8 sRGB as an 8-bit RGB PNG.

    Raises:
        WorldTracingError: WT-IO-WRITE, WT-IO-FULL.
    """
    height, width = rgb.shape[:2]
    # Each row is stored as its difference from the row above, which compresses photos and depth maps well.
    rows = np.diff(rgb.reshape(height, -1), axis=0, prepend=np.uint8(0))
    filtered = np.insert(rows, 0, FILTER_UP, axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bit, RGB
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b"")
    return write_atomically(path, SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
