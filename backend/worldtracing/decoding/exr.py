"""OpenEXR files: scene-linear light to sRGB, straight alpha."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import WorldTracingError
from ..extras import need
from ..srgb import linear_to_srgb, to_bytes
from .common import Decoded, check_finite, check_size, damaged

SIGNATURE = b"\x76\x2f\x31\x01"


def decode_exr(path: Path) -> Decoded:
    """The colour channels of the first part that has any: R, G, B or Y, else those of the first layer with R, G, B.

    Alpha is premultiplied in OpenEXR and comes back straight. The picture is the display window; what the data
    window does not cover is black and transparent.

    Raises:
        WorldTracingError: WT-ENV-PACKAGE without the OpenEXR package, WT-IMG-BOMB, WT-IMG-DAMAGED, WT-IMG-NAN,
            WT-IMG-CHANNELS when no colour is in it.
    """
    OpenEXR = need("OpenEXR", "image", "read OpenEXR files")
    try:
        for part in OpenEXR.File(str(path), header_only=True).parts:
            for window in ("dataWindow", "displayWindow"):
                check_size(path, *_size(part.header[window]))
        parts = OpenEXR.File(str(path), separate_channels=True).parts
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        raise damaged(path, error) from error
    if not parts:  # OpenEXR 3.5 says nothing of a file cut short in its header
        raise damaged(path, ValueError("it has no parts"))
    for part in parts:
        names = _colour_channels(part.channels.keys())
        if names:
            return _decode_part(path, part, names)
    raise WorldTracingError(
        "WT-IMG-CHANNELS",
        f"{path.name} has no color channels, only {', '.join(sorted(parts[0].channels)) or 'none'}.",
        "Export it with R, G and B, or with Y.",
    )


def _decode_part(path: Path, part, names: list[str]) -> Decoded:
    pixels = {name: part.channels[name].pixels for name in names}
    prefix = names[0].rpartition(".")[0]
    alpha_name = f"{prefix}.A" if prefix else "A"
    alpha = part.channels[alpha_name].pixels if alpha_name in part.channels else None
    planes = [*pixels.values(), *([alpha] if alpha is not None else [])]
    if len({plane.shape for plane in planes}) > 1:
        raise damaged(path, ValueError("its color channels have different sizes"))
    light = np.stack([pixels[names[i % len(names)]] for i in range(3)], -1).astype(np.float32)
    check_finite(path, light)
    if alpha is not None:
        alpha = alpha.astype(np.float32)
        check_finite(path, alpha)
        light = np.divide(light, alpha[..., None], out=light, where=alpha[..., None] > 0)
        alpha = to_bytes(np.clip(alpha, 0, 1))
    rgb = to_bytes(linear_to_srgb(light))
    rgb, alpha = _in_display_window(part.header, rgb, alpha)
    return Decoded(rgb, alpha, (rgb.shape[1], rgb.shape[0]))


def _colour_channels(names) -> list[str]:
    """The channels to use: R, G, B; else Y; else "layer.R" and so on of the first layer, Blender's Combined first."""
    if {"R", "G", "B"} <= set(names):
        return ["R", "G", "B"]
    if "Y" in names:
        return ["Y"]
    layers = [name[:-2] for name in names if name.endswith(".R")]
    for layer in sorted(layers, key=lambda layer: (not layer.endswith("Combined"), layer)):
        found = [f"{layer}.{channel}" for channel in "RGB"]
        if set(found) <= set(names):
            return found
    return []


def _size(window) -> tuple[int, int]:
    (left, top), (right, bottom) = window
    return int(right) - int(left) + 1, int(bottom) - int(top) + 1


def _in_display_window(header: dict, rgb: np.ndarray, alpha: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Move what was stored, the data window, to where it is in the picture, the display window."""
    width, height = _size(header["displayWindow"])
    x, y = (int(v) for v in np.subtract(header["dataWindow"][0], header["displayWindow"][0]))
    if (x, y) == (0, 0) and rgb.shape[:2] == (height, width):
        return rgb, alpha
    if alpha is None:
        alpha = np.full(rgb.shape[:2], 255, np.uint8)
    stored = np.dstack([rgb, alpha])
    picture = np.zeros((height, width, 4), np.uint8)
    top, left = max(y, 0), max(x, 0)
    inside = stored[max(-y, 0) : max(height - y, 0), max(-x, 0) : max(width - x, 0)]
    picture[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return np.ascontiguousarray(picture[..., :3]), np.ascontiguousarray(picture[..., 3])
