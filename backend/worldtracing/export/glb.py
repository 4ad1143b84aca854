"""Textured meshes as binary glTF 2.0; described in `docs/file_format.md`.

Written here, as it is a header and a few arrays: libraries for glTF want a picture library for the textures, which
Blender's own Python does not have, and this way the axes, the seams and the color spaces are the ones of our meshes.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from ..files import write_atomically
from ..meshing.smoothing import vertex_normals
from ..meshing.textured import TexturedMesh
from .png import png_bytes

CAMERA_TO_GLTF = np.array([1, -1, -1], np.float32)
"""OpenCV's axes (y down, z forward) to glTF's (y up, z backward): a half turn about x, so triangles keep their side."""

FLOAT, UNSIGNED_INT = 5126, 5125
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963

PLAIN_ROUGHNESS = 0.7
"""Of meshes that have no roughness of their own."""


def export_glb(mesh: TexturedMesh, path: str | Path, name: str = "World Tracing mesh") -> Path:
    """Write a mesh with its textures as one .glb file.

    Units are metres (those of the world), y is up, the photo's camera stands at the origin and looks along -z.

    Raises:
        WorldTracingError: WT-IO-WRITE, WT-IO-FULL.
    """
    buffers = _Buffers()
    positions, normals, uvs, triangles = _corners_joined(mesh)
    extent = {"min": positions.min(0).tolist(), "max": positions.max(0).tolist()}
    primitive = {
        "attributes": {
            "POSITION": buffers.accessor(positions, "VEC3", ARRAY_BUFFER, extent),
            "NORMAL": buffers.accessor(normals, "VEC3", ARRAY_BUFFER),
            "TEXCOORD_0": buffers.accessor(uvs, "VEC2", ARRAY_BUFFER),
        },
        "indices": buffers.accessor(triangles.reshape(-1), "SCALAR", ELEMENT_ARRAY_BUFFER),
        "material": 0,
    }
    material, images = _material(mesh)
    document = {
        "asset": {"version": "2.0", "generator": "World Tracing"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [{"name": name, "primitives": [primitive]}],
        "materials": [{"name": name, **material}],
        "textures": [{"source": number} for number in range(len(images))],
        "images": [{"mimeType": "image/png", "bufferView": buffers.view(png_bytes(image))} for image in images],
        "accessors": buffers.accessors,
        "bufferViews": buffers.views,
        "buffers": [{"byteLength": len(buffers.content)}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    chunks = _chunk(b"JSON", text, b" ") + _chunk(b"BIN\0", bytes(buffers.content), b"\0")
    return write_atomically(path, struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


def _chunk(kind: bytes, content: bytes, filler: bytes) -> bytes:
    content += filler * (-len(content) % 4)
    return struct.pack("<I4s", len(content), kind) + content


def _corners_joined(mesh: TexturedMesh) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Positions, normals and texture coordinates with one vertex for each pair of place and texel, and triangles."""
    corner = np.empty(mesh.faces.size, [("vertex", "<i4"), ("u", "<f4"), ("v", "<f4")])
    corner["vertex"] = mesh.faces.reshape(-1)
    corner["u"], corner["v"] = mesh.uvs.reshape(-1, 2).T
    joined, index = np.unique(corner, return_inverse=True)
    normals = vertex_normals(mesh.vertices, mesh.faces)
    normals[~normals.any(1)] = (0, 0, -1)  # glTF wants unit vectors
    vertex = joined["vertex"]
    uvs = np.stack([joined["u"], 1 - joined["v"]], 1)  # glTF counts v from the top
    triangles = index.reshape(-1, 3).astype(np.uint32)
    return mesh.vertices[vertex] * CAMERA_TO_GLTF, normals[vertex] * CAMERA_TO_GLTF, uvs, triangles


def _material(mesh: TexturedMesh) -> tuple[dict, list[np.ndarray]]:
    """A metallic-roughness material, and the pictures that it uses by number."""
    images = [mesh.base_color]
    surface = {"baseColorTexture": {"index": 0}, "metallicFactor": 0, "roughnessFactor": PLAIN_ROUGHNESS}
    if mesh.metallic is not None or mesh.roughness is not None:
        metallic = mesh.metallic if mesh.metallic is not None else np.zeros_like(mesh.roughness)
        rough = mesh.roughness if mesh.roughness is not None else np.full_like(metallic, round(255 * PLAIN_ROUGHNESS))
        surface |= {"metallicRoughnessTexture": {"index": len(images)}, "metallicFactor": 1, "roughnessFactor": 1}
        images.append(np.stack([np.zeros_like(rough), rough, metallic], -1))
    material = {"pbrMetallicRoughness": surface}
    if (mesh.base_color[..., 3] < 255).any():
        material["alphaMode"] = "BLEND"
    if mesh.normal is not None:
        material["normalTexture"] = {"index": len(images)}
        images.append(mesh.normal)
    return material, images


class _Buffers:
    """The binary part of the file, and the lists that say what is where in it."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict] = []
        self.accessors: list[dict] = []

    def view(self, content: bytes, target: int | None = None) -> int:
        self.content += bytes(-len(self.content) % 4)
        entry = {"buffer": 0, "byteOffset": len(self.content), "byteLength": len(content)}
        self.views.append(entry | ({"target": target} if target else {}))
        self.content += content
        return len(self.views) - 1

    def accessor(self, values: np.ndarray, kind: str, target: int, extent: dict | None = None) -> int:
        component = UNSIGNED_INT if values.dtype == np.uint32 else FLOAT
        values = np.ascontiguousarray(values, np.uint32 if component == UNSIGNED_INT else np.float32)
        entry = {"bufferView": self.view(values.tobytes(), target), "componentType": component}
        self.accessors.append(entry | {"count": len(values), "type": kind} | (extent or {}))
        return len(self.accessors) - 1
