"""Layers as a multilayer OpenEXR file; described in `docs/file_format.md`."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np

from ..extras import need
from ..files import replacing
from ..srgb import srgb_to_linear
from ..world import LayeredWorld


def export_exr(world: LayeredWorld, path: str | Path) -> Path:
    """Write the photo, and colour, depth and points of every layer, at the traced resolution.

    Channels, named as Blender and Nuke split layers and passes: R, G, B (half, scene-linear photo), and per layer n
    Ln.Combined.R, G, B, A (half, the photo where the layer is valid, alpha 0 or 1), Ln.Depth.Z, Ln.P.X, Y, Z (float,
    OpenCV camera frame) and, where the world has one, Ln.Confidence.V (half). All are 0 where not valid.

    Raises:
        WorldTracingError: WT-ENV-PACKAGE without the OpenEXR package, WT-IO-WRITE, WT-IO-FULL.
    """
    OpenEXR = need("OpenEXR", "image", "write OpenEXR files")
    header = {
        "type": OpenEXR.scanlineimage,
        "compression": OpenEXR.ZIP_COMPRESSION,
        "comments": "World Tracing: OpenCV camera frame, x right, y down, z forward, the camera at the origin",
        "worldtracing": json.dumps({"K": world.K.tolist(), "scale": world.scale, **world.metadata}),
    }
    file = OpenEXR.File(header, {name: np.ascontiguousarray(plane) for name, plane in _channels(world).items()})
    with replacing(path) as temporary:
        try:
            file.write(str(temporary))
        except RuntimeError as error:  # OpenEXR keeps only the words of the system's error
            full = "No space left" in str(error)
            raise OSError(errno.ENOSPC if full else errno.EIO, str(error)) from error
    return Path(path)


def _channels(world: LayeredWorld) -> dict[str, np.ndarray]:
    light = srgb_to_linear(world.rgb).astype(np.float16)
    channels = {name: light[..., i] for i, name in enumerate("RGB")}
    for layer in range(world.layers):
        valid = world.valid[layer]
        channels |= {f"L{layer}.Combined.{name}": light[..., i] * valid for i, name in enumerate("RGB")}
        channels[f"L{layer}.Combined.A"] = valid.astype(np.float16)
        points = np.where(valid[..., None], world.points[layer], np.float32(0))
        channels |= {f"L{layer}.P.{axis}": points[..., i] for i, axis in enumerate("XYZ")}
        channels[f"L{layer}.Depth.Z"] = points[..., 2]
        if world.confidence is not None:
            channels[f"L{layer}.Confidence.V"] = np.where(valid, world.confidence[layer], 0).astype(np.float16)
    return channels
