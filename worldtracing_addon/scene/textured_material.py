"""The material of a textured mesh, of pictures that travel in the Blender file."""

from __future__ import annotations

from collections.abc import Mapping

import bpy

from .. import compat
from .transaction import Transaction

SOCKETS = {"base_color": "Base Color", "metallic": "Metallic", "roughness": "Roughness", "normal": "Normal"}
"""Inputs of the Principled BSDF by the maps of a `TexturedMesh`."""

TRANSPARENT = "base_color_alpha"
"""Name under which a base color comes whose alpha counts."""


def textured_material(transaction: Transaction, name: str, pictures: Mapping[str, bytes]) -> bpy.types.Material:
    """A Principled material with the maps that there are.

    Without a map of roughness the photo is the only map, and holds its own highlights and shine: the surface then has
    none of its own, so that even white light shows the photo's colors.

    Args:
        pictures: PNG files by the keys of `SOCKETS`, the base color instead by `TRANSPARENT` where its alpha counts.
    """
    material = transaction.made(bpy.data.materials.new(name))
    tree = compat.clear_nodes(material)
    shader, output = tree.nodes.new("ShaderNodeBsdfPrincipled"), tree.nodes.new("ShaderNodeOutputMaterial")
    output.location = (320, 0)
    tree.links.new(shader.outputs[0], output.inputs["Surface"])
    if "roughness" not in pictures:
        shader.inputs["Roughness"].default_value = 1.0
        shader.inputs["Specular IOR Level"].default_value = 0.0
    for index, (map_name, png) in enumerate(pictures.items()):
        base = map_name.removesuffix("_alpha")
        texture = tree.nodes.new("ShaderNodeTexImage")
        texture.location = (-620, 300 - 300 * index)
        texture.image = _packed(transaction, f"{name} {SOCKETS[base]}", png, is_color=base == "base_color")
        value = texture.outputs["Color"]
        if base == "normal":
            bump = tree.nodes.new("ShaderNodeNormalMap")
            bump.location = (-280, texture.location.y)
            tree.links.new(value, bump.inputs["Color"])
            value = bump.outputs["Normal"]
        tree.links.new(value, shader.inputs[SOCKETS[base]])
        if map_name == TRANSPARENT:
            tree.links.new(texture.outputs["Alpha"], shader.inputs["Alpha"])
    return material


def _packed(transaction: Transaction, name: str, png: bytes, is_color: bool) -> bpy.types.Image:
    """An image of a PNG file's content, which is kept in the Blender file."""
    image = transaction.made(bpy.data.images.new(name, 1, 1))
    image.pack(data=png, data_len=len(png))
    image.source = "FILE"
    image.colorspace_settings.name = "sRGB" if is_color else "Non-Color"
    return image
