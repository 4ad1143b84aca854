"""Writing one object with Blender's own exporters, which take what is selected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from ..backend.worldtracing.errors import WorldTracingError
from ..backend.worldtracing.files import check_writable
from . import compat

USD = (".usd", ".usda", ".usdc", ".usdz")


def export_mesh(mesh: bpy.types.Object, path: Path) -> Path:
    """Write `mesh` to `path`, whose ending chooses the format; see `api.export_mesh`."""
    path = path.resolve()
    kind = path.suffix.lower()
    if kind != ".glb" and kind not in USD:
        raise _not_exported(
            path, f"{kind or 'no ending'} is no format for it", "Choose a name ending in .glb or .usdc."
        )
    bpy.context.view_layer.update()  # else it does not know what a script has just made
    if mesh.name not in bpy.context.view_layer.objects:
        raise _not_exported(path, f"{mesh.name} is switched off in this view layer", "Switch its collection on.")
    check_writable(path)
    with _only_selected(mesh, path):
        try:
            if kind == ".glb":
                done = bpy.ops.export_scene.gltf(
                    filepath=str(path), export_format="GLB", use_selection=True, export_apply=True
                )
            else:
                done = bpy.ops.wm.usd_export(filepath=str(path), selected_objects_only=True, **compat.usd_textures())
        except (RuntimeError, AttributeError) as error:  # the exporter is an add-on, and can be off
            raise _not_exported(
                path, str(error).strip(), "Check the folder, and that the exporter is enabled."
            ) from error
    if done != {"FINISHED"} or not path.is_file():
        raise _not_exported(path, "no file was written", "Look at Blender's system console.")
    return path


@contextmanager
def _only_selected(mesh: bpy.types.Object, path: Path) -> Iterator[None]:
    view_layer = bpy.context.view_layer
    selected, active = list(view_layer.objects.selected), view_layer.objects.active
    hidden, put_away, fixed = mesh.hide_viewport, mesh.hide_get(), mesh.hide_select
    try:
        mesh.hide_viewport = False  # what is hidden cannot be selected
        mesh.hide_set(False)
        mesh.hide_select = False
        for other in selected:
            other.select_set(False)
        mesh.select_set(True)
        view_layer.objects.active = mesh
        if list(view_layer.objects.selected) != [mesh]:
            raise _not_exported(path, f"the collection of {mesh.name} is hidden", "Show it in the outliner.")
        yield
    finally:
        mesh.select_set(False)
        mesh.hide_viewport, mesh.hide_select = hidden, fixed
        mesh.hide_set(put_away)
        for other in selected:
            other.select_set(True)
        view_layer.objects.active = active


def _not_exported(path: Path, reason: str, fix: str) -> WorldTracingError:
    return WorldTracingError("WT-SCENE-EXPORT", f"Blender could not export {path.name} ({reason}).", fix)
