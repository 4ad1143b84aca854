"""What a mesh generator is, and the registry in which it is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..errors import WorldTracingError
from ..progress import OnProgress
from ..registry import Registry
from ..world import LayeredWorld
from .options import GeneratorOption, read_settings
from .textured import TexturedMesh

GENERATORS = Registry(
    "mesh generator",
    "worldtracing.generators",
    {
        "layers": ".meshing.generator:LayersGenerator",
        "trellis2": ".meshing.adapters.trellis2:Trellis2Generator",
        "trellis2-texture": ".meshing.adapters.trellis2:Trellis2TextureGenerator",
        "pixal3d": ".meshing.adapters.pixal3d:Pixal3DGenerator",
        "sam3d": ".meshing.adapters.sam3d:SAM3DGenerator",
        "hunyuan3d": ".meshing.adapters.hunyuan3d:Hunyuan3DGenerator",
        "comfyui": ".meshing.adapters.comfyui:ComfyUIGenerator",
    },
)

PLATFORMS = ("linux", "windows", "macos")

COMMON = ("faces", "texture_size", "resolution", "seed")
"""The choices of `MeshOptions` that all generators are told, and not all heed."""


@dataclass(frozen=True)
class GeneratorInfo:
    """What the panel, `worldtracing generators` and the worker say of a generator.

    Attributes:
        name: as in the registry.
        label: for people.
        description: one sentence: what it does, and what it is good for.
        licence: of the generator's code and weights, as a person must know it before using the result.
        memory_gib: GPU memory that it needs, in GiB; 0 for none.
        platforms: those of `PLATFORMS` on which it runs, or can be reached.
        needs: importable modules beyond numpy and safetensors.
        heeds: those of `COMMON` that make a difference to it; panels show no others.
        options: its own.
        settings_of: the generator whose options of the machine it shares; empty for its own.
    """

    name: str
    label: str
    description: str
    licence: str = "GPL-3.0-or-later"
    memory_gib: float = 0.0
    platforms: tuple[str, ...] = PLATFORMS
    needs: tuple[str, ...] = ()
    heeds: tuple[str, ...] = COMMON
    options: tuple[GeneratorOption, ...] = ()
    settings_of: str = ""

    def settings(self, extra: Mapping) -> dict[str, Any]:
        """The values of its own options: those in `extra`, else the environment's, else the defaults.

        Raises:
            WorldTracingError: WT-MESH-OPTION.
        """
        return read_settings(self.name, self.options, extra, self.settings_of)


@dataclass(frozen=True)
class Health:
    """Whether a generator can run here and now; `message` says what is, `fix` what to do where it cannot."""

    ok: bool
    message: str
    fix: str = ""


@dataclass(frozen=True)
class MeshOptions:
    """What a user may choose for one mesh.

    Attributes:
        faces: number of triangles to aim at.
        texture_size: side of the square texture in texels.
        resolution: of the volume, for generators that have one: it has about `resolution`^3 cells.
        seed: for generators that draw noise.
        extra: values of the generator's own options, by the names in `GeneratorInfo.options`.
    """

    faces: int = 30_000
    texture_size: int = 1024
    resolution: int = 160
    seed: int = 42
    extra: Mapping = field(default_factory=dict)

    def __post_init__(self) -> None:
        limits = {"faces": (100, 2_000_000), "texture_size": (64, 8192), "resolution": (16, 384), "seed": (0, 1 << 62)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise WorldTracingError(
                    "WT-MESH-OPTION",
                    f"The mesh option {name} is {value!r}.",
                    f"Give a whole number from {low} to {high}.",
                )


class MeshGenerator(Protocol):
    """One way to turn a layered world into a textured mesh. Built without arguments; keeps no state between meshes."""

    info: GeneratorInfo

    def check(self, extra: Mapping = {}) -> Health:
        """Whether `generate` can work here with these options; takes at most a few seconds and never raises."""
        ...

    def generate(
        self,
        world: LayeredWorld,
        mask: np.ndarray | None,
        options: MeshOptions,
        on_progress: OnProgress,
    ) -> TexturedMesh:
        """Make one mesh.

        Args:
            world: the traced photo.
            mask: what of it to make a mesh of: (H, W) bool rays, (L, H, W) bool points, or None for all.
            options: the user's choices.
            on_progress: called before each step; whatever it raises must pass through.

        Returns:
            A mesh in the world's own frame and units, standing where the photo shows the object.

        Raises:
            WorldTracingError: WT-MESH-EMPTY when nothing of the world is chosen, WT-MESH-MASK for a mask of another
                size, WT-ENV-PACKAGE for a missing extra, and the generator's own.
        """
        ...


def create_generator(name: str) -> MeshGenerator:
    """A new instance of the generator called `name`."""
    return GENERATORS.load(name)()


def chosen_points(world: LayeredWorld, mask: np.ndarray | None) -> np.ndarray:
    """(L, H, W) bool: the valid points before the camera that `mask` chooses, as `MeshGenerator.generate` has it.

    Raises:
        WorldTracingError: WT-MESH-MASK, WT-MESH-EMPTY.
    """
    chosen = world.valid & (world.points[..., 2] > 0)
    if mask is not None:
        if mask.dtype != np.bool_ or mask.shape not in (chosen.shape, chosen.shape[1:]):
            raise WorldTracingError(
                "WT-MESH-MASK",
                f"The mask is {mask.shape} {mask.dtype}, and the world's layers are {chosen.shape}.",
                "Give a mask of true and false for the world's pixels, or for each of its points.",
            )
        chosen &= mask
    if not chosen.any():
        raise WorldTracingError(
            "WT-MESH-EMPTY",
            "There are no points to make a mesh of.",
            "Choose an object that has points, or trace the photo again.",
        )
    return chosen
