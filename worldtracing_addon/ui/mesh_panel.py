"""The panel of textured meshes."""

from __future__ import annotations

import bpy

from ...backend.worldtracing.meshing.base import COMMON
from ..client import session
from ..core.generators import known_generators
from ..generator_options import options_of
from ..preferences import EXTENSION_PACKAGE
from ..scene.meshes import is_mesh, meshes_of, points_shown, source_of
from ..scene.worlds import active_world
from .common import SidebarPanel, draw_health, draw_text, split


class WT_PT_mesh(SidebarPanel, bpy.types.Panel):
    bl_label = "Mesh"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_world(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        world, active = active_world(context), context.view_layer.objects.active
        item = source_of(world, active)
        layout.label(text=f"Of {item.name if item else world.name}", icon="OBJECT_DATA" if item else "WORLD")
        layout.operator("wt.make_mesh", icon="MESH_DATA")
        layout.operator("wt.make_all_meshes", icon="OUTLINER_OB_MESH")
        found = meshes_of(world, item)
        points = points_shown(world, item)
        if found or not points:  # without any, somebody has deleted what was shown
            column = layout.column(align=True)
            shown = next((mesh for mesh in found if not mesh.hide_viewport), None)
            column.operator("wt.show_mesh", text="Points", icon="POINTCLOUD_DATA", depress=points).mesh = ""
            for mesh in found:
                column.operator(
                    "wt.show_mesh", text=mesh.name, icon="MESH_DATA", depress=mesh == shown
                ).mesh = mesh.name
        if is_mesh(active):
            row = layout.row(align=True)
            row.operator("wt.export_mesh", text="Export GLB...").ending = ".glb"
            row.operator("wt.export_mesh", text="Export USD...").ending = ".usdc"


class WT_PT_mesh_options(SidebarPanel, bpy.types.Panel):
    bl_label = "Options"
    bl_parent_id = "WT_PT_mesh"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.world_tracing_mesh
        layout = split(self.layout)
        row = layout.row(align=True)
        row.prop(settings, "generator")
        row.operator("wt.check_generators", text="", icon="FILE_REFRESH")
        known = {one.info.name: one for one in known_generators(session.worker_generators())}.get(
            settings.generator_name
        )
        if known is not None:
            draw_text(layout, context, f"Licence: {known.info.licence}")
            if known.info.memory_gib:
                draw_text(layout, context, f"Needs a GPU with {known.info.memory_gib:g} GB")
            draw_health(layout, context, known.health)
        heeded = COMMON if known is None else known.info.heeds
        for name in (name for name in COMMON if name in heeded):
            layout.prop(settings, name)
        group, options = options_of(settings, settings.generator_name)
        for option in options:
            layout.prop(group, option.name)
        layout.prop(settings, "replace")
        if known is not None and any(option.machine for option in known.info.options):
            layout.operator("preferences.addon_show", text="Set Up...", icon="PREFERENCES").module = EXTENSION_PACKAGE


register, unregister = bpy.utils.register_classes_factory((WT_PT_mesh, WT_PT_mesh_options))
