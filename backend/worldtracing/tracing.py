"""From a photo file to a LayeredWorld: the one path that the CLI, the worker and scripts share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from .camera import DEFAULT_FOV_DEGREES, Camera
from .engines.base import DEFAULT_ENGINE, MODES, Engine, TraceOptions
from .errors import WorldTracingError
from .image import Photo, load_mask, load_photo
from .matte import Matte, find_foreground
from .progress import OnProgress, silent
from .seeds import read_seeds, trace_seeds
from .world import LayeredWorld

MIN_RESOLUTION, MAX_RESOLUTION = 32, 4096
MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class TraceRequest:
    """What to trace and how.

    Attributes:
        image: the picture's file.
        engine: name in the registry; whoever holds the loaded engine looks it up.
        mode: "object" or "scene".
        seed: 0 to 2**32 - 1.
        resolution: longest side of the traced picture in pixels, 32 to 4096.
        mask: file of a mask, bright on what is kept. In scene mode it also reaches the engine as
            `extra["foreground"]`, (H, W) bool, for engines that set it apart from the rest. An alpha channel with
            soft edges reaches it as `extra["alpha"]`, (H, W) uint8, without the specks and pin holes that the mask
            has lost.
        fov_degrees: horizontal field of view.
        intrinsics: fx, fy, cx, cy in pixels of the photo file (turned upright), pixel centres at +0.5.
        extra: the engine's own options.
        name: what the picture is called where `image` is a hand-off file.
    """

    image: Path
    engine: str = DEFAULT_ENGINE
    mode: str = "object"
    seed: int = 42
    resolution: int = 504
    mask: Path | None = None
    fov_degrees: float | None = None
    intrinsics: tuple[float, float, float, float] | None = None
    extra: Mapping = field(default_factory=dict)
    name: str | None = None


def check_request(request: TraceRequest) -> None:
    """Refuse values that no engine takes.

    Raises:
        WorldTracingError: WT-MODEL-OPTION, WT-IMG-CAMERA.
    """
    if request.mode not in MODES:
        raise _bad_option(f"There is no mode {request.mode!r}.", f"Choose one of: {', '.join(MODES)}.")
    if not MIN_RESOLUTION <= request.resolution <= MAX_RESOLUTION:
        raise _bad_option(
            f"A resolution of {request.resolution} pixels is not possible.",
            f"Choose a longest side between {MIN_RESOLUTION} and {MAX_RESOLUTION} pixels.",
        )
    check_seed(request.seed)
    if request.fov_degrees is not None and request.intrinsics is not None:
        raise WorldTracingError(
            "WT-IMG-CAMERA", "Both a field of view and intrinsics were given.", "Give one of the two."
        )


def check_seed(seed: int) -> None:
    """Raises WT-MODEL-OPTION unless 0 <= seed <= 2**32 - 1."""
    if not 0 <= seed <= MAX_SEED:
        raise _bad_option(f"The seed {seed} is not possible.", f"Choose a seed between 0 and {MAX_SEED}.")


def trace_photo(request: TraceRequest, engine: Engine, on_progress: OnProgress = silent) -> LayeredWorld:
    """Trace one photo. The same request gives the same world, byte for byte, on the same machine and versions.

    Args:
        request: what to trace; its `engine` is not looked up here.
        engine: a loaded engine.
        on_progress: called before each step; whatever it raises stops the trace.

    Raises:
        WorldTracingError: WT-MODEL-OPTION, WT-MODEL-NO-POINTS, WT-MEM-TRACE, those of load_photo, load_mask,
            find_foreground and Camera, and the engine's own.
    """
    check_request(request)
    if request.mode not in engine.info.modes:
        raise _bad_option(
            f"The engine {engine.info.name!r} has no {request.mode} mode.",
            f"Choose another engine, or the mode: {', '.join(engine.info.modes)}.",
        )
    try:
        return _trace(request, engine, on_progress)
    except MemoryError as error:
        raise WorldTracingError(
            "WT-MEM-TRACE",
            f"There is not enough memory to trace {_name(request)} at {request.resolution} pixels.",
            "Choose a smaller resolution, or close other programs.",
        ) from error


def _trace(request: TraceRequest, engine: Engine, on_progress: OnProgress) -> LayeredWorld:
    on_progress("Reading the photo", 0, 1)
    photo = load_photo(request.image, request.name)
    height, width = photo.rgb.shape[:2]
    on_progress("Finding the foreground", 0, 1)
    given = None if request.mask is None else load_mask(request.mask, width, height)
    matte = find_foreground(photo.rgb, photo.alpha, request.mode, given)
    camera = _camera(request, photo)
    extra = dict(request.extra)
    if request.mode == "scene" and given is not None and not given.all():
        extra["foreground"] = given
    if matte.method == "alpha" and not np.isin(photo.alpha, (0, 255)).all():
        extra["alpha"] = np.where((photo.alpha > 127) == matte.mask, photo.alpha, np.uint8(255) * matte.mask)
    facts = _metadata(request, engine, photo, matte, camera)

    def trace(seed: int, on_progress: OnProgress) -> LayeredWorld:
        options = TraceOptions(request.mode, seed, request.resolution, extra)
        world = engine.trace(photo.rgb, matte.mask, camera, options, on_progress)
        if not world.valid.any():
            raise _no_points(request, world)
        return replace(world, metadata={**facts, "seed": seed, **in_file_pixels(world.metadata, photo)})

    if not engine.info.draws_noise or "seeds" in engine.info.options:
        return trace(request.seed, on_progress)
    keep_seeds = extra.pop("keep_seeds", None)
    return trace_seeds(trace, read_seeds(extra.pop("seeds", 1), request.seed), keep_seeds, on_progress)


def in_file_pixels(metadata: Mapping, photo: Photo) -> dict:
    """An engine's metadata with its crop in pixels of the file, of which huge photos are scaled while they load."""
    if "crop" not in metadata:
        return dict(metadata)
    scale = [source / loaded for source, loaded in zip(photo.source_size, photo.rgb.shape[1::-1], strict=True)]
    return {**metadata, "crop": [edge * factor for edge, factor in zip(metadata["crop"], scale * 2, strict=True)]}


