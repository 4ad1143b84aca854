"""Textured meshes of traced objects and worlds: the part of the Python API that `api` passes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bpy

from ..backend.worldtracing.errors import Cancelled, WorldTracingError
from . import mesh_export, mesh_properties, preferences
from .client import session
from .core.generators import KnownGenerator, MeshSettings, known_generators
from .core.jobs import JobState
from .mesh_jobs import GeneratorCheck, MeshFailure, MeshWork
from .scene import meshes
from .scene.objects import is_lifted, lifted_objects
from .scene.worlds import WORLD, WorldObjects, worlds

__all__ = [
    "MeshFailure",
    "MeshSettings",
    "check_mesh_generators",
    "export_mesh",
    "make_mesh",
    "make_meshes",
    "mesh_generators",
    "meshes_of",
    "show_mesh",
    "show_points",
    "start_generator_check",
    "start_meshes",
]


def mesh_generators() -> list[KnownGenerator]:
    """The mesh generators with their licences; their health is known once `check_mesh_generators` has run."""
    return known_generators(session.worker_generators())


def start_generator_check(settings: MeshSettings | None = None) -> GeneratorCheck:
    """Ask the worker whether its generators can run, and return at once; `poll` or `wait` on the result.

    Generators may start programs or ask servers at the addresses that you gave them, in the preferences or, for the
    generator of `settings`, there.

    Raises:
        WorldTracingError: WT-WORKER-BUSY, WT-WORKER-NO-PYTHON.
    """
    options = {known.info.name: mesh_properties.machine_options(known) for known in mesh_generators()}
    if settings is not None:
        options[settings.generator] = {**options.get(settings.generator, {}), **settings.extra}
    return GeneratorCheck(preferences.worker_settings(), options)


def check_mesh_generators(
    settings: MeshSettings | None = None, *, on_progress: Callable[[JobState], None] | None = None
) -> list[KnownGenerator]:
    """Ask the worker whether its generators can run, as `start_generator_check` does, wait, and return them all.

    Raises:
        WorldTracingError: WT-WORKER-BUSY and whatever ended the worker.
    """
    _wait(start_generator_check(settings), on_progress)
    return mesh_generators()


def start_meshes(
    world: WorldObjects, items: list[bpy.types.Object] | None = None, *, settings: MeshSettings | None = None
) -> MeshWork:
    """Begin meshes of lifted objects, or of the world without them, and return at once.

    Call `poll` on the result until its state is finished. The worker makes one after the other.

    Raises:
        WorldTracingError: WT-WORKER-BUSY while a trace or mesh runs, WT-SCENE-SELECT where an item is no lifted object.
    """
    for item in items or ():
        if item not in lifted_objects(world):
            raise _no_source(item)
    return MeshWork(world, items or [None], _complete(settings or MeshSettings()), preferences.worker_settings())


def make_mesh(
    target: WorldObjects | bpy.types.Object,
    settings: MeshSettings | None = None,
    *,
    on_progress: Callable[[JobState], None] | None = None,
) -> bpy.types.Object:
    """Make a textured mesh of a world or of one lifted object, wait, and return it.

    It stands where the points are, which are hidden, with the object's own origin. What objects have taken is no part
    of the world's mesh.

    Raises:
        WorldTracingError: WT-SCENE-SELECT, WT-SCENE-EMPTY, WT-WORKER-BUSY, and those of the generator.
    """
    world, item = _source(target)
    work = start_meshes(world, item and [item], settings=settings)
    _wait(work, on_progress)
    return work.meshes[0]


def make_meshes(
    world: WorldObjects,
    settings: MeshSettings | None = None,
    *,
    on_progress: Callable[[JobState], None] | None = None,
) -> tuple[list[bpy.types.Object], list[MeshFailure]]:
    """Make meshes of all lifted objects of a world and wait; the meshes, and what failed.

    Raises:
        WorldTracingError: WT-SCENE-SELECT where nothing was lifted, WT-WORKER-BUSY, and what would befall every object.
    """
    items = lifted_objects(world)
    if not items:
        raise nothing_lifted()
    work = start_meshes(world, items, settings=settings)
    _wait(work, on_progress)
    return work.meshes, work.failures


def meshes_of(target: WorldObjects | bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes that were made of a world, or of one lifted object, by name.

    Raises:
        WorldTracingError: WT-SCENE-SELECT.
    """
    return meshes.meshes_of(*_source(target))


def show_mesh(mesh: bpy.types.Object) -> None:
    """Show a mesh, and hide its points and the other meshes of them.

    Raises:
        WorldTracingError: WT-SCENE-SELECT.
    """
    if not meshes.is_mesh(mesh):
        raise _no_source(mesh)
    world = _world_of(mesh)
    meshes.show_alternative(world, meshes.source_of(world, mesh), mesh)


def show_points(target: WorldObjects | bpy.types.Object) -> None:
    """Show the points of a world, or of one lifted object, and hide all meshes of them.

    Raises:
        WorldTracingError: WT-SCENE-SELECT.
    """
    meshes.show_alternative(*_source(target), None)


def export_mesh(mesh: bpy.types.Object, path: str | Path) -> Path:
    """Write an object with Blender's own exporter, as it stands in the scene, modifiers applied.

    Args:
        path: ends in .glb, .usd, .usda, .usdc or .usdz; a file that is there is replaced.

    Raises:
        WorldTracingError: WT-SCENE-EXPORT where Blender cannot write it, WT-IO-WRITE.
    """
    return mesh_export.export_mesh(mesh, Path(bpy.path.abspath(str(path))))


def nothing_lifted() -> WorldTracingError:
    """The error for work on lifted objects where there are none."""
    return WorldTracingError(
        "WT-SCENE-SELECT", "No object was lifted out of this world.", "Lift one first, or make a mesh of the world."
    )


def _complete(settings: MeshSettings) -> MeshSettings:
    """The settings with what the preferences say of the generator, where they say nothing else."""
    known = next((known for known in mesh_generators() if known.info.name == settings.generator), None)
    machine = mesh_properties.machine_options(known) if known is not None else {}
    return replace(settings, extra={**machine, **settings.extra})


def _wait(work: MeshWork | GeneratorCheck, on_progress: Callable[[JobState], None] | None) -> None:
    state = work.wait(on_progress)
    if state.error is not None:
        raise state.error
    if state.status == "cancelled":
        raise Cancelled


def _source(target: WorldObjects | bpy.types.Object) -> tuple[WorldObjects, bpy.types.Object | None]:
    if isinstance(target, WorldObjects):
        return target, None
    if not is_lifted(target):
        raise _no_source(target)
    return _world_of(target), target


def _world_of(part: bpy.types.Object) -> WorldObjects:
    for scene in part.users_scene:
        for world in worlds(scene):
            if world.id == part.get(WORLD):
                return world
    raise _no_source(part)


def _no_source(part: bpy.types.Object) -> WorldTracingError:
    return WorldTracingError(
        "WT-SCENE-SELECT",
        f"{part.name} is no object that was lifted out of a traced world, nor a mesh of one.",
        "Choose a lifted object; of a copy, the one that it was copied from.",
    )
