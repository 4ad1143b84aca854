"""Reads the textured mesh out of a GLB file (binary glTF 2.0), as mesh generators write them; numpy and Pillow."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...errors import WorldTracingError
from ...extras import need
from ...srgb import linear_to_srgb, srgb_to_linear, to_bytes
from .generated import GeneratedMesh, unusable

JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942
COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
TRIANGLES = 4
MAX_PIXELS = 8192 * 8192
PICTURES = ("PNG", "JPEG", "WEBP")


def read_glb(content: bytes) -> GeneratedMesh:
    """All triangles of the default scene that share the texture, node transforms applied, in glTF's axes.

    Args:
        content: of the file. It is not trusted: anything amiss is an error, never a crash.

    Raises:
        WorldTracingError: WT-MESH-RESULT, WT-ENV-PACKAGE without Pillow.
    """
    try:
        return _Reader(content).mesh()
    except WorldTracingError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, struct.error, OSError, RecursionError) as error:
        raise unusable(f"its GLB file is damaged ({type(error).__name__}: {error}).") from error


class _Part(NamedTuple):
    """One primitive in the scene: its vertices, faces, texture coordinates of each vertex, and material."""

    vertices: np.ndarray
    faces: np.ndarray
    uvs: np.ndarray | None
    material: int | None


class _Reader:
    def __init__(self, content: bytes) -> None:
        magic, version, length = struct.unpack_from("<4sII", content)
        if magic != b"glTF" or version != 2 or length > len(content):
            raise unusable("it is no GLB file, or one that is cut short.")
        chunks, at = {}, 12
        while at + 8 <= length:
            size, kind = struct.unpack_from("<II", content, at)
            chunks.setdefault(kind, content[at + 8 : at + 8 + size])
            at += 8 + size
        self.gltf = json.loads(chunks[JSON_CHUNK])
        self.binary = chunks.get(BINARY_CHUNK, b"")

    def mesh(self) -> GeneratedMesh:
        parts = [part for part in self._parts() if len(part.faces)]
        textured = [part for part in parts if part.uvs is not None and self._has_texture(part.material)]
        if not textured:
            raise unusable("it has no texture." if parts else "it has no triangles.")
        materials = {part.material for part in textured}
        if len(materials) > 1:
            raise unusable(f"it has {len(materials)} materials with textures, and one mesh here has one.")
        offsets = np.cumsum([0, *(len(part.vertices) for part in textured)])
        faces = [part.faces + offset for part, offset in zip(textured, offsets[:-1], strict=True)]
        uvs = np.concatenate([part.uvs[part.faces] for part in textured])
        # glTF counts v from the picture's top; TexturedMesh, as Blender, from its bottom.
        uvs = np.stack([uvs[..., 0], 1 - uvs[..., 1]], -1)
        return GeneratedMesh(
            np.concatenate([part.vertices for part in textured]).astype(np.float32),
            np.concatenate(faces).astype(np.int32),
            uvs.astype(np.float32),
            **self._textures(materials.pop()),
        )

    def _parts(self) -> Iterator[_Part]:
        scene = self.gltf["scenes"][self.gltf.get("scene", 0)]
        for node, transform in self._nodes(scene["nodes"], np.eye(4), 0):
            if "mesh" not in node:
                continue
            for primitive in self.gltf["meshes"][node["mesh"]]["primitives"]:
                if primitive.get("mode", TRIANGLES) != TRIANGLES:
                    continue
                vertices = self._accessor(primitive["attributes"]["POSITION"]).astype(np.float64)
                vertices = vertices @ transform[:3, :3].T + transform[:3, 3]
                indices = primitive.get("indices")
                order = np.arange(len(vertices)) if indices is None else self._accessor(indices)[:, 0]
                faces = order.astype(np.int64).reshape(-1, 3)
                if len(faces) and faces.max() >= len(vertices):
                    raise unusable("its faces name vertices that do not exist.")
                if np.linalg.det(transform[:3, :3]) < 0:
                    faces = faces[:, ::-1]
                yield _Part(vertices, faces, self._texture_coordinates(primitive), primitive.get("material"))

    def _texture_coordinates(self, primitive: dict) -> np.ndarray | None:
        index = primitive["attributes"].get("TEXCOORD_0")
        if index is None:
            return None
        uv = self._accessor(index)
        return uv if uv.dtype.kind == "f" else uv / np.iinfo(uv.dtype).max

    def _nodes(self, indices: list[int], above: np.ndarray, depth: int) -> Iterator[tuple[dict, np.ndarray]]:
        if depth > 100:
            raise unusable("its nodes are nested without end.")
        for index in indices:
            node = self.gltf["nodes"][index]
            transform = above @ _matrix(node)
            yield node, transform
            yield from self._nodes(node.get("children", []), transform, depth + 1)

    def _accessor(self, index: int) -> np.ndarray:
        """(count, width) values."""
        accessor = self.gltf["accessors"][index]
        if "sparse" in accessor:
            raise unusable("it holds sparse accessors.")
        view = self.gltf["bufferViews"][accessor["bufferView"]]
        dtype, width, count = (
            np.dtype(COMPONENTS[accessor["componentType"]]),
            WIDTHS[accessor["type"]],
            accessor["count"],
        )
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        stride = view.get("byteStride", dtype.itemsize * width)
        last = start + (count - 1) * stride + dtype.itemsize * width
        if min(start, count - 1) < 0 or stride < dtype.itemsize * width or last > len(self.binary):
            raise unusable("its data are cut short.")
        strides = (stride, dtype.itemsize)
        return np.ndarray((count, width), dtype, self.binary, start, strides)

    def _has_texture(self, material: int | None) -> bool:
        return material is not None and "baseColorTexture" in self._pbr(material)

    def _pbr(self, material: int) -> dict:
        return self.gltf["materials"][material].get("pbrMetallicRoughness", {})

    def _textures(self, material: int) -> dict[str, np.ndarray]:
        pbr = self._pbr(material)
        maps = {"base_color": self._base_color(pbr, self.gltf["materials"][material])}
        packed = None
        if "metallicRoughnessTexture" in pbr:
            packed = self._picture(pbr["metallicRoughnessTexture"], "RGB")
        for name, channel in (("roughness", 1), ("metallic", 2)):
            factor = pbr.get(f"{name}Factor")
            if packed is not None:
                maps[name] = _scaled(packed[..., channel], 1.0 if factor is None else factor)
            elif factor is not None:  # else glTF says 1: a mirror, which whoever wrote just a photo did not mean
                maps[name] = _scaled(np.full((1, 1), 255), factor)
        normal = self.gltf["materials"][material].get("normalTexture")
        if normal is not None:
            maps["normal"] = self._picture(normal, "RGB")
        return maps

    def _base_color(self, pbr: dict, material: dict) -> np.ndarray:
        """(H, W, 4) uint8 sRGB; its alpha counts where the material says so, and is 255 elsewhere."""
        color = self._picture(pbr["baseColorTexture"], "RGBA")
        mode, factor = material.get("alphaMode", "OPAQUE"), np.array(pbr.get("baseColorFactor", [1, 1, 1, 1]), float)
        if (factor[:3] != 1).any():
            color[..., :3] = to_bytes(linear_to_srgb(srgb_to_linear(color[..., :3]) * factor[:3]))
        alpha = _scaled(color[..., 3], factor[3])
        if mode == "MASK":
            alpha = np.where(alpha >= 255 * material.get("alphaCutoff", 0.5), 255, 0)
        color[..., 3] = 255 if mode == "OPAQUE" else alpha
        return color

    def _picture(self, reference: dict, mode: str) -> np.ndarray:
        texture = self.gltf["textures"][reference["index"]]
        source = texture.get("extensions", {}).get("EXT_texture_webp", texture)["source"]
        view = self.gltf["bufferViews"][self.gltf["images"][source]["bufferView"]]
        start = view.get("byteOffset", 0)
        Image = need("PIL.Image", "image", "read the texture of the generated mesh")
        with Image.open(io.BytesIO(self.binary[start : start + view["byteLength"]]), formats=PICTURES) as image:
            if image.width * image.height > MAX_PIXELS:
                raise unusable(f"its texture claims {image.width} x {image.height} pixels.")
            return np.array(image.convert(mode), np.uint8)


def _matrix(node: dict) -> np.ndarray:
    """(4, 4) transform of a node: its matrix, or translation, rotation (x, y, z, w) and scale."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = node.get("rotation", [0, 0, 0, 1])
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array(node.get("scale", [1, 1, 1]), np.float64)
    matrix[:3, 3] = node.get("translation", [0, 0, 0])
    return matrix


def _scaled(values: np.ndarray, factor: float) -> np.ndarray:
    return np.clip(np.rint(values * float(factor)), 0, 255).astype(np.uint8)
