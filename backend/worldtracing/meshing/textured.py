"""TexturedMesh, what every generator returns, and its file; `docs/file_format.md` describes the latter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ..tensors import TensorFormat

FORMAT = TensorFormat(
    name="worldtracing.textured-mesh",
    version=1,
    noun="a World Tracing mesh",
    fix="Choose a .safetensors file that `worldtracing mesh` has written.",
)


@dataclass(frozen=True, eq=False)
class TexturedMesh:
    """Triangles with one texture set, in the frame and units of the world that they were made from.

    Texture coordinates have u right and v up, as in Blender: the texel in row r and column c of an H x W picture has
    its center at ((c + 0.5) / W, 1 - (r + 0.5) / H).

    Attributes:
        vertices: (V, 3) float32, OpenCV camera frame (x right, y down, z forward); metres if the world is metric.
        faces: (F, 3) int32, counter-clockwise seen from outside.
        uvs: (F, 3, 2) float32, of each face's three corners, within 0 to 1.
        base_color: (H, W, 4) uint8 sRGB with straight alpha.
        metallic, roughness: (H, W) uint8, linear, 255 for 1; or None.
        normal: (H, W, 3) uint8 tangent-space normals, y up as in OpenGL, glTF and Blender; or None.
        metadata: JSON values: generator, options, watertight, seconds, notes (list of texts), ...
    """

    vertices: np.ndarray
    faces: np.ndarray
    uvs: np.ndarray
    base_color: np.ndarray
    metallic: np.ndarray | None = None
    roughness: np.ndarray | None = None
    normal: np.ndarray | None = None
    metadata: Mapping = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "metadata", MappingProxyType(FORMAT.json_object(self.metadata)))
        _check(self)
        for array in self.tensors().values():
            array.flags.writeable = False

    def tensors(self) -> dict[str, np.ndarray]:
        """The arrays by name, those that are None left out."""
        names = ("vertices", "faces", "uvs", "base_color", "metallic", "roughness", "normal")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def save(self, path: str | Path) -> Path:
        """Write the versioned .safetensors file; an existing one is replaced only when all is written.

        Raises:
            WorldTracingError: WT-IO-WRITE, WT-IO-FULL.
        """
        return FORMAT.write(path, self.tensors(), {"metadata": json.dumps(dict(self.metadata), sort_keys=True)})

    @classmethod
    def load(cls, path: str | Path) -> TexturedMesh:
        """Read a file written by `save`.

        Raises:
            WorldTracingError: WT-IO-READ, WT-IO-TRUNCATED, WT-IO-FOREIGN, WT-IO-NEWER, WT-IO-INVALID.
        """
        tensors, header = FORMAT.read(path)
        missing = {"vertices", "faces", "uvs", "base_color"} - tensors.keys() | {"metadata"} - header.keys()
        if missing:
            raise FORMAT.invalid(f"{path} lacks {', '.join(sorted(missing))}.")
        known = {name: tensors[name] for name in cls.__dataclass_fields__ if name in tensors}
        return cls(**known, metadata=FORMAT.json_object(header["metadata"]))


def _check(mesh: TexturedMesh) -> None:
    """Raise for what no reader could use."""
    count = len(mesh.faces) if mesh.faces.ndim else 0
    expected = {
        "vertices": ((None, 3), np.float32),
        "faces": ((None, 3), np.int32),
        "uvs": ((count, 3, 2), np.float32),
        "base_color": ((None, None, 4), np.uint8),
        "metallic": ((None, None), np.uint8),
        "roughness": ((None, None), np.uint8),
        "normal": ((None, None, 3), np.uint8),
    }
    for name, array in mesh.tensors().items():
        shape, dtype = expected[name]
        fits = array.ndim == len(shape) and all(
            want in (None, have) for want, have in zip(shape, array.shape, strict=True)
        )
        if not fits or array.dtype != dtype or 0 in array.shape:
            wanted = " x ".join("any" if size is None else str(size) for size in shape)
            raise FORMAT.invalid(
                f"{name} is {array.shape} {array.dtype}; it must be {wanted} {np.dtype(dtype)}, not empty."
            )
    if not np.isfinite(mesh.vertices).all() or not np.isfinite(mesh.uvs).all():
        raise FORMAT.invalid("vertices and texture coordinates must be finite.")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise FORMAT.invalid("faces must name existing vertices.")
    if mesh.uvs.min() < 0 or mesh.uvs.max() > 1:
        raise FORMAT.invalid("texture coordinates must lie between 0 and 1.")
