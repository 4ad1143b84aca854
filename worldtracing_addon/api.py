"""The Python API: everything a button does, for scripts, tests and the operators themselves.

    from bl_ext.user_default.world_tracing.worldtracing_addon import api
    root = api.trace_world("photo.jpg")
    api.render_still(bpy.context.scene, "photo_render.png")

All functions run on the main thread. Errors are `WorldTracingError`s: `.code`, `.message`, `.fix`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import bpy

from ..backend.worldtracing.engines.base import EngineInfo
from ..backend.worldtracing.errors import Cancelled, WorldTracingError
from ..backend.worldtracing.files import replacing, write_error
from ..backend.worldtracing.world import LayeredWorld
from . import preferences
from .backend import *  # noqa: F403
from .backend import __all__ as _BACKEND
from .client import session
from .core.engines import known_engines
from .core.jobs import JobState
from .core.settings import TraceSettings
from .diagnostics import *  # noqa: F403
from .diagnostics import __all__ as _DIAGNOSTICS
from .editing import *  # noqa: F403
from .editing import __all__ as _EDITING
from .meshing import *  # noqa: F403
from .meshing import __all__ as _MESHING
from .models import *  # noqa: F403
from .models import __all__ as _MODELS
from .painting import *  # noqa: F403
from .painting import __all__ as _PAINTING
from .remote import *  # noqa: F403
from .remote import __all__ as _REMOTE
from .results import *  # noqa: F403
from .results import __all__ as _RESULTS
from .scene import build, camera, merged, render, view
from .scene.photo import load_image
from .scene.worlds import WorldObjects, active_world, set_layer_inputs, worlds
from .trace import Trace

__all__ = [
    "LayeredWorld",
    "TraceSettings",
    "WorldObjects",
    "WorldTracingError",
    "active_world",
    "add_orbit_camera",
    "engines",
    "look_through",
    "make_point_cloud",
    "matches_photo",
    "merge_layers",
    "remove_world",
    "render_still",
    "save_blend",
    "separate_layers",
    "set_layers",
    "set_match_photo",
    "start_trace",
    "trace_world",
    "worlds",
    *_BACKEND,
    *_DIAGNOSTICS,
    *_MESHING,
    *_MODELS,
    *_PAINTING,
    *_REMOTE,
    *_RESULTS,
    *_EDITING,
]


def engines() -> list[EngineInfo]:
    """What each installed tracing engine says of itself; engines that cannot be loaded are left out.

    These are the engines of Blender's own Python, and once a trace has run those of the worker's.
    """
    return known_engines(session.worker_engines())


def start_trace(
    image: bpy.types.Image | str | Path,
    *,
    scene: bpy.types.Scene | None = None,
    settings: TraceSettings | None = None,
    mask: bpy.types.Image | str | Path | None = None,
    output: str | Path | None = None,
) -> Trace:
    """Begin a trace and return at once; call `poll` on the result until its state is finished.

    Args:
        image: a Blender image, or the path of a picture file.
        scene: where the world is built; the current scene without one.
        settings: the choices; the defaults without them.
        mask: white where the object is; without one the photo's alpha or the found foreground.
        output: the .safetensors file to write; without one a new file in the results folder.

    Raises:
        WorldTracingError: WT-WORKER-BUSY while another trace runs, WT-SCENE-NO-PIXELS, WT-IMG-MISSING, WT-IMG-BOMB,
            WT-MEM-PHOTO, WT-IO-WRITE.
    """
    return Trace(
        image=load_image(image) if isinstance(image, (str, Path)) else image,
        mask=load_image(mask) if isinstance(mask, (str, Path)) else mask,
        scene=scene or bpy.context.scene,
        settings=preferences.with_network_options(settings or TraceSettings()),
        output=Path(output) if output else None,
        worker_settings=preferences.worker_settings(),
    )


def trace_world(
    image: bpy.types.Image | str | Path, *, on_progress: Callable[[JobState], None] | None = None, **options: Any
) -> WorldObjects:
    """Trace, wait, and return the world that was built. Options are those of `start_trace`.

    Raises:
        WorldTracingError: whatever stopped the trace.
    """
    trace = start_trace(image, **options)
    state = trace.wait(on_progress)
    if state.error is not None:
        raise state.error
    if state.status == "cancelled":
        raise Cancelled
    return trace.world


def remove_world(world: WorldObjects) -> None:
    """Remove a world's objects, collections and data from its scene; its saved file stays."""
    build.remove_world(world)


def set_layers(world: WorldObjects, **inputs: Any) -> None:
    """Set inputs of the layers' geometry nodes, e.g. Display="Surface", Point_Radius=1.0, Lit=True.

    Raises:
        KeyError: the node group has no such input.
    """
    set_layer_inputs(world, **inputs)


