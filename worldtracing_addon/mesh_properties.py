"""What the mesh panel edits: the choices for the next mesh, saved with the scene, and the generators' own options."""

from __future__ import annotations

from typing import Any

import bpy

from ..backend.worldtracing.meshing.base import GeneratorInfo
from . import generator_options
from .client import session
from .core.generators import DEFAULT_GENERATOR, KnownGenerator, MeshSettings, known_generators
from .plugin_enum import plugin_enum
from .preferences import WT_GeneratorPreferences, get_preferences, remote_worker


def _generators() -> list[GeneratorInfo]:
    return [known.info for known in known_generators(session.worker_generators())]


class WT_MeshSettings(bpy.types.PropertyGroup):
    """Scene.world_tracing_mesh: the choices for the next mesh."""

    generator_name: bpy.props.StringProperty(
        name="Generator Name",
        description="The generator's name, which outlives a machine that does not have it",
        default=DEFAULT_GENERATOR,
        options={"HIDDEN"},
    )
    generator: plugin_enum(_generators, "generator_name", "Generator", "What makes the mesh of the traced points")
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

    def mesh_settings(self) -> MeshSettings:
        """These choices as plain values."""
        declare_options()
        names = ("faces", "texture_size", "resolution", "seed", "replace")
        extra = generator_options.chosen(self, self.generator_name)
        return MeshSettings(self.generator_name, **{name: getattr(self, name) for name in names}, extra=extra)


def declare_options() -> None:
    """Make properties of the known generators' options: those of the machine in the preferences, others in scenes."""
    if get_preferences() is None:
        return
    for known in known_generators(session.worker_generators()):
        info, split = known.info, {True: [], False: []}
        for option in info.options:
            split[option.machine].append(option)
        try:
            generator_options.declare(WT_MeshSettings, info.name, split[False], session.forget_health)
            if not info.settings_of:
                generator_options.declare(WT_GeneratorPreferences, info.name, split[True], session.forget_health)
        except (TypeError, ValueError, RuntimeError) as error:  # options of a plug-in that Blender cannot show
            print(f"World Tracing: the options of the mesh generator {info.name!r} cannot be shown ({error})")


def machine_options(known: KnownGenerator) -> dict[str, Any]:
    """What the preferences say of where a generator is on this computer, as options of its own; another has its own."""
    declare_options()
    if remote_worker():
        return {}
    preferences = get_preferences()
    owner = known.info.settings_of or known.info.name
    return generator_options.chosen(preferences.generators, owner) if preferences is not None else {}


_register_classes, _unregister_classes = bpy.utils.register_classes_factory((WT_MeshSettings,))


def register() -> None:
    _register_classes()
    bpy.types.Scene.world_tracing_mesh = bpy.props.PointerProperty(
        type=WT_MeshSettings, name="World Tracing Mesh", description="The choices for the next mesh"
    )
    bpy.app.timers.register(declare_options)  # later: it imports the generators


def unregister() -> None:
    if bpy.app.timers.is_registered(declare_options):
        bpy.app.timers.unregister(declare_options)
    generator_options.forget_all()
    del bpy.types.Scene.world_tracing_mesh
    _unregister_classes()
