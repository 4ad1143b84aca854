"""Make Mesh, its options, alternatives and export."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import api
from ..core.generators import DEFAULT_GENERATOR
from ..core.jobs import JobState
from ..meshing import nothing_lifted
from ..scene.meshes import is_mesh, source_of
from ..scene.objects import COPY
from ..scene.worlds import KIND, WORLD, active_world
from .running import RunsWork, report
from .trace import can_run
from .world import refuses_edit_mode

_generator_items: list[tuple[str, str, str, str, int]] = []  # Blender does not keep the strings of dynamic enums alive


def _generators(settings: WT_MeshSettings, _context) -> list[tuple[str, str, str, str, int]]:
    """The known generators, and the chosen one where this file comes from a machine that has another."""
    items = [(known.info.name, known.info.label, known.info.description) for known in api.mesh_generators()]
    if settings.generator_name not in {name for name, *_ in items}:
        items.append((settings.generator_name, f"{settings.generator_name} (not found)", "Not installed here"))
    _generator_items[:] = [(*item, "NONE", crc32(item[0].encode()) & 0x7FFFFFFF) for item in items]
    return _generator_items


def _get_generator(settings: WT_MeshSettings) -> int:
    return crc32(settings.generator_name.encode()) & 0x7FFFFFFF


def _set_generator(settings: WT_MeshSettings, number: int) -> None:
    settings.generator_name = next(item[0] for item in _generators(settings, None) if item[-1] == number)


class WT_MeshSettings(bpy.types.PropertyGroup):
    """Scene.world_tracing_mesh: the choices for the next mesh."""

    generator_name: bpy.props.StringProperty(
        name="Generator Name",
        description="The generator's name, which outlives a machine that does not have it",
        default=DEFAULT_GENERATOR,
        options={"HIDDEN"},
    )
    generator: bpy.props.EnumProperty(
        name="Generator",
        description="What makes the mesh of the traced points",
        items=_generators,
        get=_get_generator,
        set=_set_generator,
    )
    faces: bpy.props.IntProperty(
        name="Faces", description="Triangles to aim at", default=30_000, min=100, soft_max=200_000, max=2_000_000
    )
    texture_size: bpy.props.IntProperty(
        name="Texture Size", description="Side of the square texture in pixels", default=1024, min=64, max=8192
    )
    resolution: bpy.props.IntProperty(
        name="Resolution",
        description="Fineness of the volume between the layers; time and memory grow with its third power",
        default=160,
        min=16,
        soft_max=256,
        max=384,
    )
    seed: bpy.props.IntProperty(
        name="Seed", description="Another seed gives another mesh, with generators that draw noise", default=42, min=0
    )
    replace: bpy.props.BoolProperty(
        name="Replace",
        description="Renew the mesh that the same generator made before. Off: add the new one beside it",
        default=True,
    )

    def mesh_settings(self) -> api.MeshSettings:
        """These choices as plain values."""
        names = ("faces", "texture_size", "resolution", "seed", "replace")
        return api.MeshSettings(self.generator_name, **{name: getattr(self, name) for name in names})


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

    def begin(self, context: bpy.types.Context):
        world = active_world(context)
        if world is None or world.is_linked:
            raise WorldTracingError(
                "WT-SCENE-SELECT",
                "There is no traced world in this scene, or it is linked from another file.",
                "Trace a photo first; append a world instead of linking it.",
            )
        settings = context.scene.world_tracing_mesh.mesh_settings()
        return api.start_meshes(world, self.items(context, world), settings=settings)

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
        self._done = 0
        items = api.lifted_objects(world)
        if not items:
            raise nothing_lifted()
        return items

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

    def begin(self, _context: bpy.types.Context):
        return api.start_generator_check()

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


def _select(context: bpy.types.Context, parts: list[bpy.types.Object]) -> None:
    for other in context.selected_objects:
        other.select_set(False)
    for part in parts:
        if part.name in context.view_layer.objects:
            part.select_set(True)
            context.view_layer.objects.active = part


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(
    (
        WT_MeshSettings,
        WT_OT_make_mesh,
        WT_OT_make_all_meshes,
        WT_OT_check_generators,
        WT_OT_show_mesh,
        WT_OT_export_mesh,
    )
)


def register() -> None:
    _register_classes()
    bpy.types.Scene.world_tracing_mesh = bpy.props.PointerProperty(
        type=WT_MeshSettings, name="World Tracing Mesh", description="The choices for the next mesh"
    )


def unregister() -> None:
    del bpy.types.Scene.world_tracing_mesh
    _unregister_classes()
