"""The parts of trimesh that the runners touch."""

import numpy as np
from PIL import Image


class Material:
    def __init__(self, base_color, packed):
        self.baseColorTexture, self.metallicRoughnessTexture, self.alphaMode = base_color, packed, "OPAQUE"


class Visuals:
    def __init__(self, uv, material):
        self.uv, self.material = uv, material


class Trimesh:
    def __init__(self, vertices, faces, process=True):
        self.vertices, self.faces = np.asarray(vertices, np.float64), np.asarray(faces)
        self.visual = None


def painted(vertices, faces, size):
    """A mesh with texture coordinates and a PBR material, of the size asked for, all of one color."""
    mesh = Trimesh(vertices, faces)
    uv = np.random.default_rng(0).random((len(vertices), 2))
    base = Image.new("RGBA", (size, size), (200, 100, 50, 251))  # as baking leaves it at the rims of charts
    mesh.visual = Visuals(uv, Material(base, Image.new("RGB", (size, size), (0, 140, 20))))
    return mesh
