"""Small GLB files, written by hand."""

import json
import struct

import numpy as np

from worldtracing.export.png import png_bytes

COMPONENT = {"float32": 5126, "uint32": 5125, "uint16": 5123, "uint8": 5121}
TYPE = {1: "SCALAR", 2: "VEC2", 3: "VEC3"}


def glb(vertices, faces, uv=None, base=None, packed=None, node=None, change=None, index_type=np.uint32):
    """A GLB of one mesh.

    Args:
        uv: (V, 2), counted from the picture's top.
        base, packed: pictures of the base color, and of roughness and metallic.
        node: properties of the mesh's node.
        change: called with the JSON before it is written.
    """
    gltf = {"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0, **(node or {})}]}
    gltf |= {"accessors": [], "bufferViews": [], "images": [], "textures": [], "materials": [{}]}
    binary = bytearray()

    def view(content):
        binary.extend(b"\0" * (-len(binary) % 4))
        gltf["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(content)})
        binary.extend(content)
        return len(gltf["bufferViews"]) - 1

    def accessor(values):
        kind = TYPE[values.shape[1] if values.ndim == 2 else 1]
        entry = {"bufferView": view(values.tobytes()), "componentType": COMPONENT[str(values.dtype)]}
        gltf["accessors"].append(entry | {"count": len(values), "type": kind})
        return len(gltf["accessors"]) - 1

    def texture(picture):
        gltf["images"].append({"bufferView": view(png_bytes(picture)), "mimeType": "image/png"})
        gltf["textures"].append({"source": len(gltf["images"]) - 1})
        return {"index": len(gltf["textures"]) - 1}

    attributes = {"POSITION": accessor(np.asarray(vertices, np.float32))}
    if uv is not None:
        attributes["TEXCOORD_0"] = accessor(np.asarray(uv, np.float32))
    indices = accessor(np.asarray(faces).reshape(-1).astype(index_type))
    gltf["meshes"] = [{"primitives": [{"attributes": attributes, "indices": indices, "material": 0}]}]
    pbr = {}
    if base is not None:
        pbr["baseColorTexture"] = texture(base)
    if packed is not None:
        pbr |= {"metallicRoughnessTexture": texture(packed), "metallicFactor": 1.0, "roughnessFactor": 0.5}
    gltf["materials"][0]["pbrMetallicRoughness"] = pbr
    gltf["buffers"] = [{"byteLength": len(binary)}]
    if change:
        change(gltf)
    text = json.dumps(gltf).encode()
    text += b" " * (-len(text) % 4)
    binary.extend(b"\0" * (-len(binary) % 4))
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def painted_glb(vertices, faces, color=(200, 100, 50)):
    """A GLB of a mesh with texture coordinates and base color, roughness and metallic."""
    uv = np.random.default_rng(0).random((len(vertices), 2))
    base = np.full((4, 4, 3), color, np.uint8)
    packed = np.full((4, 4, 3), (0, 200, 30), np.uint8)
    return glb(vertices, faces, uv, base, packed)
