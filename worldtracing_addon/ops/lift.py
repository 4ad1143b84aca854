"""Lifting objects out of the layers, splitting and merging them, and inserting one where the user clicks."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import api
from ..scene.objects import edited_objects
from ..scene.picking import Pick
from ..scene.worlds import WorldObjects
from .edit import about_selected, select_only, selected, world_of_camera
from .marking import MarkOperator
from .viewport import ViewportClicks
from .waiting import WaitsForWork, begin
from .world import WorldOperator, refuses_edit_mode, refuses_linked


class WT_OT_lift_object(MarkOperator, bpy.types.Operator):
    """Click an object of the traced world or drag a box around it: it becomes an object, and what it hid appears.

    Before that, click or draw over what belongs to it as well with Shift, and over what does not with Ctrl"""

    bl_idname = "wt.lift_object"
    bl_label = "Lift Object"

    hint = "Click the object to lift, or drag a box around it"

    def boxed_part(self, _context: bpy.types.Context, world: WorldObjects) -> bpy.types.Object | None:
        return next(iter(world.layers), None)

    def answer(self, context: bpy.types.Context, world: WorldObjects, found: Pick) -> str:
        if found.part not in edited_objects(world):
            return ""
        select_only(context, found.part)
        return f"{found.part.name} is an object of its own already"

    def preparation(self, _context: bpy.types.Context, world: WorldObjects) -> Callable[[], object] | None:
        return api.prepare_lift(world, self.prompts())

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        select_only(context, api.lift_object(world, self.prompts()))


class WT_OT_split_object(MarkOperator, bpy.types.Operator):
    """Click a part of the selected lifted object or drag a box around it: it becomes an object of its own"""

    bl_idname = "wt.split_object"
    bl_label = "Split"

    hint = "Click the part to split off, or drag a box around it"

    def boxed_part(self, context: bpy.types.Context, world: WorldObjects) -> bpy.types.Object:
        return selected(context, world)[0]

    def answer(self, context: bpy.types.Context, world: WorldObjects, found: Pick) -> str:
        item = selected(context, world)[0]
        return "" if found.part == item else f"That is not a part of {item.name}, which is selected"

    def about(self, context: bpy.types.Context) -> Hashable:
        return about_selected(context, self.world(context))

    def preparation(self, context: bpy.types.Context, world: WorldObjects) -> Callable[[], object] | None:
        return api.prepare_split(world, selected(context, world)[0], self.prompts())

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        select_only(context, api.split_object(world, selected(context, world)[0], self.prompts()))


class WT_OT_merge_objects(WorldOperator, bpy.types.Operator):
    """Make the selected lifted objects one; the active one's name and origin stay"""

    bl_idname = "wt.merge_objects"
    bl_label = "Merge"

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        select_only(context, api.merge_objects(world, selected(context, world)))


class WT_OT_insert_on_support(WaitsForWork, bpy.types.Operator):
    """Click a floor or table of the world of the scene's camera: a copy of the active object stands there"""

    bl_idname = "wt.insert_on_support"
    bl_label = "Insert by Click"
    bl_options = {"REGISTER", "UNDO"}

    place: bpy.props.FloatVectorProperty(
        name="Place", description="The point of the scene to stand on", subtype="TRANSLATION"
    )

    waiting_text = "Finding what it stands on. ESC: cancel"

    def world(self, context: bpy.types.Context) -> WorldObjects | None:
        return world_of_camera(context)

    def about(self, context: bpy.types.Context) -> Hashable:
        active = context.view_layer.objects.active
        return world_of_camera(context), active and active.session_uid

    def preparation(self, _context: bpy.types.Context, world: WorldObjects) -> Callable[[], object] | None:
        return api.prepare_supports(world)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if not ViewportClicks.possible(context) or world_of_camera(context) is None:
            return self.execute(context)
        begin(self.work_of(context, api.prepare_supports))
        self._clicks = ViewportClicks(context, "Click where the object is to stand. ESC: cancel")
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def aim(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Take the click."""
        world = world_of_camera(context)
        if event.type in {"ESC", "RIGHTMOUSE"} or world is None:
            self.cancel(context)
            return {"CANCELLED"}
        if event.type != "LEFTMOUSE" or event.value != "PRESS" or self._clicks.region(event) is None:
            return {"PASS_THROUGH"}
        found = self._clicks.pick(event, world)
        if found is None:
            self.report({"INFO"}, "There is no point of the traced world there")
            return {"RUNNING_MODAL"}
        self.cancel(context)
        self.place = found.place
        return self.wait(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """Also called by Blender, when it ends the operator to load a file or to quit."""
        self.end_wait(context)
        self._clicks.end(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        active, world = context.view_layer.objects.active, world_of_camera(context)
        if active is None or world is None:
            self.report({"WARNING"}, "Look through a traced world's camera, and select the object to insert")
            return {"CANCELLED"}
        if refuses_edit_mode(self, context) or refuses_linked(self, world):
            return {"CANCELLED"}
        try:
            api.insert_object(world, active, self.place, on_support=True)
        except WorldTracingError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory(
    (WT_OT_lift_object, WT_OT_split_object, WT_OT_merge_objects, WT_OT_insert_on_support)
)
