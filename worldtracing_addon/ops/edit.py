"""Scene editing: lift, put back, remove, replace, insert, level the ground, and text commands."""

from __future__ import annotations

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import api
from ..scene.objects import edited_objects
from ..scene.worlds import WorldObjects, active_world, worlds
from .viewport import ViewportClicks
from .world import WorldOperator


def _selected(context: bpy.types.Context, world: WorldObjects) -> list[bpy.types.Object]:
    """The selected objects that were lifted out of the world, the active one first."""
    active = context.view_layer.objects.active
    chosen = [item for item in edited_objects(world) if item.select_get()]
    if not chosen:
        raise WorldTracingError(
            "WT-SCENE-SELECT",
            "No lifted object is selected.",
            "Select one under Objects in the outliner, or lift one first.",
        )
    return sorted(chosen, key=lambda item: item != active)


def _select_only(context: bpy.types.Context, item: bpy.types.Object) -> None:
    for other in context.selected_objects:
        other.select_set(False)
    context.view_layer.objects.active = item
    item.select_set(True)


class WT_OT_lift_object(WorldOperator, bpy.types.Operator):
    """Click an object of the traced world: it becomes an object of its own, and what it hid appears behind it.

    Before that, Shift-click what belongs to it as well, and Ctrl-click what does not"""

    bl_idname = "wt.lift_object"
    bl_label = "Lift Object"

    x: bpy.props.FloatProperty(name="X", description="Column in the traced picture", min=0)
    y: bpy.props.FloatProperty(name="Y", description="Row in the traced picture, from the top", min=0)
    more: bpy.props.StringProperty(
        name="More Clicks",
        description="Columns and rows of what belongs to it too, or with a minus first, does not: 9 9, -5 2",
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if active_world(context) is None or not ViewportClicks.possible(context):
            return self.execute(context)
        text = "Click the object to lift. SHIFT: this as well. CTRL: not this. ESC: cancel"
        self._clicks, self.more = ViewportClicks(context, text), ""
        context.window_manager.modal_handler_add(self)
        context.window.cursor_modal_set("EYEDROPPER")
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        world = active_world(context)
        if event.type in {"ESC", "RIGHTMOUSE"} or world is None:
            self.cancel(context)
            return {"CANCELLED"}
        if event.type != "LEFTMOUSE" or event.value != "PRESS" or self._clicks.region(event) is None:
            return {"PASS_THROUGH"}
        found = self._clicks.pick(event, world)
        if found is not None and (event.shift or event.ctrl):
            self.more += f"{', ' if self.more else ''}{'-' if event.ctrl else ''}{found.pixel[0]} {found.pixel[1]}"
            return {"RUNNING_MODAL"}
        self.cancel(context)
        if found is None:
            self.report({"WARNING"}, "There is no point of the traced world there")
            return {"CANCELLED"}
        if found.part in edited_objects(world):
            _select_only(context, found.part)
            self.report({"INFO"}, f"{found.part.name} is an object of its own already")
            return {"FINISHED"}
        self.x, self.y = found.pixel
        return self.execute(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """Also called by Blender, when it ends the operator to load a file or to quit."""
        self._clicks.end(context)
        context.window.cursor_modal_restore()

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        prompts = [api.Click(self.x, self.y)]
        for click in filter(None, map(str.strip, self.more.split(","))):
            x, y = map(float, click.removeprefix("-").split())
            prompts.append(api.Click(x, y, positive=not click.startswith("-")))
        _select_only(context, api.lift_object(world, prompts))


class WT_OT_put_back(WorldOperator, bpy.types.Operator):
    """Give the selected objects' points back to the layers, as they were before they were lifted"""

    bl_idname = "wt.put_back"
    bl_label = "Put Back"

    everything: bpy.props.BoolProperty(name="Everything", description="Also objects that were removed or deleted")

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        if self.everything:
            api.put_all_back(world)
            return
        for item in _selected(context, world):
            api.put_back(world, item)


class WT_OT_remove_object(WorldOperator, bpy.types.Operator):
    """Remove the selected objects, so that what was behind them shows; Put Back Everything brings them back"""

    bl_idname = "wt.remove_object"
    bl_label = "Remove"

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        for item in _selected(context, world):
            api.remove_object(world, item)


class WT_OT_replace_object(WorldOperator, bpy.types.Operator):
    """Put a copy of the other selected object in the place of the active one: as large and facing the same way"""

    bl_idname = "wt.replace_object"
    bl_label = "Replace with Selected"

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        item = _selected(context, world)[0]
        others = [other for other in context.selected_objects if other != item]
        if len(others) != 1:
            raise WorldTracingError(
                "WT-SCENE-SELECT",
                "Two objects must be selected: what takes the place, and last the lifted object that goes.",
                "Select the replacement, then the lifted object with Shift held.",
            )
        api.replace_object(world, item, others[0])


class WT_OT_insert_object(bpy.types.Operator):
    """Stand a copy of the active object on the 3D cursor, as large as it is in the world of the scene's camera"""

    bl_idname = "wt.insert_object"
    bl_label = "Insert at Cursor"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        active, camera = context.view_layer.objects.active, context.scene.camera
        found = {world.id: world for world in worlds(context.scene)}
        world = found.get(camera.get("wt_world")) if camera else None
        if active is None or world is None:
            self.report({"WARNING"}, "Look through a traced world's camera, and select the object to insert")
            return {"CANCELLED"}
        api.insert_object(world, active)
        return {"FINISHED"}


class WT_OT_align_ground(WorldOperator, bpy.types.Operator):
    """Turn the traced world so that its floor, or else a table, is level at height zero"""

    bl_idname = "wt.align_ground"
    bl_label = "Align Ground"

    def change(self, _context: bpy.types.Context, world: WorldObjects) -> None:
        self.report({"INFO"}, f"The {api.align_ground(world)} is level now")


class WT_OT_find_objects(WorldOperator, bpy.types.Operator):
    """List the objects of the traced world that can be lifted"""

    bl_idname = "wt.find_objects"
    bl_label = "Find Objects"
    bl_options = set()  # changes nothing in the file

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        names = api.find_objects(world)
        context.window_manager.world_tracing_edit.answer = ", ".join(names) if names else "No object was found"


class WT_OT_run_command(WorldOperator, bpy.types.Operator):
    """Do what the line says, e.g. move the chair left 0.5 m"""

    bl_idname = "wt.run_command"
    bl_label = "Run Command"

    text: bpy.props.StringProperty(name="Command", description="Empty: the line in the panel")

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        edit = context.window_manager.world_tracing_edit
        try:
            edit.answer = api.run_command(world, self.text or edit.command)
        except WorldTracingError as error:
            edit.answer = f"{error.message} {error.fix}"
            raise


class WT_Edit(bpy.types.PropertyGroup):
    """WindowManager.world_tracing_edit: the command line, and what was answered last."""

    command: bpy.props.StringProperty(name="Command", description="For instance: move the chair left 0.5 m")
    answer: bpy.props.StringProperty(name="Answer", description="What the last command or search has found")


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(
    (
        WT_Edit,
        WT_OT_lift_object,
        WT_OT_put_back,
        WT_OT_remove_object,
        WT_OT_replace_object,
        WT_OT_insert_object,
        WT_OT_align_ground,
        WT_OT_find_objects,
        WT_OT_run_command,
    )
)


def register() -> None:
    _register_classes()
    bpy.types.WindowManager.world_tracing_edit = bpy.props.PointerProperty(type=WT_Edit, options={"SKIP_SAVE"})


def unregister() -> None:
    del bpy.types.WindowManager.world_tracing_edit
    _unregister_classes()
