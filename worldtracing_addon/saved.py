"""Saved worlds back in the scene: a trace built again from its file, and another seed in the place of the one shown."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy

from ..backend.worldtracing.errors import WorldTracingError
from ..backend.worldtracing.seeds import read_seeds, seed_file
from ..backend.worldtracing.world import LayeredWorld, read_metadata
from .core.settings import TraceSettings
from .scene import build
from .scene.camera import TRACED_PICTURE
from .scene.lifted_retrace import Retrace, size_of_lifted
from .scene.origin import Seed, note_origin, world_result, world_seeds
from .scene.photo import find_upright
from .scene.scale import keep_scale
from .scene.worlds import KIND, WorldObjects, find_traced


def build_saved(
    path: str | Path,
    scene: bpy.types.Scene,
    photo: bpy.types.Image | None = None,
    warn: Callable[[WorldTracingError], None] | None = None,
    prepared: Retrace | None = None,
) -> WorldObjects:
    """Build the world of a file, in the place of the one that was traced from the same photo.

    Args:
        photo: stands behind the camera; without one the photo's image where this file has it, else the traced pixels.
        warn: as in `build_world`.
        prepared: what the work of `prepare_saved` has returned.

    Raises:
        WorldTracingError: those of `LayeredWorld.load`, WT-SCENE-EMPTY.
    """
    prepared = prepared or Retrace(LayeredWorld.load(path), None)
    loaded = prepared.world
    name, photo, before = _place(loaded.metadata, path, scene, photo)
    use_camera = before is None or _has_camera(scene, before)
    options = build.BuildOptions(use_camera=use_camera, division=prepared.division)
    world = build.build_world(
        scene, loaded, name=name, photo=photo, source=str(path), replaces=before, options=options, warn=warn
    )
    finish(world, loaded.metadata, path)
    return world


def replaced_by(path: Path, scene: bpy.types.Scene) -> WorldObjects | None:
    """The world in whose place `build_saved` would build that of a file.

    Raises:
        WorldTracingError: those of `read_metadata`.
    """
    return _place(read_metadata(path), path, scene)[2]


def prepare_saved(path: Path, replaced: WorldObjects) -> Callable[[], Retrace] | None:
    """Work for a thread that lets `build_saved` take less time; None where there is nothing to compute."""
    size = size_of_lifted(replaced)
    return None if size is None else lambda: Retrace.prepared(LayeredWorld.load(path), size)


def finish(world: WorldObjects, metadata: Mapping[str, Any], result: str | Path) -> None:
    """What follows every build: note where the world comes from, and keep the length that the artist has set."""
    note_origin(world, metadata, result)
    keep_scale(world)


def discard_seeds(result: Path, settings: TraceSettings) -> None:
    """Remove what a cancelled trace has written of its seeds."""
    with contextlib.suppress(WorldTracingError, TypeError, OSError):  # not what `seeds` means to an unknown engine
        for seed in read_seeds(settings.extra["seeds"], settings.seed) if "seeds" in settings.extra else ():
            seed_file(result.with_suffix(""), seed).unlink(missing_ok=True)


def pick_seed(world: WorldObjects, number: int, prepared: Retrace | None = None) -> WorldObjects:
    """Build another seed of the world's trace in its place; all else stays.

    Args:
        prepared: what the work of `prepare_seed` has returned.

    Raises:
        WorldTracingError: WT-SCENE-SEED where the trace has no such seed, those of `LayeredWorld.load`.
    """
    root, seed = world.root, _seed_of(world, number)
    if seed is None:
        raise WorldTracingError(
            "WT-SCENE-SEED",
            f"The world {world.name} was not traced with the seed {number}.",
            "Pick one of its own seeds, or trace again with this one.",
        )
    prepared = prepared or Retrace(_load_seed(seed, world_result(root)), None)
    photo = world.camera and _background(world.camera)
    options = build.BuildOptions(use_camera=_has_camera(world.scene, world), division=prepared.division)
    build.build_world(
        world.scene,
        prepared.world,
        name=world.collection["wt_name"],
        photo=photo,
        source=str(seed.path),
        replaces=world,
        options=options,
    )
    keep_scale(world)
    return world


def prepare_seed(world: WorldObjects, number: int) -> Callable[[], Retrace] | None:
    """Work for a thread that lets `pick_seed` take less time; None where there is nothing to compute."""
    size, seed = size_of_lifted(world), _seed_of(world, number)
    if size is None or seed is None:
        return None
    result = world_result(world.root)
    return lambda: Retrace.prepared(_load_seed(seed, result), size)


def _seed_of(world: WorldObjects, number: int) -> Seed | None:
    return next((seed for seed in world_seeds(world.root) if seed.number == number), None) if world.root else None


def _load_seed(seed: Seed, result: Path) -> LayeredWorld:
    loaded = LayeredWorld.load(seed.path)
    return replace(loaded, metadata=_with_photo(loaded.metadata, result))


def _with_photo(metadata: Mapping[str, Any], result: Path) -> dict[str, Any]:
    """A seed's metadata with what only the trace's result says of the photo; the part of it that was traced, above all.

    Of huge photos, which are scaled while they load, an engine that writes its own seeds does not know that part.
    """
    whole: dict[str, Any] = {}
    with contextlib.suppress(WorldTracingError):  # where it is gone, the seed alone has to do
        whole = read_metadata(result)
    crop = {"crop": whole["crop"]} if "crop" in whole else {}
    return {**whole, **metadata, **crop}


def _place(
    metadata: Mapping[str, Any], path: str | Path, scene: bpy.types.Scene, photo: bpy.types.Image | None = None
) -> tuple[str, bpy.types.Image | None, WorldObjects | None]:
    """A saved world's name, photo, and the world in whose place it comes."""
    name = metadata.get("image") or Path(path).stem
    photo = photo or _photo_of(metadata, name)
    return name, photo, find_traced(scene, name, photo)


def _has_camera(scene: bpy.types.Scene, world: WorldObjects) -> bool:
    """Whether the scene looks through the world's camera, or through none; another one is the artist's choice."""
    return scene.camera is None or scene.camera == world.camera


def _photo_of(metadata: Mapping[str, Any], name: str) -> bpy.types.Image | None:
    """The image of the photo that was traced, upright; None where this file has none."""
    size = tuple(metadata.get("photo_size") or ())
    for image in bpy.data.images:
        if image.name == name:
            upright = find_upright(image, metadata.get("image_sha256"))
            if upright is not None or tuple(image.size) == size:
                return upright or image
    return None


def _background(camera: bpy.types.Object) -> bpy.types.Image | None:
    """The photo behind the matched camera; None where the traced pixels stand in for it."""
    images = [picture.image for picture in camera.data.background_images if picture.image]
    return next((image for image in images if image.get(KIND) != TRACED_PICTURE), None)
