"""Orientation and 35 mm equivalent focal length of a photo: Blender tells neither, and its Python has no Pillow."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

ORIENTATION, EXIF_IFD, FOCAL_35MM = 0x0112, 0x8769, 0xA405
UNSIGNED_SHORT, UNSIGNED_LONG = 3, 4
HEADER_BYTES = 256 * 1024  # EXIF stands at the start of a JPEG, in one segment of at most 64 KiB


@dataclass(frozen=True)
class Exif:
    """orientation: 1 to 8 as EXIF counts (1 is upright); focal_35mm: millimetres, or None."""

    orientation: int = 1
    focal_35mm: float | None = None


def read_exif(path: str | Path) -> Exif:
    """EXIF of a JPEG or TIFF file; the defaults where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return parse_exif(file.read(HEADER_BYTES))
    except OSError:
        return Exif()


def parse_exif(head: bytes) -> Exif:
    """EXIF of a file's content or its start; the defaults for other kinds of file, and for damaged data."""
    try:
        tiff = _tiff_block(head)
        if tiff is None:
            return Exif()
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        tags = _read_ifd(tiff, order, struct.unpack_from(order + "I", tiff, 4)[0])
        if EXIF_IFD in tags:
            tags |= _read_ifd(tiff, order, tags[EXIF_IFD])
    except (struct.error, KeyError):
        return Exif()
    orientation = tags.get(ORIENTATION, 1)
    return Exif(orientation if 1 <= orientation <= 8 else 1, float(tags.get(FOCAL_35MM, 0)) or None)


def _tiff_block(head: bytes) -> bytes | None:
    if head[:4] in (b"II*\0", b"MM\0*"):
        return head
    if head[:2] != b"\xff\xd8":
        return None
    position = 2
    while position + 4 <= len(head) and head[position] == 0xFF:
        marker, length = head[position + 1], struct.unpack_from(">H", head, position + 2)[0]
        if marker == 0xE1 and head[position + 4 : position + 10] == b"Exif\0\0":
            return head[position + 10 : position + 2 + length]
        if marker == 0xDA:  # the picture itself begins
            return None
        position += 2 + length
    return None


def _read_ifd(tiff: bytes, order: str, offset: int) -> dict[int, int]:
    """The directory's single-valued short and long tags."""
    tags = {}
    for entry in range(struct.unpack_from(order + "H", tiff, offset)[0]):
        tag, kind, count = struct.unpack_from(order + "HHI", tiff, offset + 2 + 12 * entry)
        value_at = offset + 2 + 12 * entry + 8
        if count == 1 and kind in (UNSIGNED_SHORT, UNSIGNED_LONG):
            code = "H" if kind == UNSIGNED_SHORT else "I"
            tags[tag] = struct.unpack_from(order + code, tiff, value_at)[0]
    return tags
