"""What an artist does with the traced world that the panel shows, and quality presets."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import api
from ..core.quality import QUALITIES, choices
from ..saved import pick_seed, prepare_seed
from ..scene.worlds import WorldObjects, active_world
from .waiting import PreparesOnce


def refuses_edit_mode(operator: bpy.types.Operator, context: bpy.types.Context) -> bool:
    """Whether an object is in Edit Mode, and says so: that hides points, and its undo steps hold no other objects."""
    if context.mode.startswith("EDIT"):
        operator.report({"WARNING"}, "Leave Edit Mode first (Tab)")
        return True
    return False


def refuses_linked(operator: bpy.types.Operator, world: WorldObjects) -> bool:
    """Whether the world is another file's, and says so."""
    if world.is_linked:
        operator.report({"WARNING"}, f"{world.name} is linked from another file: change it there, or append it")
        return True
    return False


class WorldOperator:
    """Does something with the active world. It has no poll: Blender asks that of each button at every redraw."""

    bl_options = {"REGISTER", "UNDO"}
    changes_world = True

    def execute(self, context: bpy.types.Context) -> set[str]:
        world = active_world(context)
        if world is None:
            self.report({"WARNING"}, "There is no traced world in this scene")
            return {"CANCELLED"}
        if refuses_edit_mode(self, context) or (self.changes_world and refuses_linked(self, world)):
            return {"CANCELLED"}
        try:
            self.change(context, world)
        except WorldTracingError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class WT_OT_set_quality(bpy.types.Operator):
    """Set steps, seeds and resolution, as far as the engine has them"""

    bl_idname = "wt.set_quality"
    bl_label = "Set Quality"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    quality: bpy.props.EnumProperty(
        name="Quality",
        description="How much time a trace may take for the sake of its result",
        items=[(name, quality.label, quality.description) for name, quality in QUALITIES.items()],
    )

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return QUALITIES[properties.quality].description

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.world_tracing
        info = settings.engine_info()
        for name, value in (choices(QUALITIES[self.quality], info) if info else {}).items():
            setattr(settings, name, value)
        return {"FINISHED"}


class WT_OT_show_world(bpy.types.Operator):
    """Show this world, leave out the scene's other traced worlds, and look through its camera"""

    bl_idname = "wt.show_world"
    bl_label = "Show World"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    world_id: bpy.props.StringProperty(name="World", description="The id of the world to show", options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        world = next((world for world in api.worlds(context.scene) if world.id == self.world_id), None)
        if world is None:
            self.report({"WARNING"}, "This world is not in the scene any more")
            return {"CANCELLED"}
        api.show_only(world)
        if world.camera is not None:
            api.look_through(context, world)
        context.view_layer.objects.active = world.root
        return {"FINISHED"}


class WT_OT_pick_seed(PreparesOnce, WorldOperator, bpy.types.Operator):
    """Show this guess of what the photo hides; all else in the scene stays as it is"""

    bl_idname = "wt.pick_seed"
    bl_label = "Pick Seed"
    waiting_text = "Reading the seed. ESC: cancel"

    seed: bpy.props.StringProperty(name="Seed", description="The seed to show", options={"HIDDEN"})  # beyond 2**31

    def prepare(self, _context: bpy.types.Context, world: WorldObjects) -> Callable[[], object] | None:
        return prepare_seed(world, int(self.seed))

    def change(self, _context: bpy.types.Context, world: WorldObjects) -> None:
        pick_seed(world, int(self.seed), self.take_prepared())


class WT_OT_look_through(WorldOperator, bpy.types.Operator):
    """Look through the camera that took the photo, at the photo's size"""

    bl_idname = "wt.look_through"
    bl_label = "Photo Camera"
    changes_world = False

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
    (
        WT_OT_set_quality,
        WT_OT_show_world,
        WT_OT_pick_seed,
        WT_OT_look_through,
        WT_OT_match_photo,
        WT_OT_remove_world,
    )
)
