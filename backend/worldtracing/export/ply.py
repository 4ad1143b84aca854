"""Point clouds as binary PLY; described in `docs/file_format.md`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..files import write_atomically
from ..world import LayeredWorld

PLY_TYPES = {"f4": "float", "u1": "uchar"}


def export_ply(world: LayeredWorld, path: str | Path, layers: Sequence[int] | None = None) -> Path:
    """Write the valid points, layer by layer and in row-major pixel order, as little-endian binary PLY.

    Vertices have x, y, z in the world's own frame (OpenCV camera: x right, y down, z forward), red, green, blue of
    the pixel in sRGB, the layer's number, and confidence where the world has one.

    Args:
        layers: which layers to write; all by default.

    Raises:
        WorldTracingError: WT-IO-WRITE, WT-IO-FULL.
    """
    fields = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1"), ("layer", "u1")]
    if world.confidence is not None:
        fields.append(("confidence", "<f4"))
    chosen = range(world.layers) if layers is None else layers
    vertices = np.concatenate([np.empty(0, fields), *(_layer_vertices(world, layer, fields) for layer in chosen)])
    header = [
        "ply",
        "format binary_little_endian 1.0",
        "comment World Tracing: OpenCV camera frame, x right, y down, z forward, the camera at the origin",
        f"comment units: {'meters' if world.scale == 'metric' else 'relative'}",
        f"element vertex {len(vertices)}",
        *(f"property {PLY_TYPES[kind[-2:]]} {name}" for name, kind in fields),
        "end_header\n",
    ]
    return write_atomically(path, "\n".join(header).encode("ascii") + vertices.tobytes())


def _layer_vertices(world: LayeredWorld, layer: int, fields: list[tuple[str, str]]) -> np.ndarray:
    valid = world.valid[layer]
    points, colours = world.points[layer][valid], world.rgb[valid]
    vertices = np.empty(len(points), fields)
    for axis, name in enumerate("xyz"):
        vertices[name] = points[:, axis]
    for channel, name in enumerate(("red", "green", "blue")):
        vertices[name] = colours[:, channel]
    vertices["layer"] = layer
    if world.confidence is not None:
        vertices["confidence"] = world.confidence[layer][valid]
    return vertices
