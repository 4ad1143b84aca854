"""Make Mesh, its options, alternatives and export."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import api
from ..core.jobs import JobState
from ..meshing import nothing_lifted
from ..scene.meshes import is_mesh, source_of
from ..scene.objects import COPY
from ..scene.worlds import ITEM, KIND, WORLD, active_world, worlds
from .running import RunsWork, report
from .trace import can_run
from .world import refuses_edit_mode


class RunsAlone(RunsWork):
    """Work that is refused while other work runs, and that a window does not wait for."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return can_run(cls, context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        return self.execute(context) if context.window is None else self.run_in_window(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.run_and_wait(context)


class MakesMeshes(RunsAlone):
    """What the two operators that make meshes have in common."""

    status_text = "Making meshes: ESC to cancel, what is done stays"
    noun = "mesh"

    targets: bpy.props.StringProperty(
        name="Targets",
        description="Ids of a world and of lifted objects in it, to begin again; empty for what the button stands for",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    def begin(self, context: bpy.types.Context):
        chosen, *wanted = self.targets.split() or [""]
        again = {world.id: world for world in worlds(context.scene)}.get(chosen)
        world = again if chosen else active_world(context)
        if world is None or world.is_linked:
            raise WorldTracingError(
                "WT-SCENE-SELECT",
                "There is no traced world in this scene, or it is linked from another file.",
                "Trace a photo first; append a world instead of linking it.",
            )
        settings = context.scene.world_tracing_mesh.mesh_settings()
        items = _items(world, wanted) if chosen else self.items(context, world)
        work = api.start_meshes(world, items, settings=settings)
        job = context.window_manager.world_tracing_job
        job.targets = " ".join([world.id, *(item[ITEM] for item in items or ())])
        return work

    def end(self, context: bpy.types.Context, state: JobState) -> set[str]:
        job, made = context.window_manager.world_tracing_job, self._work.meshes
        for failure in self._work.failures:
            item = job.failures.add()
            item.name = item.photo = failure.name
            item.code, item.message = failure.error.code, failure.error.message
        if state.error is not None:
            report(self, job, state.error)
        if not made:
            return {"CANCELLED"}
        _select(context, made)
        told = f"{len(made)} meshes made" if len(made) != 1 else f"Made {made[0].name}"
        failed = f", {len(self._work.failures)} failed" if self._work.failures else ""
        ended = ", then cancelled" if state.status == "cancelled" else ""
        self.report({"WARNING" if failed else "INFO"}, told + failed + ended)
        return {"FINISHED"}


class WT_OT_make_mesh(MakesMeshes, bpy.types.Operator):
    """Make a textured mesh of the selected lifted objects, or of the whole world where none is selected"""

    bl_idname = "wt.make_mesh"
    bl_label = "Make Mesh"
    bl_options = {"UNDO"}

    def items(self, context: bpy.types.Context, world: api.WorldObjects) -> list[bpy.types.Object] | None:
        selected = [part for part in context.selected_objects if part.get(WORLD) == world.id]
        found = [part if part.get(KIND) == COPY else source_of(world, part) for part in selected]
        return list(dict.fromkeys(filter(None, found))) or None


class WT_OT_make_all_meshes(MakesMeshes, bpy.types.Operator):
    """Make textured meshes of all objects that were lifted out of this world, each an undo step of its own"""

    bl_idname = "wt.make_all_meshes"
    bl_label = "Make Meshes of All Objects"

    def items(self, _context: bpy.types.Context, world: api.WorldObjects) -> list[bpy.types.Object]:
        items = api.lifted_objects(world)
        if not items:
            raise nothing_lifted()
        return items

    _done = 0

    def step(self, _context: bpy.types.Context) -> None:
        made = self._work.meshes
        if len(made) > self._done:
            self._done = len(made)
            bpy.ops.ed.undo_push(message=f"Make {made[-1].name}")


class WT_OT_check_generators(RunsAlone, bpy.types.Operator):
    """Look which mesh generators can run: this may start their programs, or ask the servers that you gave them"""

    bl_idname = "wt.check_generators"
    bl_label = "Check Generators"

    status_text = "Looking for mesh generators: ESC to cancel"
    noun = "check"

    def begin(self, context: bpy.types.Context):
        return api.start_generator_check(context.scene.world_tracing_mesh.mesh_settings())

    def end(self, context: bpy.types.Context, state: JobState) -> set[str]:
        if state.error is not None:
            report(self, context.window_manager.world_tracing_job, state.error)
        return {"FINISHED"} if state.status == "done" else {"CANCELLED"}


class WT_OT_show_mesh(bpy.types.Operator):
    """Show this one of the meshes and points of the same object, and hide the others"""

    bl_idname = "wt.show_mesh"
    bl_label = "Show Mesh"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    mesh: bpy.props.StringProperty(name="Mesh", description="The mesh's name; empty for the points")

    def execute(self, context: bpy.types.Context) -> set[str]:
        if refuses_edit_mode(self, context):
            return {"CANCELLED"}
        world, active = active_world(context), context.view_layer.objects.active
        mesh = context.scene.objects.get(self.mesh)
        if world is None or (self.mesh and not is_mesh(mesh)):
            self.report({"WARNING"}, "This mesh is not in the scene any more")
            return {"CANCELLED"}
        item = source_of(world, mesh or active)
        if mesh is not None:
            api.show_mesh(mesh)
        else:
            api.show_points(item or world)
        found = mesh or item or world.root
        _select(context, [found] if found is not None else [])
        return {"FINISHED"}


class WT_OT_export_mesh(bpy.types.Operator):
    """Export the active mesh as it stands in the scene, with its texture"""

    bl_idname = "wt.export_mesh"
    bl_label = "Export Mesh"

    filepath: bpy.props.StringProperty(name="File", description="The file to write", subtype="FILE_PATH")
    ending: bpy.props.EnumProperty(
        name="Format",
        description="The kind of file",
        items=[
            (".glb", "GLB", "One binary glTF file with its texture"),
            (".usdc", "USD", "Universal Scene Description; its texture is put into a folder beside it"),
        ],
    )
    filter_glob: bpy.props.StringProperty(
        name="Filter",
        description="Endings that are shown",
        default="*.glb;*.usd;*.usda;*.usdc;*.usdz",
        options={"HIDDEN"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return is_mesh(context.view_layer.objects.active)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        name = bpy.path.clean_name(context.view_layer.objects.active.name)
        folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
        self.filepath = str(folder / (name + self.ending))
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = bpy.path.abspath(self.filepath)
        if not Path(path).suffix:
            path += self.ending
        try:
            written = api.export_mesh(context.view_layer.objects.active, path)
        except WorldTracingError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Exported {written.name}")
        return {"FINISHED"}


def _items(world: api.WorldObjects, wanted: list[str]) -> list[bpy.types.Object] | None:
    """The lifted objects with these ids, or None, for the world itself, where there are no ids."""
    found = {item[ITEM]: item for item in api.lifted_objects(world)}
    if set(wanted) - set(found):
        raise WorldTracingError("WT-SCENE-EMPTY", "An object was deleted since.", "Undo that, or select another one.")
    return [found[identity] for identity in wanted] or None


def _select(context: bpy.types.Context, parts: list[bpy.types.Object]) -> None:
    for other in context.selected_objects:
        other.select_set(False)
    for part in parts:
        if part.name in context.view_layer.objects:
            part.select_set(True)
            context.view_layer.objects.active = part


register, unregister = bpy.utils.register_classes_factory(
    (WT_OT_make_mesh, WT_OT_make_all_meshes, WT_OT_check_generators, WT_OT_show_mesh, WT_OT_export_mesh)
)
