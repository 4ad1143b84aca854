"""Pixels of a Blender image, as the photo that the worker traces."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import bpy
import numpy as np

from ...backend.worldtracing.decoding.common import BOMB_PIXELS, check_finite, upright
from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.srgb import linear_to_srgb, to_bytes
from .. import compat
from ..core.color import convert
from ..core.exif import Exif, parse_exif, read_exif
from ..core.names import fit_name

SOURCE, SOURCE_SHA256 = "wt_source", "wt_source_sha256"
"""Custom properties of an upright copy: the `photo_id` of the photo it was made from, and the hash of its file."""


@dataclass(frozen=True, eq=False)
class RawPixels:
    """What Blender holds of an image: copied on the main thread, converted on any.

    Attributes:
        name: the image's name.
        values: (H, W, C) float32, rows from the bottom as Blender stores them; scene-linear where `is_float`.
        is_float: whether the file is a float format (EXR, HDR, float TIFF).
        content: the picture's file: its bytes where it is packed, else its path; None where there is none.
        is_edited: whether the pixels were painted on since they were read from it.
        to_rec709: (3, 3) from the file's working space to linear Rec.709.
    """

    name: str
    values: np.ndarray
    is_float: bool
    content: bytes | Path | None
    is_edited: bool
    to_rec709: np.ndarray

    @cached_property
    def exif(self) -> Exif:
        """Of the file, where there is one."""
        if isinstance(self.content, bytes):
            return parse_exif(self.content)
        return Exif() if self.content is None else read_exif(self.content)

    def sha256(self) -> str | None:
        """Of the file, hexadecimal; None where there is none that holds these pixels."""
        if self.content is None or self.is_edited:
            return None
        if isinstance(self.content, bytes):
            return hashlib.sha256(self.content).hexdigest()
        try:
            with self.content.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:  # moved or deleted while Blender still has its pixels
            return None

    def to_photo(self) -> tuple[np.ndarray, np.ndarray | None]:
        """rgb (H, W, 3) uint8 sRGB with rows from the top, turned upright; alpha (H, W) uint8, or None if opaque.

        Raises:
            WorldTracingError: WT-IMG-NAN.
        """
        values = upright(self.values[::-1], self.exif.orientation)
        alpha = values[..., 3] if values.shape[-1] == 4 else None
        rgb = values[..., :3] if values.shape[-1] >= 3 else np.repeat(values[..., :1], 3, -1)
        if self.is_float:
            check_finite(Path(self.name), values)
            if alpha is not None:  # Blender premultiplies float images
                rgb = rgb / np.maximum(alpha, 1e-6)[..., None]
            rgb = linear_to_srgb(convert(rgb, self.to_rec709))
        opaque = alpha is None or bool((alpha >= 1).all())
        return to_bytes(rgb.clip(0, 1)), None if opaque else to_bytes(alpha.clip(0, 1))


def read_pixels(image: bpy.types.Image) -> RawPixels:
    """Copy the pixels of `image`: the one step that must be done on the main thread.

    Raises:
        WorldTracingError: WT-SCENE-NO-PIXELS where Blender has none (missing or unreadable file, render result),
            WT-IMG-BOMB, WT-MEM-PHOTO.
    """
    width, height = image.size
    if width == 0 or height == 0 or image.source in {"VIEWER", "MOVIE"}:
        raise _no_pixels(image.name)
    if width * height > BOMB_PIXELS:
        raise WorldTracingError(
            "WT-IMG-BOMB",
            f"{image.name} is {width} x {height} pixels, which is more than World Tracing reads.",
            f"Scale it down to at most {BOMB_PIXELS // 1_000_000} megapixels in an image editor.",
        )
    try:
        values = np.empty((height, width, image.channels), np.float32)
        image.pixels.foreach_get(values.reshape(-1))
    except MemoryError as error:
        raise WorldTracingError(
            "WT-MEM-PHOTO",
            f"There is not enough memory to read {image.name} ({width} x {height} pixels).",
            "Close other programs, or scale the picture down in an image editor.",
        ) from error
    to_rec709 = np.linalg.inv(compat.rec709_to_working())
    return RawPixels(image.name, values, image.is_float, _content(image), image.is_dirty, to_rec709)


def load_image(path: str | Path) -> bpy.types.Image:
    """The image data-block of a file, loaded once; one that was loaded before shows what the file holds now.

    Paint that was not saved stays.

    Raises:
        WorldTracingError: WT-IMG-MISSING where there is no such file, WT-SCENE-NO-PIXELS where it is not a picture.
    """
    path = Path(path)
    if not path.is_file():
        raise WorldTracingError("WT-IMG-MISSING", f"There is no photo {path}.", "Check the path.")
    known = set(bpy.data.images)
    image = bpy.data.images.load(str(path.resolve()), check_existing=True)
    if image in known:
        _read_again(image, path)
    if image.size[0] == 0:
        if image not in known:
            bpy.data.images.remove(image)
        raise _no_pixels(path)
    return image


def _read_again(image: bpy.types.Image, path: Path) -> None:
    if image.is_dirty or image.library:
        return
    if image.packed_file:
        try:
            content = path.read_bytes()
        except OSError:  # what was packed is still there
            return
        if content == bytes(image.packed_file.data):
            return
        image.pack(data=content, data_len=len(content))
    image.reload()


def photo_id(image: bpy.types.Image | None) -> str | None:
    """What tells apart photos of the same name: the path of the photo's file, or else the name of Blender's image."""
    if image is None:
        return None
    if SOURCE in image:
        return image[SOURCE]
    return os.path.normpath(bpy.path.abspath(image.filepath, library=image.library)) if image.filepath else image.name


def traced_image(photo: bpy.types.Image) -> bpy.types.Image | None:
    """The image that `photo` is the upright copy of, None where it is gone; `photo` itself where it is no copy."""
    if SOURCE not in photo:
        return photo
    return next((i for i in bpy.data.images if SOURCE not in i and photo_id(i) == photo[SOURCE]), None)


def find_upright(image: bpy.types.Image, sha256: str | None) -> bpy.types.Image | None:
    """The upright copy that an earlier trace of the same photo, with the same content, has made."""
    for copy in bpy.data.images:
        if copy.get(SOURCE) == photo_id(image) and sha256 is not None and copy.get(SOURCE_SHA256) == sha256:
            return copy
    return None


def load_upright(image: bpy.types.Image, file: Path, sha256: str | None) -> bpy.types.Image:
    """A packed copy of `image` from `file`, turned as its EXIF orientation says (Blender shows such photos lying)."""
    copy = bpy.data.images.load(str(file), check_existing=False)
    copy.pack()
    copy.name = fit_name(image.name, " upright")
    copy.filepath_raw = f"//{bpy.path.clean_name(copy.name)}.png"  # where "Unpack" would put it
    copy[SOURCE], copy[SOURCE_SHA256] = photo_id(image), sha256 or ""
    return copy


def remove_unused_upright(image: bpy.types.Image) -> None:
    """Remove upright copies of `image` that no camera shows any more, as the photo has changed since."""
    unused = [copy for copy in bpy.data.images if copy.get(SOURCE) == photo_id(image) and copy.users == 0]
    bpy.data.batch_remove(unused)


def image_from_rgb(name: str, rgb: np.ndarray) -> bpy.types.Image:
    """A packed image of (H, W, 3) uint8 sRGB pixels: the background where the photo is gone."""
    height, width = rgb.shape[:2]
    values = np.ones((height, width, 4), np.float32)
    values[..., :3] = rgb[::-1] / np.float32(255)
    image = bpy.data.images.new(name, width, height)
    image.pixels.foreach_set(values.reshape(-1))
    image.pack()
    return image


def _content(image: bpy.types.Image) -> bytes | Path | None:
    if image.packed_file:
        return bytes(image.packed_file.data)
    if image.source != "FILE" or not image.filepath:
        return None
    return Path(bpy.path.abspath(image.filepath, library=image.library))


def _no_pixels(name: str | Path) -> WorldTracingError:
    return WorldTracingError(
        "WT-SCENE-NO-PIXELS",
        f"Blender has no pixels for the image {str(name)!r}.",
        "Open a PNG, JPEG, WebP, TIFF or EXR file that exists and is a picture.",
    )
