"""What takes more than one line where Blender's versions 4.2 to 5.2 differ."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Color


def rec709_to_working() -> np.ndarray:
    """(3, 3) float64: linear Rec.709 to this file's scene-linear colors, whose primaries can be others from 5.0 on.

    The inverse leads from Blender's float pixels to linear Rec.709.
    """
    return np.array([Color(axis).from_rec709_linear_to_scene_linear() for axis in np.eye(3)], np.float64).T


def set_modifier_input(modifier: bpy.types.NodesModifier, socket: str, value: Any) -> None:
    """Set the input named `socket` of a geometry-nodes modifier; a menu's value is its item's name.

    One that the artist has renamed or removed from the group, and an item that its menu does not have, are left alone;
    so is every one for None.
    """
    item = _input_socket(modifier.node_group, socket)
    is_menu = item is not None and item.socket_type == "NodeSocketMenu"
    if None in (item, value) or (is_menu and value not in menu_items(modifier.node_group, socket)):
        return
    if hasattr(modifier, "properties"):  # 5.2 on: typed properties
        getattr(modifier.properties.inputs, item.identifier).value = value
    else:
        modifier[item.identifier] = menu_items(modifier.node_group, socket).index(value) if is_menu else value
    modifier.id_data.update_tag()


def get_modifier_input(modifier: bpy.types.NodesModifier, socket: str) -> Any:
    """The value that `set_modifier_input` sets, vectors as a tuple; None where the artist has taken it away."""
    item = _input_socket(modifier.node_group, socket)
    if item is None:
        return None
    if hasattr(modifier, "properties"):
        value = getattr(modifier.properties.inputs, item.identifier).value
    else:
        value = modifier.get(item.identifier)
        if value is None:
            return None
        if item.socket_type == "NodeSocketMenu":
            return dict(enumerate(menu_items(modifier.node_group, socket))).get(value)
        if item.socket_type == "NodeSocketBool":
            return bool(value)
    return tuple(value) if item.socket_type == "NodeSocketVector" else value


def draw_modifier_input(layout: bpy.types.UILayout, modifier: bpy.types.NodesModifier, socket: str) -> None:
    """A field for the input named `socket` of a geometry-nodes modifier, unless the artist has taken it away."""
    item = _input_socket(modifier.node_group, socket)
    if item is None:
        return
    identifier = item.identifier
    if hasattr(modifier, "properties"):  # 5.2 on
        layout.prop(getattr(modifier.properties.inputs, identifier), "value", text=socket)
    else:
        layout.prop(modifier, f'["{identifier}"]', text=socket)


def input_names(group: bpy.types.NodeTree) -> list[str]:
    """Names of a group's inputs other than geometry, in the order shown."""
    return [item.name for item in _inputs(group) if item.socket_type != "NodeSocketGeometry"]


def menu_items(group: bpy.types.NodeTree, socket: str) -> list[str]:
    """The items of a menu input, in the order of the numbers that Blender stores before 5.2; none if it is unused."""
    switches = (
        link.to_node
        for link in group.links
        if link.from_node.bl_idname == "NodeGroupInput" and link.from_socket.name == socket
    )
    switch = next((node for node in switches if node.bl_idname == "GeometryNodeMenuSwitch"), None)
    return [item.name for item in switch.enum_items] if switch else []


def name_menu_items(switch: bpy.types.Node, names: tuple[str, ...]) -> None:
    """Give a new Menu Switch node its items. The first two are renamed, so that numbers stay equal to positions."""
    while len(switch.enum_items) < len(names):
        switch.enum_items.new("")
    for item, name in zip(switch.enum_items, names, strict=True):
        item.name = name


def clear_nodes(material: bpy.types.Material) -> bpy.types.NodeTree:
    """The empty node tree of a new material."""
    if material.node_tree is None:  # before 5.0; after it, use_nodes is deprecated
        material.use_nodes = True
    material.node_tree.nodes.clear()
    return material.node_tree


def choose_stills(settings: bpy.types.ImageFormatSettings) -> None:
    """Let a render's output be pictures; from 5.0 on, a file set to video offers no picture format."""
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"


def fcurves(animated: bpy.types.ID) -> Any:
    """The animation curves of a data-block that has an action of its own."""
    data = animated.animation_data
    if hasattr(data.action, "fcurves"):  # before 5.0
        return data.action.fcurves
    return data.action.layers[0].strips[0].channelbag(data.action_slot).fcurves


def eevee_engine() -> str:
    """What EEVEE is called as a render engine."""
    return "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


def usd_textures() -> dict[str, Any]:
    """Arguments of the USD exporter that write packed pictures beside the file, or into it where it is a .usdz."""
    options = bpy.ops.wm.usd_export.get_rna_type().properties
    return {"export_textures_mode": "NEW"} if "export_textures_mode" in options else {"export_textures": True}


def new_point_cloud(name: str, points: int) -> bpy.types.PointCloud:
    """A new point cloud of `points` points, which are not anywhere yet."""
    cloud = bpy.data.pointclouds.new(name)
    if hasattr(cloud, "resize"):  # 5.1 on
        cloud.resize(points)
        return cloud
    bpy.data.pointclouds.remove(cloud)
    return _point_cloud_of_nodes(name, points)


def _point_cloud_of_nodes(name: str, points: int) -> bpy.types.PointCloud:
    """A copy of what geometry nodes make: before 5.1, Python gives no other point cloud its points."""
    group = bpy.data.node_groups.new(name, "GeometryNodeTree")
    group.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    made, output = group.nodes.new("GeometryNodePoints"), group.nodes.new("NodeGroupOutput")
    made.inputs["Count"].default_value = points
    group.links.new(made.outputs[0], output.inputs[0])
    mesh = bpy.data.meshes.new(name)
    part = bpy.data.objects.new(name, mesh)
    part.modifiers.new(name, "NODES").node_group = group
    bpy.context.scene.collection.objects.link(part)
    try:
        depsgraph = bpy.context.evaluated_depsgraph_get()
        if bpy.app.version >= (4, 5, 0):
            geometry = part.evaluated_get(depsgraph).evaluated_geometry()
            return geometry.pointcloud.copy()
        shown = (item for item in depsgraph.object_instances if item.is_instance and item.parent.original == part)
        return next(item.object.data.copy() for item in shown)
    finally:
        bpy.data.batch_remove([part, mesh, group])


def _inputs(group: bpy.types.NodeTree) -> list[bpy.types.NodeTreeInterfaceSocket]:
    return [item for item in group.interface.items_tree if item.item_type == "SOCKET" and item.in_out == "INPUT"]


def _input_socket(group: bpy.types.NodeTree, name: str) -> bpy.types.NodeTreeInterfaceSocket | None:
    return next((item for item in _inputs(group) if item.name == name), None)
