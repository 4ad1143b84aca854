"""Scene editing: put back, remove, replace, insert, level the ground, and text commands."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import api, assistants
from ..scene.objects import edited_objects
from ..scene.segmentation import BUILT_IN, known_segmenters
from ..scene.stand_ins import is_selected, shown_of
from ..scene.worlds import WorldObjects, worlds
from .waiting import WaitsForWork, begin
from .world import WorldOperator, refuses_edit_mode, refuses_linked


def selected(context: bpy.types.Context, world: WorldObjects) -> list[bpy.types.Object]:
    """The selected objects that were lifted out of the world, the active one first."""
    active = context.view_layer.objects.active
    chosen = [item for item in edited_objects(world) if is_selected(world, item)]
    if not chosen:
        raise WorldTracingError(
            "WT-SCENE-SELECT",
            "No lifted object is selected.",
            "Select one under Objects in the outliner, or lift one first.",
        )
    return sorted(chosen, key=lambda item: active not in (item, shown_of(world, item)))


def about_items(world: WorldObjects | None) -> Hashable:
    """What tells whether another world is active, or other lifted objects have been selected."""
    items = edited_objects(world) if world else ()
    return world, tuple(one.session_uid for one in items if is_selected(world, one))


def about_selected(context: bpy.types.Context, world: WorldObjects | None) -> Hashable:
    """`about_items`, and which of them is the active one."""
    active = context.view_layer.objects.active
    return about_items(world), active and active.session_uid


def select_only(context: bpy.types.Context, item: bpy.types.Object) -> None:
    for other in context.selected_objects:
        other.select_set(False)
    if context.view_layer.objects.get(item.name) == item:  # else its collection is switched off
        context.view_layer.objects.active = item
        item.select_set(True)


def world_of_camera(context: bpy.types.Context) -> WorldObjects | None:
    """The traced world that the scene's camera belongs to."""
    camera = context.scene.camera
    found = {world.id: world for world in worlds(context.scene)}
    return found.get(camera.get("wt_world")) if camera else None


class WT_OT_put_back(WaitsForWork, WorldOperator, bpy.types.Operator):
    """Give the selected objects' points back to the layers, as they were before they were lifted"""

    bl_idname = "wt.put_back"
    bl_label = "Put Back"

    everything: bpy.props.BoolProperty(name="Everything", description="Also objects that were removed or deleted")

    waiting_text = "Finding what was behind. ESC: cancel"

    def about(self, context: bpy.types.Context) -> Hashable:
        return about_selected(context, self.world(context))

    def preparation(self, context: bpy.types.Context, world: WorldObjects) -> Callable[[], object] | None:
        return None if self.everything else api.prepare_put_back(world, *selected(context, world))

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        if self.everything:
            api.put_all_back(world)
        else:
            api.put_back(world, *selected(context, world))


class WT_OT_remove_object(WorldOperator, bpy.types.Operator):
    """Remove the selected objects, so that what was behind them shows; Put Back Everything brings them back"""

    bl_idname = "wt.remove_object"
    bl_label = "Remove"

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        for item in selected(context, world):
            api.remove_object(world, item)


class WT_OT_replace_object(WorldOperator, bpy.types.Operator):
    """Put a copy of the other selected object in the place of the active one: as large and facing the same way"""

    bl_idname = "wt.replace_object"
    bl_label = "Replace with Selected"

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        item = selected(context, world)[0]
        others = [other for other in context.selected_objects if other not in (item, shown_of(world, item))]
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
        active, world = context.view_layer.objects.active, world_of_camera(context)
        if active is None or world is None:
            self.report({"WARNING"}, "Look through a traced world's camera, and select the object to insert")
            return {"CANCELLED"}
        if refuses_edit_mode(self, context) or refuses_linked(self, world):
            return {"CANCELLED"}
        try:
            api.insert_object(world, active)
        except WorldTracingError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class WT_OT_align_ground(WaitsForWork, WorldOperator, bpy.types.Operator):
    """Turn the traced world so that its floor, or else a table, is level at height zero"""

    bl_idname = "wt.align_ground"
    bl_label = "Align Ground"
    waiting_text = "Finding the floor. ESC: cancel"

    def preparation(self, _context: bpy.types.Context, world: WorldObjects) -> Callable[[], object] | None:
        return api.prepare_supports(world)

    def change(self, _context: bpy.types.Context, world: WorldObjects) -> None:
        self.report({"INFO"}, f"The {api.align_ground(world)} is level now")


