"""Seeds, saved traces, folders of photos and real lengths: the part of the Python API that `api` passes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import bpy
from mathutils import Vector

from ..backend.worldtracing.errors import WorldTracingError
from ..backend.worldtracing.files import write_error
from ..backend.worldtracing.world import read_metadata
from . import history, preferences, saved
from .batch import Batch, Failure, find_pictures
from .core.jobs import JobState
from .core.settings import TraceSettings
from .core.traces import SavedTrace, find_traces, seed_names
from .scene import scale, visibility
from .scene.origin import Seed, asked_settings, world_seeds
from .scene.worlds import WorldObjects

__all__ = [
    "Batch",
    "Failure",
    "SavedTrace",
    "Seed",
    "build_from_file",
    "find_pictures",
    "pick_seed",
    "remove_saved",
    "saved_traces",
    "seeds",
    "set_scale",
    "show_only",
    "start_batch",
    "trace_folder",
    "use_settings",
]


def seeds(world: WorldObjects) -> list[Seed]:
    """The guesses of the world's trace, in the order traced; empty where there was one alone."""
    return world_seeds(world.root) if world.root else []


def pick_seed(world: WorldObjects, seed: int) -> WorldObjects:
    """Show another guess of the same trace: its points take the place of those shown, all else stays.

    Raises:
        WorldTracingError: WT-SCENE-SEED where it was not traced with this seed, WT-IO-READ and its kin where the
            seed's file is gone or damaged.
    """
    return saved.pick_seed(world, seed)


def saved_traces(folders: Iterable[str | Path] | None = None) -> list[SavedTrace]:
    """The traces saved in `folders`, newest first; without them, in the results folder and those of this file's worlds.

    Seeds are listed under their trace.
    """
    return find_traces(map(Path, folders) if folders is not None else history.folders())


def build_from_file(
    path: str | Path, *, scene: bpy.types.Scene | None = None, photo: bpy.types.Image | None = None
) -> WorldObjects:
    """Build, or build again, the world of a saved .safetensors file.

    It takes the place of the world that was traced from the same photo.

    Args:
        photo: stands behind the matched camera; without one the image of that photo, where this Blender file has it,
            else the traced pixels.

    Raises:
        WorldTracingError: WT-IO-READ and its kin where the file is not a world, WT-SCENE-EMPTY.
    """
    return saved.build_saved(path, scene or bpy.context.scene, photo)


def use_settings(scene: bpy.types.Scene, path: str | Path) -> list[str]:
    """Set the scene's choices for the next trace to those of a saved one, and its photo where this file has it.

    Returns what could not be set, by name: choices that the panel does not offer.

    Raises:
        WorldTracingError: WT-IO-READ and its kin, WT-SCENE-NO-SETTINGS where the file does not tell them.
    """
    metadata = read_metadata(path)
    settings = asked_settings(metadata)
    if settings is None:
        raise WorldTracingError(
            "WT-SCENE-NO-SETTINGS",
            f"{Path(path).name} does not tell the settings that it was traced with.",
            "It was written by an older version; trace again to keep them.",
        )
    photo = bpy.data.images.get(metadata.get("image") or "")
    if photo is not None:
        scene.world_tracing.image = photo
    return scene.world_tracing.use(settings)


def remove_saved(path: str | Path) -> None:
    """Delete the file of a saved trace and those of its seeds. A world that was built from it stays in its scene.

    Raises:
        WorldTracingError: WT-IO-READ and its kin where it is no saved trace, WT-IO-WRITE where it cannot be deleted.
    """
    path = Path(path)
    files = [path, *(path.with_name(name) for name in seed_names(read_metadata(path)))]
    try:
        for file in files:
            file.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path, error) from error


def set_scale(world: WorldObjects, point_a: Sequence[float], point_b: Sequence[float], length: float) -> float:
    """Scale a world so that two of its points, given as places in the scene, come to lie `length` apart.

    It keeps standing as high as it stood, and what its camera sees does not change. The length holds for other seeds
    and later traces of the photo too, until the root is scaled by hand. Returns the factor.

    Raises:
        WorldTracingError: WT-SCENE-SCALE.
    """
    return scale.set_scale(world, Vector(point_a), Vector(point_b), length)


def show_only(world: WorldObjects) -> None:
    """Show one world and leave out the scene's other ones, by the check boxes of their collections."""
    visibility.show_only(world)


def start_batch(
    paths: Sequence[str | Path], *, scene: bpy.types.Scene | None = None, settings: TraceSettings | None = None
) -> Batch:
    """Begin to trace photos one after the other and return at once; call `poll` until its state is finished.

    Each becomes a world of its own, of which the last one is shown; `show_only` shows another. Photos that fail are
    kept in `failures`, and the batch goes on, unless the error would befall every photo.

    Raises:
        WorldTracingError: WT-IMG-NO-PICTURES without a photo, WT-WORKER-BUSY while a trace runs.
    """
    settings = preferences.with_network_options(settings or TraceSettings())
    return Batch(paths, scene or bpy.context.scene, settings)


def trace_folder(
    folder: str | Path,
    *,
    scene: bpy.types.Scene | None = None,
    settings: TraceSettings | None = None,
    on_progress: Callable[[JobState], None] | None = None,
) -> tuple[list[WorldObjects], list[Failure]]:
    """Trace all pictures of a folder and wait: the worlds that were built, and the photos that failed.

    Raises:
        WorldTracingError: WT-IMG-NO-PICTURES, WT-WORKER-BUSY.
    """
    batch = start_batch(find_pictures(folder), scene=scene, settings=settings)
    batch.wait(on_progress)
    return batch.worlds, batch.failures
