"""Meshes of bare vertices with the attributes of layers: joined, and parts of them."""

from __future__ import annotations

import bpy
import numpy as np

from ..core.names import fit_name
from .attributes import FIELDS, read_attribute, write_attribute
from .points import COLOR, POSITION
from .transaction import Transaction

Attributes = dict[str, tuple[str, np.ndarray]]
"""By name the type and the values, one per vertex."""


def joined_attributes(meshes: list[bpy.types.Mesh]) -> Attributes:
    """The first mesh's point attributes, over the vertices of all; 0 where another has none."""
    joined = {}
    for attribute in meshes[0].attributes:
        if attribute.domain != "POINT" or attribute.data_type not in FIELDS or attribute.name.startswith("."):
            continue  # a dot begins what is Blender's own, as the selection
        first = read_attribute(meshes[0], attribute.name)
        rest = (read_attribute(mesh, attribute.name) for mesh in meshes[1:])
        filled = [
            np.zeros((len(mesh.vertices), *first.shape[1:]), first.dtype) if rows is None else rows
            for mesh, rows in zip(meshes[1:], rest, strict=True)
        ]
        joined[attribute.name] = attribute.data_type, np.concatenate([first, *filled])
    return joined


def new_point_mesh(transaction: Transaction, name: str, values: Attributes) -> bpy.types.Mesh:
    """A new mesh of as many vertices as `values` has."""
    mesh = transaction.made(bpy.data.meshes.new(fit_name(name)))
    mesh.vertices.add(len(values[POSITION][1]))
    for attribute, (kind, rows) in values.items():
        write_attribute(mesh, attribute, kind, rows)
    mesh.color_attributes.active_color = mesh.color_attributes[COLOR]
    mesh.update()
    return mesh


def chosen(values: Attributes, which: np.ndarray, offset: np.ndarray | float = 0.0) -> Attributes:
    """The vertices `which` (N,) bool alone, moved by `offset`."""
    part = {name: (kind, rows[which]) for name, (kind, rows) in values.items()}
    part[POSITION] = part[POSITION][0], (part[POSITION][1] + offset).astype(np.float32)
    return part