def merge_layers(world: WorldObjects) -> bpy.types.Object:
    """One object with the points of all layers and the same controls; the layers' own objects are hidden.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY where all layers have been deleted.
    """
    return merged.merge_layers(world)


def separate_layers(world: WorldObjects) -> None:
    """Remove the merged object and show the layers' own ones again."""
    merged.separate_layers(world)


def make_point_cloud(world: WorldObjects) -> bpy.types.Object:
    """A new object with the points of all layers as Blender's PointCloud data; a retrace leaves it alone.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY where all layers have been deleted.
    """
    return merged.make_point_cloud(world)


def look_through(context: bpy.types.Context, world: WorldObjects) -> None:
    """Make the camera that took the photo that of the world's scene, at the photo's size.

    If `context` is in a 3D viewport that shows this scene, it looks through the camera, shaded in color.
    """
    camera.look_through(world.scene, world.camera)
    view.show_through_camera(context, world.scene)


def matches_photo(scene: bpy.types.Scene) -> bool:
    """Whether Match Photo is on."""
    return render.matches_photo(scene)


def set_match_photo(scene: bpy.types.Scene, on: bool) -> None:
    """Render in exactly the photo's colors on a transparent film, or go back to the settings before."""
    if on:
        render.match_photo(scene)
    else:
        render.restore_view(scene)


def add_orbit_camera(scene: bpy.types.Scene, world: WorldObjects, degrees: float) -> bpy.types.Object:
    """A second camera, led around the world's center by `degrees`; the matched camera stays the scene's."""
    return camera.orbit_camera(scene, world, degrees)


def render_still(
    scene: bpy.types.Scene, path: str | Path, *, view_from: bpy.types.Object | None = None, samples: int = 16
) -> Path:
    """Render a PNG with Cycles on the processor; the scene keeps its own camera and render settings.

    The size is the scene's, its percentage included; compositor, sequencer and render border are left out. A file that
    was at `path` is replaced once the picture is written.

    Args:
        view_from: another camera than the scene's.

    Raises:
        WorldTracingError: WT-SCENE-CAMERA without a camera, WT-SCENE-CYCLES, WT-SCENE-RENDER where Blender cannot
            render, WT-IO-WRITE or WT-IO-FULL where the file cannot be written.
    """
    path = Path(path).resolve()
    if view_from is None and scene.camera is None:
        raise WorldTracingError(
            "WT-SCENE-CAMERA", "The scene has no camera to render from.", "Trace a photo, or add a camera."
        )
    if not hasattr(scene, "cycles"):
        raise WorldTracingError(
            "WT-SCENE-CYCLES", "Cycles is switched off.", "Enable the add-on Cycles Render Engine in the preferences."
        )
    with replacing(path) as temporary, _temporary_settings(scene):
        render.cycles_still(scene, samples)
        scene.camera = view_from or scene.camera
        scene.render.filepath = str(temporary)
        scene.render.use_file_extension = scene.render.use_border = False
        scene.render.use_compositing = scene.render.use_sequencer = False
        try:
            bpy.ops.render.render(write_still=True, scene=scene.name)
        except RuntimeError as error:
            raise WorldTracingError(
                "WT-SCENE-RENDER",
                f"Blender could not render {path.name} ({str(error).strip()}).",
                "Check the folder and the scene, and look at Blender's system console.",
            ) from error
    return path


def save_blend(path: str | Path) -> Path:
    """Save the file with its pictures packed, as far as their files are there, so that it opens anywhere.

    Raises:
        WorldTracingError: WT-IO-WRITE where it cannot be written.
    """
    path = Path(path).resolve()
    for image in bpy.data.images:
        if image.source == "FILE" and not image.packed_file and image.has_data and not image.library:
            with suppress(RuntimeError):  # its file was moved or deleted
                image.pack()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True)
    except OSError as error:
        raise write_error(path, error) from error
    except RuntimeError as error:  # Blender's own report
        raise write_error(path, OSError(str(error).strip())) from error
    return path


@contextmanager
def _temporary_settings(scene: bpy.types.Scene) -> Iterator[None]:
    """Set a scene's camera and render settings back at the end."""
    image, cycles = scene.render.image_settings, scene.cycles
    kept = {
        scene: ("camera",),
        scene.render: ("engine", "filepath", "use_file_extension", "use_border", "use_compositing", "use_sequencer"),
        image: ("media_type", "file_format", "color_mode", "color_depth"),  # in this order: each limits the next
        cycles: ("device", "samples", "use_adaptive_sampling", "use_denoising"),
    }
    before = [
        (owner, name, getattr(owner, name)) for owner, names in kept.items() for name in names if hasattr(owner, name)
    ]
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
