"""What an artist does with the traced world that the panel shows."""

from __future__ import annotations

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import api
from ..scene.layer_group import DISPLAYS
from ..scene.worlds import WorldObjects, active_world


class WorldOperator:
    """Does something with the active world. It has no poll: Blender asks that of each button at every redraw."""

    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        world = active_world(context)
        if world is None:
            self.report({"WARNING"}, "There is no traced world in this scene")
            return {"CANCELLED"}
        try:
            self.change(context, world)
        except WorldTracingError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class WT_OT_set_display(WorldOperator, bpy.types.Operator):
    """Show all layers of the world as points, or as surfaces with one face per pixel"""

    bl_idname = "wt.set_display"
    bl_label = "Set Display"

    display: bpy.props.EnumProperty(name="Display", items=[(name, name, "") for name in DISPLAYS])

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        api.set_layers(world, Display=self.display)


class WT_OT_set_lit(WorldOperator, bpy.types.Operator):
    """Let the scene's lights shine on the world, or show the photo's own colors"""

    bl_idname = "wt.set_lit"
    bl_label = "Set Lit"

    lit: bpy.props.BoolProperty(name="Lit")

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        api.set_layers(world, Lit=self.lit)


class WT_OT_look_through(WorldOperator, bpy.types.Operator):
    """Look through the camera that took the photo, at the photo's size"""

    bl_idname = "wt.look_through"
    bl_label = "Photo Camera"

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        api.look_through(context, world)


class WT_OT_match_photo(bpy.types.Operator):
    """Render in exactly the photo's colors, on a transparent background; click again for the settings before"""

    bl_idname = "wt.match_photo"
    bl_label = "Match Photo"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            api.set_match_photo(context.scene, not api.matches_photo(context.scene))
        except WorldTracingError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class WT_OT_remove_world(WorldOperator, bpy.types.Operator):
    """Remove the world from the scene; its saved file stays"""

    bl_idname = "wt.remove_world"
    bl_label = "Remove World"

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        api.remove_world(world)


register, unregister = bpy.utils.register_classes_factory(
    (WT_OT_set_display, WT_OT_set_lit, WT_OT_look_through, WT_OT_match_photo, WT_OT_remove_world)
)
