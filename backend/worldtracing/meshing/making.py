"""One request from a world's file to a mesh's file; what the command line and the worker call."""

from __future__ import annotations

from collections.abc import Mapping
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


def generator_entries() -> list[dict]:
    """Each generator's `GeneratorInfo` and `health` as an object, or its name and why it does not load."""
    entries = []
    for name in GENERATORS.names():
        try:
            generator = create_generator(name)
            entries.append(asdict(generator.info) | {"name": name, "health": asdict(_health(generator))})
        except WorldTracingError as error:
            entries.append({"name": name, "error": error.to_dict()})
    return entries


def _health(generator) -> Health:
    try:
        return generator.check()
    except Exception as error:  # a plug-in may fail in any way
        return Health(False, f"Its check failed: {last_line(error)}.")