def _camera(request: TraceRequest, photo: Photo) -> Camera:
    """What the user gave, else what the file tells, else the default; for the pixels of `photo.rgb`."""
    height, width = photo.rgb.shape[:2]
    if request.intrinsics is not None:
        # Huge photos are scaled while they load; the numbers given are those of the file.
        return Camera(*photo.source_size, *request.intrinsics).resized(width, height)
    if request.fov_degrees is not None:
        return Camera.from_fov(width, height, request.fov_degrees)
    if photo.focal_35mm is not None:
        return Camera.from_focal_35mm(width, height, photo.focal_35mm)
    return Camera.from_fov(width, height, DEFAULT_FOV_DEGREES, "default")


def _metadata(request: TraceRequest, engine: Engine, photo: Photo, matte: Matte, camera: Camera) -> dict:
    """What every world tells; an engine's own values come on top. No times or paths: equal traces are equal files."""
    width, height = photo.source_size
    return {
        "engine": engine.info.name,
        "model": None,
        "steps": 0,
        "seed": request.seed,
        "mode": request.mode,
        "image": _name(request),
        "image_sha256": photo.sha256,
        "photo_size": [width, height],
        "crop": [0, 0, width, height],
        "mask_method": matte.method,
        "camera_source": camera.source,
        "settings": recorded_settings(request),
    }


def recorded_settings(request: TraceRequest) -> dict:
    """What a world keeps of its request beside engine and mode: JSON values, and no paths."""
    return {
        "seed": request.seed,
        "resolution": request.resolution,
        "fov_degrees": request.fov_degrees,
        "extra": {name: value for name, value in request.extra.items() if _is_choice(name, value)},
    }


def _is_choice(name: str, value: object) -> bool:
    """Whether an engine's option is a plain value that names no path."""
    if name in ("keep_seeds", "preview"):
        return False
    if isinstance(value, str):
        return not set(value) & {"/", "\\"}
    return isinstance(value, int | float) or (isinstance(value, list) and all(isinstance(v, int) for v in value))


def _name(request: TraceRequest) -> str:
    return request.name or Path(request.image).name


def _no_points(request: TraceRequest, world: LayeredWorld) -> WorldTracingError:
    return WorldTracingError(
        "WT-MODEL-NO-POINTS",
        f"The trace of {_name(request)} at {world.width} x {world.height} pixels has no point.",
        "Give a mask that marks more of the photo, or raise the resolution.",
    )


def _bad_option(message: str, fix: str) -> WorldTracingError:
    return WorldTracingError("WT-MODEL-OPTION", message, fix)
