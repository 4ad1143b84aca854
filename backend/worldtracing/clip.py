"""From the frames of a clip to one LayeredWorld per frame, with the dynamic model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .camera import DEFAULT_FOV_DEGREES, Camera
from .engines.base import TraceOptions
from .engines.wt_dit import WTDiTEngine
from .errors import WorldTracingError
from .image import Photo, load_mask, load_photo
from .matte import find_foreground
from .progress import OnProgress, silent
from .tracing import check_seed, in_file_pixels
from .world import LayeredWorld

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def trace_clip(
    frames: str | Path | Sequence[str | Path],
    masks: str | Path | Sequence[str | Path] | None = None,
    *,
    seed: int = 42,
    extra: Mapping[str, Any] | None = None,
    engine: WTDiTEngine | None = None,
    on_progress: OnProgress = silent,
) -> list[LayeredWorld]:
    """Trace a clip of one moving foreground, seen by one camera.

    All frames share one crop around the foreground of all of them, and one camera. A clip that is longer than the
    model's is traced in windows: see `WTDiTEngine.trace_frames`.

    Args:
        frames: a folder, whose pictures are taken in the order of their names, or the pictures' paths in order.
        masks: the same of masks, one per frame, bright on the foreground. Without them it is the frames' alpha where
            any frame has one, else each frame's foreground is found by itself.
        seed: 0 to 2**32 - 1.
        extra: options of the engine wt-dit.
        engine: one that has the network loaded; a new one without it.
        on_progress: called before each step; whatever it raises stops the trace.

    Returns:
        One world per frame; its metadata tells `frame`, `frames` and `window`, both counted from 0.

    Raises:
        WorldTracingError: WT-IMG-CLIP for no frames or another number of masks; WT-MODEL-OPTION, WT-MEM-TRACE; those of
            load_photo, load_mask, find_foreground and `WTDiTEngine.trace_frames`.
    """
    check_seed(seed)
    paths = clip_frames(frames)
    mask_paths = None if masks is None else clip_frames(masks)
    if mask_paths is not None and len(mask_paths) != len(paths):
        raise WorldTracingError(
            "WT-IMG-CLIP",
            f"There are {len(mask_paths)} masks for {len(paths)} frames.",
            "Give one mask for each frame, in the same order.",
        )
    options = TraceOptions("object", seed, extra=dict(extra or {}))
    try:
        return _trace(paths, mask_paths, options, engine or WTDiTEngine(), on_progress)
    except MemoryError as error:
        raise WorldTracingError(
            "WT-MEM-TRACE",
            f"There is not enough memory to trace {len(paths)} frames.",
            "Trace fewer frames at a time, scale them down, or close other programs.",
        ) from error


def _trace(
    paths: list[Path], masks: list[Path] | None, options: TraceOptions, engine: WTDiTEngine, on_progress: OnProgress
) -> list[LayeredWorld]:
    photos: list[Photo] = []
    for k, path in enumerate(paths):
        on_progress("Reading the frames", k, len(paths))
        photos.append(load_photo(path))
    alphas = _alphas(photos, masks, on_progress)
    traced = engine.trace_frames([photo.rgb for photo in photos], alphas, _camera(photos[0]), options, on_progress)
    return [
        replace(world, metadata={**_metadata(path, photo), **in_file_pixels(world.metadata, photo)})
        for world, path, photo in zip(traced, paths, photos, strict=True)
    ]


def clip_frames(frames: str | Path | Sequence[str | Path]) -> list[Path]:
    """The pictures of a folder in the order of their names, or the given ones.

    Raises:
        WorldTracingError: WT-IMG-CLIP where there is none.
    """
    if isinstance(frames, str | Path):
        folder = Path(frames)
        if not folder.is_dir():
            raise WorldTracingError("WT-IMG-CLIP", f"There is no folder {folder}.", "Choose a folder of frames.")
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    else:
        found = [Path(path) for path in frames]
    if not found:
        raise WorldTracingError(
            "WT-IMG-CLIP", f"There are no frames in {frames}.", f"Give pictures that end in {', '.join(SUFFIXES)}."
        )
    return found


def _alphas(photos: list[Photo], masks: list[Path] | None, on_progress: OnProgress) -> list[np.ndarray]:
    """Mask (bool) or matte (uint8) of each frame; the object may be out of sight in frames with alpha or masks."""
    if masks is not None:
        sizes = [photo.rgb.shape[1::-1] for photo in photos]
        return [load_mask(path, *size) for path, size in zip(masks, sizes, strict=True)]
    if any(photo.alpha is not None for photo in photos):
        return [np.full(p.rgb.shape[:2], 255, np.uint8) if p.alpha is None else p.alpha for p in photos]
    alphas = []
    for k, photo in enumerate(photos):
        on_progress("Finding the foreground", k, len(photos))
        alphas.append(find_foreground(photo.rgb, None, "object").mask)
    return alphas


def _camera(photo: Photo) -> Camera:
    height, width = photo.rgb.shape[:2]
    if photo.focal_35mm is not None:
        return Camera.from_focal_35mm(width, height, photo.focal_35mm)
    return Camera.from_fov(width, height, DEFAULT_FOV_DEGREES, "default")


def _metadata(path: Path, photo: Photo) -> dict[str, Any]:
    return {
        "mode": "clip",
        "image": path.name,
        "image_sha256": photo.sha256,
        "photo_size": list(photo.source_size),
    }
