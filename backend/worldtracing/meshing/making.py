"""One request from a world's file to a mesh's file; what the command line and the worker call."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..errors import WorldTracingError, last_line
from ..files import check_writable
from ..image import load_mask
from ..progress import OnProgress, silent
from ..world import LayeredWorld
from .base import GENERATORS, Health, MeshOptions, create_generator
from .textured import TexturedMesh

FORMATS = (".glb", ".safetensors")
CHECK_SECONDS = 6.0


@dataclass(frozen=True)
class MeshRequest:
    """
    Attributes:
        world: a world's .safetensors file.
        output: the file to write, .glb or .safetensors (`TexturedMesh`).
        generator: its name.
        mask: picture, bright on the pixels to make a mesh of; None for all.
        faces, texture_size, resolution, seed, extra: as in `MeshOptions`.
    """

    world: Path
    output: Path
    generator: str = "layers"
    mask: Path | None = None
    faces: int = MeshOptions.faces
    texture_size: int = MeshOptions.texture_size
    resolution: int = MeshOptions.resolution
    seed: int = MeshOptions.seed
    extra: Mapping = field(default_factory=dict)


def make_mesh(request: MeshRequest, on_progress: OnProgress = silent) -> TexturedMesh:
    """Read the world, make the mesh and write it.

    Raises:
        WorldTracingError: WT-MESH-FORMAT, WT-MESH-OPTION, WT-MODEL-UNKNOWN, those of `LayeredWorld.load`, `load_mask`
            and the generator, WT-IO-WRITE, WT-IO-FULL.
    """
    if request.output.suffix.lower() not in FORMATS:
        raise WorldTracingError(
            "WT-MESH-FORMAT",
            f"A mesh cannot be written as {request.output.suffix or 'a file without an ending'}.",
            f"Choose a file that ends in {' or '.join(FORMATS)}.",
        )
    options = MeshOptions(request.faces, request.texture_size, request.resolution, request.seed, dict(request.extra))
    check_writable(request.output)
    on_progress("Reading the world", 0, 1)
    generator = create_generator(request.generator)
    world = LayeredWorld.load(request.world)
    mask = None if request.mask is None else load_mask(request.mask, world.width, world.height)
    mesh = generator.generate(world, mask, options, on_progress)
    on_progress("Saving the mesh", 0, 1)
    if request.output.suffix.lower() == ".glb":
        from ..export.glb import export_glb

        export_glb(mesh, request.output, name=request.output.stem)
    else:
        mesh.save(request.output)
    return mesh


def generator_entries(extras: Mapping[str, Mapping] = {}) -> list[dict]:
    """Each generator's `GeneratorInfo` and `health` as an object, or its name and why it does not load.

    All are checked at the same time, and none is waited for longer than `CHECK_SECONDS`.

    Args:
        extras: by name, the options to check a generator with.
    """
    entries, checks = [], []
    for name in GENERATORS.names():
        try:
            generator = create_generator(name)
            entries.append(json.loads(json.dumps(asdict(generator.info) | {"name": name}, allow_nan=False)))
            checks.append((entries[-1], _begin(generator.check, extras.get(name, {}))))
        except WorldTracingError as error:
            entries.append({"name": name, "error": error.to_dict()})
        except (Exception, SystemExit) as error:  # a plug-in that exits on import, or without a usable `info`
            broken = WorldTracingError(
                "WT-MODEL-BROKEN",
                f"The mesh generator {name!r} cannot be loaded ({last_line(error)}).",
                "Update it, or choose another one.",
            )
            entries.append({"name": name, "error": broken.to_dict()})
    end = time.monotonic() + CHECK_SECONDS
    for entry, check in checks:
        entry["health"] = asdict(_health(check, end - time.monotonic()))
    return entries


def _begin(check: Callable[[Mapping], Health], extra: Mapping) -> Future:
    """Run a check in a thread for which nobody waits that does not want to."""
    future: Future = Future()

    def run() -> None:
        try:
            health = check(extra)
            future.set_result(Health(bool(health.ok), str(health.message), str(health.fix)))
        except Exception as error:  # a plug-in may fail in any way
            future.set_result(Health(False, f"Its check failed: {last_line(error)}."))

    threading.Thread(target=run, name="worldtracing check", daemon=True).start()
    return future


def _health(check: Future, seconds: float) -> Health:
    try:
        return check.result(max(seconds, 0))
    except TimeoutError:
        return Health(False, f"Its check took longer than {CHECK_SECONDS:g} seconds.", "Try again.")
