"""Real lengths: click two traced points, give their distance."""

from __future__ import annotations

import bpy
from mathutils import Vector

from ...backend.worldtracing.errors import WorldTracingError
from .. import api
from ..scene.worlds import active_world
from ..ui.overlay import LineOverlay
from .status import set_status
from .viewport import ViewportClicks
from .world import refuses_edit_mode, refuses_linked

FIRST, SECOND = (f"Click the {which} point of the traced world. ESC: cancel" for which in ("first", "second"))


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
        if not ViewportClicks.possible(context):
            self.report({"WARNING"}, "Measure in a 3D viewport")
            return {"CANCELLED"}
        self._first: Vector | None = None
        self._clicks = ViewportClicks(context, FIRST)
        self._overlay = LineOverlay(self._clicks.area)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        world = active_world(context)
        if event.type in {"ESC", "RIGHTMOUSE"} or world is None:
            return self._leave(context, {"CANCELLED"})
        if event.type not in {"LEFTMOUSE", "MOUSEMOVE"} or event.value == "RELEASE":
            return {"PASS_THROUGH"}  # the viewport can be turned meanwhile
        if self._clicks.region(event) is None:
            return {"PASS_THROUGH"}  # other editors, and the sidebar
        picked = self._clicks.pick(event, world)
        found = picked and picked.place
        if event.type == "MOUSEMOVE":
            self._overlay.show(self._first, found)
            return {"PASS_THROUGH"}
        if found is None or found == self._first:
            return {"RUNNING_MODAL"}
        if self._first is None:
            self._first = found
            self._overlay.show(found, found)
            set_status(context, SECOND)
            return {"RUNNING_MODAL"}
        points = {"point_a": self._first, "point_b": found, "length": (found - self._first).length}
        self._leave(context, set())
        bpy.ops.wt.set_scale("INVOKE_DEFAULT", **points)
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator itself, to load a file or to quit."""
        self._leave(context, set())

    def _leave(self, context: bpy.types.Context, result: set[str]) -> set[str]:
        self._overlay.remove()
        self._clicks.end(context)
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
        if refuses_edit_mode(self, context) or (world is not None and refuses_linked(self, world)):
            return {"CANCELLED"}
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