class WT_OT_find_objects(WaitsForWork, WorldOperator, bpy.types.Operator):
    """List the objects of the traced world that can be lifted"""

    bl_idname = "wt.find_objects"
    bl_label = "Find Objects"
    bl_options = set()  # changes nothing in the file
    waiting_text = "Finding objects. ESC: cancel"

    def preparation(self, _context: bpy.types.Context, world: WorldObjects) -> Callable[[], object] | None:
        return api.prepare_objects(world)

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        names = api.find_objects(world)
        context.window_manager.world_tracing_edit.answer = ", ".join(names) if names else "No object was found"


class WT_OT_run_command(WaitsForWork, WorldOperator, bpy.types.Operator):
    """Do what the line says, e.g. move the chair left 0.5 m"""

    bl_idname = "wt.run_command"
    bl_label = "Run Command"
    waiting_text = "Looking for it in the photo. ESC: cancel"

    text: bpy.props.StringProperty(name="Command", description="Empty: the line in the panel")

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        self.text = self.text or context.window_manager.world_tracing_edit.command
        return self.start(context)

    def about(self, context: bpy.types.Context) -> Hashable:
        return about_items(self.world(context))  # which "it" means

    def preparation(self, _context: bpy.types.Context, world: WorldObjects) -> Callable[[], object] | None:
        return api.command_search(world, self.text)

    def show(self, context: bpy.types.Context, text: str | None) -> None:
        context.window_manager.world_tracing_edit.answer = text or ""

    def failed(self, context: bpy.types.Context, error: WorldTracingError) -> None:
        context.window_manager.world_tracing_edit.answer = str(error)
        self.report({"ERROR"}, str(error))

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        edit = context.window_manager.world_tracing_edit
        try:
            edit.answer = api.run_command(world, self.text or edit.command)
        except WorldTracingError as error:
            edit.answer = f"{error.message} {error.fix}"
            raise


_segmenter_items: list[tuple[str, str, str]] = []  # Blender does not keep the strings of dynamic enums alive


def _segmenters(_edit: WT_Edit, _context) -> list[tuple[str, str, str]]:
    _segmenter_items[:] = [
        (info.name, info.label, " ".join(filter(None, (info.description, f"License: {info.licence}.", problem))))
        for info, problem in known_segmenters()
    ]
    return _segmenter_items


def _get_segmenter(edit: WT_Edit) -> int:
    return [info.name for info, _ in known_segmenters()].index(api.segmenter_in_use(bpy.context.scene))


def _set_segmenter(_edit: WT_Edit, index: int) -> None:
    api.use_segmenter(bpy.context.scene, known_segmenters()[index][0].name)
    if api.segmenter_in_use(bpy.context.scene) != BUILT_IN:
        begin(assistants.inquiry("segmenter"))  # the panel then tells whether the backend has it


class WT_Edit(bpy.types.PropertyGroup):
    """WindowManager.world_tracing_edit: the command line, and what was answered last."""

    segmenter: bpy.props.EnumProperty(
        name="Select By",
        description="What tells the objects of this scene's photos apart",
        items=_segmenters,
        get=_get_segmenter,
        set=_set_segmenter,
    )
    command: bpy.props.StringProperty(name="Command", description="For instance: move the chair left 0.5 m")
    answer: bpy.props.StringProperty(name="Answer", description="What the last command or search has found")


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(
    (
        WT_Edit,
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
