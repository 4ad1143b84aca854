"""Novel views: camera rigs, render settings and the coverage overlay."""

from __future__ import annotations

from math import degrees

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import api
from ..core.rigs import RIGS
from ..scene import coverage_overlay
from ..scene.rigs import LABELS
from ..scene.view_settings import ENGINES
from ..scene.worlds import WorldObjects, active_world
from .status import set_status
from .viewport import ViewportClicks
from .world import WorldOperator

RIG_ITEMS = [(kind, LABELS[kind], "") for kind in RIGS if kind != "fly"]


class WT_OT_add_rig(WorldOperator, bpy.types.Operator):
    """Add a camera that shows the traced world from elsewhere, with keyframes to edit"""

    bl_idname = "wt.add_rig"
    bl_label = "Add Camera Rig"

    kind: bpy.props.EnumProperty(name="Rig", description="How the camera moves", items=RIG_ITEMS)
    suggested: bpy.props.BoolProperty(
        name="Suggested Range", description="As far as the layers cover most of the view", default=True
    )
    left: bpy.props.FloatProperty(
        name="Left",
        description="How far to the left of the photo's camera",
        subtype="ANGLE",
        default=0.35,
        min=0,
        max=3.1416,
    )
    right: bpy.props.FloatProperty(
        name="Right",
        description="How far to the right of the photo's camera",
        subtype="ANGLE",
        default=0.35,
        min=0,
        max=3.1416,
    )
    back: bpy.props.FloatProperty(
        name="Back", description="Where it begins, behind the photo's camera", subtype="DISTANCE", default=0, min=0
    )
    forward: bpy.props.FloatProperty(
        name="Forward", description="Where it ends, before the photo's camera", subtype="DISTANCE", default=0.5, min=0
    )
    separation: bpy.props.FloatProperty(
        name="Eye Distance", description="Between both cameras", subtype="DISTANCE", default=0.065, min=0
    )

    def change(self, _context: bpy.types.Context, world: WorldObjects) -> None:
        options = api.RigOptions()
        if not self.suggested:
            angles = degrees(self.left), degrees(self.right)
            options = api.RigOptions(*angles, self.back, self.forward, self.separation)
        self.report({"INFO"}, f"Added the camera {api.add_rig(world, self.kind, options).name}")

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        used = {"arc": ("left", "right"), "dolly": ("back", "forward"), "stereo": ("separation",)}.get(self.kind, ())
        layout.prop(self, "kind")
        if used:
            layout.prop(self, "suggested")
        column = layout.column()
        column.active = not self.suggested
        for name in used:
            column.prop(self, name)


class WT_OT_fly_through(WorldOperator, bpy.types.Operator):
    """Click points of the traced world one after the other, then press Enter: a camera flies past them"""

    bl_idname = "wt.fly_through"
    bl_label = "Fly-Through"

    places: bpy.props.StringProperty(name="Points", description="Where to fly to: x y z, x y z", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if active_world(context) is None or not ViewportClicks.possible(context):
            return self.execute(context)
        self._picked: list = []
        self._clicks = ViewportClicks(context, "Click points to fly to. ENTER: done. ESC: cancel")
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        world = active_world(context)
        if event.type in {"ESC", "RIGHTMOUSE"} or world is None:
            self._clicks.end(context)
            return {"CANCELLED"}
        if event.type in {"RET", "NUMPAD_ENTER"} and event.value == "PRESS":
            self._clicks.end(context)
            self.places = ", ".join(" ".join(f"{value:.6g}" for value in place) for place in self._picked)
            return self.execute(context)
        if event.type != "LEFTMOUSE" or event.value != "PRESS" or self._clicks.region(event) is None:
            return {"PASS_THROUGH"}
        found = self._clicks.pick(event, world)
        if found is None:
            self.report({"INFO"}, "There is no point of the traced world there")
        else:
            self._picked.append(found.place)
            set_status(context, f"{len(self._picked)} picked. Click on, or ENTER: done. ESC: cancel")
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator itself, to load a file or to quit."""
        self._clicks.end(context)

    def change(self, _context: bpy.types.Context, world: WorldObjects) -> None:
        picks = [tuple(map(float, place.split())) for place in self.places.split(",") if place.strip()]
        camera = api.add_rig(world, "fly", api.RigOptions(picks=picks))
        self.report({"INFO"}, f"Added the camera {camera.name}")


class WT_OT_view_settings(bpy.types.Operator):
    """Render settings that suit points and surfaces; click again for the settings before"""

    bl_idname = "wt.view_settings"
    bl_label = "Render Settings"
    bl_options = {"REGISTER", "UNDO"}

    engine: bpy.props.EnumProperty(
        name="Engine",
        description="What to render with",
        items=[*((name, name.title(), "") for name in ENGINES), ("BEFORE", "As Before", "")],
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        if self.engine == "BEFORE":
            api.restore_view_settings(context.scene)
            return {"FINISHED"}
        try:
            api.use_view_settings(context.scene, self.engine)
        except WorldTracingError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class WT_OT_suggest_range(WorldOperator, bpy.types.Operator):
    """Tell how far a camera may go around the world before it looks into nothing"""

    bl_idname = "wt.suggest_range"
    bl_label = "Suggest Range"
    bl_options = set()  # changes nothing in the file
    changes_world = False

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        found = api.suggested_range(world)
        context.window_manager.world_tracing_views.suggestion = (
            f"{found.left:.0f}° left, {found.right:.0f}° right, {found.back:.2g} back, {found.forward:.2g} forward"
        )


class WT_OT_show_coverage(bpy.types.Operator):
    """Show in red where 3D viewports see nothing although the traced world should be there"""

    bl_idname = "wt.show_coverage"
    bl_label = "Coverage"

    def execute(self, context: bpy.types.Context) -> set[str]:
        coverage_overlay.show(not coverage_overlay.is_shown())
        for window in context.window_manager.windows:
            for area in window.screen.areas:
                area.tag_redraw()
        return {"FINISHED"}


class WT_Views(bpy.types.PropertyGroup):
    """WindowManager.world_tracing_views: what the panel of novel views shows."""

    suggestion: bpy.props.StringProperty(
        name="Suggested Range",
        description="How far cameras may go before they look into nothing",
        options={"SKIP_SAVE"},
    )


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(
    (WT_Views, WT_OT_add_rig, WT_OT_fly_through, WT_OT_view_settings, WT_OT_suggest_range, WT_OT_show_coverage)
)


def register() -> None:
    _register_classes()
    bpy.types.WindowManager.world_tracing_views = bpy.props.PointerProperty(type=WT_Views, options={"SKIP_SAVE"})


def unregister() -> None:
    coverage_overlay.show(False)
    del bpy.types.WindowManager.world_tracing_views
    _unregister_classes()
