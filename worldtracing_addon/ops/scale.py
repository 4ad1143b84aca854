"""Real lengths: click two traced points, give their distance."""

from __future__ import annotations

import bpy
from mathutils import Vector

from ...backend.worldtracing.errors import WorldTracingError
from .. import api
from ..scene.picking import pick_in_region
from ..scene.worlds import WorldObjects, active_world
from ..ui.overlay import LineOverlay


class WT_OT_measure_scale(bpy.types.Operator):
    """Click two points of the traced world, then give their real distance: the world is scaled to it"""

    bl_idname = "wt.measure_scale"
    bl_label = "Measure Two Points"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if active_world(context) is None:
            cls.poll_message_set("There is no traced world in this scene")
            return False
        return True

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if context.area is None or context.area.type != "VIEW_3D":
            self.report({"WARNING"}, "Measure in a 3D viewport")
            return {"CANCELLED"}
        self._area = context.area
        self._first: Vector | None = None
        self._overlay = LineOverlay()
        context.window_manager.modal_handler_add(self)
        self._say(context, "Click the first point")
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        world = active_world(context)
        if event.type in {"ESC", "RIGHTMOUSE"} or world is None:
            return self._leave(context, {"CANCELLED"})
        if event.type not in {"LEFTMOUSE", "MOUSEMOVE"} or event.value == "RELEASE":
            return {"PASS_THROUGH"}  # the viewport can be turned meanwhile
        found = self._point_under(world, event)
        if event.type == "MOUSEMOVE":
            self._overlay.show(self._area, self._first, found)
            return {"PASS_THROUGH"}
        if found is None:
            return {"PASS_THROUGH"} if self._region(event) is None else {"RUNNING_MODAL"}
        if self._first is None:
            self._first = found
            self._overlay.show(self._area, found, found)
            self._say(context, "Click the second point")
            return {"RUNNING_MODAL"}
        if (found - self._first).length < 1e-9:
            return {"RUNNING_MODAL"}
        points = {"point_a": self._first, "point_b": found, "length": (found - self._first).length}
        self._leave(context, set())
        bpy.ops.wt.set_scale("INVOKE_DEFAULT", **points)
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator itself, to load a file or to quit."""
        self._leave(context, set())

    def _region(self, event: bpy.types.Event) -> bpy.types.Region | None:
        """The viewport itself, if the mouse is in it and not in a sidebar over it."""
        for region in self._area.regions:
            inside = 0 <= event.mouse_x - region.x < region.width and 0 <= event.mouse_y - region.y < region.height
            if inside and region.type != "WINDOW":
                return None
        return next(region for region in self._area.regions if region.type == "WINDOW")

    def _point_under(self, world: WorldObjects, event: bpy.types.Event) -> Vector | None:
        region = self._region(event)
        if region is None:
            return None
        place = (event.mouse_x - region.x, event.mouse_y - region.y)
        found = pick_in_region(world, region, self._area.spaces.active.region_3d, place)
        return found and found.place

    def _say(self, context: bpy.types.Context, text: str) -> None:
        context.workspace.status_text_set(f"{text} of the traced world. ESC: cancel")

    def _leave(self, context: bpy.types.Context, result: set[str]) -> set[str]:
        self._overlay.remove(self._area)
        context.workspace.status_text_set(None)
        return result


class WT_OT_set_scale(bpy.types.Operator):
    """Scale the traced world so that two of its points lie as far apart as they do in reality"""

    bl_idname = "wt.set_scale"
    bl_label = "Set Real Length"
    bl_options = {"REGISTER", "UNDO"}

    point_a: bpy.props.FloatVectorProperty(
        name="First Point", description="A point of the world, in the scene", subtype="TRANSLATION", options={"HIDDEN"}
    )
    point_b: bpy.props.FloatVectorProperty(
        name="Second Point", description="Another point, in the scene", subtype="TRANSLATION", options={"HIDDEN"}
    )
    length: bpy.props.FloatProperty(
        name="Real Length",
        description="The distance that the two points have in reality",
        subtype="DISTANCE",
        default=1.0,
        min=1e-6,
        soft_max=1000,
        precision=4,
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self, width=260)

    def draw(self, _context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        self.layout.prop(self, "length")

    def execute(self, context: bpy.types.Context) -> set[str]:
        world = active_world(context)
        try:
            if world is None:
                raise WorldTracingError(
                    "WT-SCENE-SCALE", "There is no traced world in this scene to scale.", "Trace a photo first."
                )
            factor = api.set_scale(world, self.point_a, self.point_b, self.length)
        except WorldTracingError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Scaled {world.name} by {factor:.4g}")
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory((WT_OT_measure_scale, WT_OT_set_scale))
