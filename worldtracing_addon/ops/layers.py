"""Layers as one object, as their own again, and as a point cloud."""

from __future__ import annotations

import bpy

from .. import api
from ..scene.worlds import WorldObjects
from .world import WorldOperator


class WT_OT_merge_layers(WorldOperator, bpy.types.Operator):
    """Put the points of all layers into one object with the same controls; the layers' own objects are hidden"""

    bl_idname = "wt.merge_layers"
    bl_label = "Merge Layers"

    def change(self, _context: bpy.types.Context, world: WorldObjects) -> None:
        api.merge_layers(world)


class WT_OT_separate_layers(WorldOperator, bpy.types.Operator):
    """Remove the merged object and show the layers' own ones again"""

    bl_idname = "wt.separate_layers"
    bl_label = "Separate Layers"

    def change(self, _context: bpy.types.Context, world: WorldObjects) -> None:
        api.separate_layers(world)


class WT_OT_make_point_cloud(WorldOperator, bpy.types.Operator):
    """Copy the points of all layers into a Point Cloud object, for export or node groups of your own"""

    bl_idname = "wt.make_point_cloud"
    bl_label = "Make Point Cloud"

    def change(self, _context: bpy.types.Context, world: WorldObjects) -> None:
        api.make_point_cloud(world)


register, unregister = bpy.utils.register_classes_factory(
    (WT_OT_merge_layers, WT_OT_separate_layers, WT_OT_make_point_cloud)
)
