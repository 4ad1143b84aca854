"""Pixels of a Blender image, as the photo that the worker traces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.srgb import linear_to_srgb, to_bytes
from ..core.exif import Exif, parse_exif, read_exif, upright


@dataclass(frozen=True, eq=False)
class RawPixels:
    """What Blender holds of an image: copied on the main thread, converted on any.

    Attributes:
        values: (H, W, C) float32, rows from the bottom as Blender stores them; scene-linear where `is_float`.
        is_float: whether the file is a float format (EXR, HDR, float TIFF).
        exif: of the file, where there is one.
    """

    values: np.ndarray
    is_float: bool
    exif: Exif

    def to_photo(self) -> tuple[np.ndarray, np.ndarray | None]:
        """rgb (H, W, 3) uint8 sRGB with rows from the top, turned upright; alpha (H, W) uint8, or None if opaque."""
        values = upright(self.values[::-1], self.exif.orientation)
        alpha = values[..., 3] if values.shape[-1] == 4 else None
        rgb = values[..., :3] if values.shape[-1] >= 3 else np.repeat(values[..., :1], 3, -1)
        if self.is_float:
            _check_finite(values)
            if alpha is not None:  # Blender premultiplies float images
                rgb = rgb / np.maximum(alpha, 1e-6)[..., None]
            rgb = linear_to_srgb(rgb)
        opaque = alpha is None or bool((alpha >= 1).all())
        return to_bytes(rgb.clip(0, 1)), None if opaque else to_bytes(alpha.clip(0, 1))


def read_pixels(image: bpy.types.Image) -> RawPixels:
    """Copy the pixels of `image`.

    Raises:
        WorldTracingError: WT-SCENE-NO-PIXELS where Blender has none (missing or unreadable file, render result).
    """
    width, height = image.size
    if width == 0 or height == 0 or image.source in {"VIEWER", "MOVIE"}:
        raise WorldTracingError(
            "WT-SCENE-NO-PIXELS",
            f"Blender has no pixels for the image {image.name!r}.",
            "Open a PNG, JPEG, WebP, TIFF or EXR file that exists and is a picture.",
        )
    values = np.empty((height, width, image.channels), np.float32)
    image.pixels.foreach_get(values.reshape(-1))
    return RawPixels(values, image.is_float, _exif_of(image))


def load_image(path: str | Path) -> bpy.types.Image:
    """The image data-block of a file, loaded once.

    Raises:
        WorldTracingError: WT-IMG-MISSING where there is no such file, WT-SCENE-NO-PIXELS where it is not a picture.
    """
    path = Path(path)
    if not path.is_file():
        raise WorldTracingError("WT-IMG-MISSING", f"There is no photo {path}.", "Check the path.")
    known = set(bpy.data.images)
    image = bpy.data.images.load(str(path.resolve()), check_existing=True)
    if image.size[0] == 0:
        if image not in known:
            bpy.data.images.remove(image)
        raise WorldTracingError(
            "WT-SCENE-NO-PIXELS",
            f"{path} is not a picture that Blender can read.",
            "Open a PNG, JPEG, WebP, TIFF or EXR file.",
        )
    return image


def upright_image(image: bpy.types.Image) -> bpy.types.Image:
    """`image` itself, or a packed copy turned as its EXIF orientation says (Blender shows such photos lying)."""
    orientation = _exif_of(image).orientation
    if orientation == 1:
        return image
    name = f"{image.name} upright"
    existing = bpy.data.images.get(name)
    if existing is not None:
        return existing
    raw = read_pixels(image)
    values = np.ascontiguousarray(upright(raw.values[::-1], orientation)[::-1])
    turned = bpy.data.images.new(name, values.shape[1], values.shape[0], alpha=raw.values.shape[-1] == 4)
    turned.pixels.foreach_set(values.reshape(-1))
    turned.pack()
    return turned


def image_from_rgb(name: str, rgb: np.ndarray) -> bpy.types.Image:
    """A packed image of (H, W, 3) uint8 sRGB pixels: the background where the photo is gone."""
    height, width = rgb.shape[:2]
    values = np.ones((height, width, 4), np.float32)
    values[..., :3] = rgb[::-1] / np.float32(255)
    image = bpy.data.images.new(name, width, height)
    image.pixels.foreach_set(values.reshape(-1))
    image.pack()
    return image


def _exif_of(image: bpy.types.Image) -> Exif:
    if image.packed_file:
        return parse_exif(image.packed_file.data)
    if image.source != "FILE" or not image.filepath:
        return Exif()
    return read_exif(bpy.path.abspath(image.filepath, library=image.library))


def _check_finite(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise WorldTracingError(
            "WT-IMG-NAN",
            "The picture holds pixels that are not numbers (NaN or infinity).",
            "Repair them in the program that wrote the file, or save the picture as PNG.",
        )
