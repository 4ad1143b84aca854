"""The two materials that all worlds of a file share."""

from __future__ import annotations

import bpy

from .. import compat
from .points import COLOR
from .transaction import Transaction

VERSION = 1
UNLIT, LIT = "World Tracing Unlit", "World Tracing Lit"


def ensure_material(transaction: Transaction, name: str) -> bpy.types.Material:
    """The shared material `UNLIT` or `LIT`, made where this file has none of this version.

    Found by its custom properties: an artist may rename it, and its settings are never changed back.
    """
    for material in bpy.data.materials:
        if material.get("wt_material") == name and material.get("wt_version") == VERSION and not material.library:
            return material
    material = transaction.made(bpy.data.materials.new(name))
    material["wt_material"], material["wt_version"] = name, VERSION
    tree = compat.clear_nodes(material)
    color = tree.nodes.new("ShaderNodeAttribute")
    color.attribute_type, color.attribute_name = "GEOMETRY", COLOR
    shader = tree.nodes.new("ShaderNodeEmission" if name == UNLIT else "ShaderNodeBsdfPrincipled")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    color.location, shader.location, output.location = (-250, 0), (0, 0), (300, 0)
    tree.links.new(color.outputs["Color"], shader.inputs[0])
    tree.links.new(shader.outputs[0], output.inputs["Surface"])
    if name == LIT:
        shader.inputs["Roughness"].default_value = 1.0  # a photo's colors already hold its highlights
    if hasattr(material, "cycles"):  # Cycles is an add-on and can be off
        # Else it keeps every glowing triangle in its light tree: several times the memory and time, for a glow that
        # lights nothing here.
        material.cycles.emission_sampling = "NONE"
    return material
