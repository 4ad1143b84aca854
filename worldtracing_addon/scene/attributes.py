"""Reading and writing mesh attributes in bulk."""

from __future__ import annotations

import bpy
import numpy as np

FIELDS = {
    "FLOAT_VECTOR": ("vector", 3, np.float32),
    "FLOAT2": ("vector", 2, np.float32),
    "FLOAT_COLOR": ("color", 4, np.float32),
    "FLOAT": ("value", 1, np.float32),
    "INT": ("value", 1, np.int32),
    "BOOLEAN": ("value", 1, bool),
}


def read_attribute(mesh: bpy.types.Mesh, name: str) -> np.ndarray | None:
    """The values of a point attribute, (N,) or (N, width); None where the mesh has no such attribute."""
    attribute = mesh.attributes.get(name)
    if attribute is None:
        return None
    field, width, dtype = FIELDS[attribute.data_type]
    values = np.empty(len(attribute.data) * width, dtype)
    attribute.data.foreach_get(field, values)
    return values.reshape(-1, width) if width > 1 else values


def write_attribute(mesh: bpy.types.Mesh, name: str, kind: str, values: np.ndarray) -> None:
    """Set a point attribute of the type `kind`, made where the mesh has none."""
    attribute = mesh.attributes.get(name) or mesh.attributes.new(name, kind, "POINT")
    field, _, dtype = FIELDS[kind]
    attribute.data.foreach_set(field, np.ascontiguousarray(values, dtype).reshape(-1))
