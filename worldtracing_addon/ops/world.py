"""What an artist does with the traced world that the panel shows."""

from __future__ import annotations

import bpy

from .. import api
from ..scene.layer_group import DISPLAYS
from ..scene.worlds import active_world


class _WorldOperator:
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_world(context) is not None


class WT_OT_set_display(_WorldOperator, bpy.types.Operator):
    """Show all layers of the world as points, or as surfaces with one face per pixel"""

    bl_idname = "wt.set_display"
    bl_label = "Set Display"

    display: bpy.props.EnumProperty(name="Display", items=[(name, name, "") for name in DISPLAYS])

    def execute(self, context: bpy.types.Context) -> set[str]:
        api.set_layers(active_world(context), Display=self.display)
        return {"FINISHED"}


class WT_OT_set_lit(_WorldOperator, bpy.types.Operator):
    """Let the scene's lights shine on the world, or show the photo's own colors"""

    bl_idname = "wt.set_lit"
    bl_label = "Set Lit"

    lit: bpy.props.BoolProperty(name="Lit")

    def execute(self, context: bpy.types.Context) -> set[str]:
        api.set_layers(active_world(context), Lit=self.lit)
        return {"FINISHED"}


class WT_OT_look_through(_WorldOperator, bpy.types.Operator):
    """Look through the camera that took the photo, at the photo's size"""

    bl_idname = "wt.look_through"
    bl_label = "Photo Camera"

    def execute(self, context: bpy.types.Context) -> set[str]:
        api.look_through(context, active_world(context))
        return {"FINISHED"}


class WT_OT_match_photo(bpy.types.Operator):
    """Render in exactly the photo's colors, on a transparent background; click again for the settings before"""

    bl_idname = "wt.match_photo"
    bl_label = "Match Photo"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        api.set_match_photo(context.scene, not api.matches_photo(context.scene))
        return {"FINISHED"}


class WT_OT_remove_world(_WorldOperator, bpy.types.Operator):
    """Remove the world from the scene; its saved file stays"""

    bl_idname = "wt.remove_world"
    bl_label = "Remove World"

    def execute(self, context: bpy.types.Context) -> set[str]:
        api.remove_world(active_world(context))
        return {"FINISHED"}


CLASSES = (WT_OT_set_display, WT_OT_set_lit, WT_OT_look_through, WT_OT_match_photo, WT_OT_remove_world)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
