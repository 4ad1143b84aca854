"""TRELLIS.2 in its own Python: from the layers' voxels instead of its first stage, or as a painter of our mesh."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...progress import OnProgress
from ...world import LayeredWorld
from ..align import GLTF_TO_CAMERA, Similarity, rotated
from ..base import GeneratorInfo, Health, MeshOptions, chosen_points, create_generator
from ..options import GeneratorOption
from ..textured import TexturedMesh
from ..voxels import CanonicalFrame, occupied_voxels
from .generated import GeneratedMesh, check_with, describe, packages_missing, place, require
from .picture import cut_out, visible_pixels
from .process import DOWNLOAD, PYTHON, REPOSITORY, Program, weights_option

VOXEL_RESOLUTION = {"512": 32, "1024": 64, "1024_cascade": 32, "1536_cascade": 32}
"""Of the coordinates that each pipeline takes. A cascade divides what it upsamples by 512, which is right for 32^3
alone: with 64^3 every coordinate of its second half is doubled, as the released mesh script does by default."""

OPTIONS = (PYTHON, REPOSITORY, weights_option("microsoft/TRELLIS.2-4B"), DOWNLOAD)
PIPELINE = GeneratorOption(
    "pipeline",
    "Pipeline",
    "choice",
    "1024_cascade",
    "Fineness of the shape; a cascade refines a coarser one. Finer needs more GPU memory.",
    choices=(("512", "512"), ("1024", "1024"), ("1024_cascade", "1024, Cascade"), ("1536_cascade", "1536, Cascade")),
)
LICENCE = "TRELLIS.2 and its weights: MIT; nvdiffrast and nvdiffrec, which it needs: NVIDIA, non-commercial"
PAINTED_EXTENT = 0.99999  # longest side of the bounding box that the texturing pipeline scales its input to


class Trellis2Generator:
    """TRELLIS.2's shape and texture stages on the layers' voxels."""

    info = GeneratorInfo(
        name="trellis2",
        label="TRELLIS.2",
        description="Detailed shape and PBR texture that follow the traced layers, hidden sides included.",
        licence=LICENCE,
        memory_gib=24.0,
        platforms=("linux",),
        needs=("scipy",),
        heeds=("faces", "texture_size", "seed"),
        options=(*OPTIONS, PIPELINE),
    )

    def check(self, extra: Mapping = {}) -> Health:
        """See `MeshGenerator.check`."""
        return packages_missing(self.info) or _check(self.info, "trellis2", extra)

    def generate(
        self, world: LayeredWorld, mask: np.ndarray | None, options: MeshOptions, on_progress: OnProgress
    ) -> TexturedMesh:
        """See `MeshGenerator.generate`.

        Raises:
            WorldTracingError: WT-MESH-EMPTY, WT-MESH-MASK, WT-MESH-HIDDEN, WT-MESH-OPTION, and those of `Program.run`
                and `place`.
        """
        settings = self.info.settings(options.extra)
        require(self.info)
        chosen = chosen_points(world, mask)
        frame = CanonicalFrame.fit(world.points, chosen)
        on_progress("Filling the object's volume", 0, 1)
        tensors = {
            "rgba": cut_out(world, visible_pixels(chosen)),
            "coords": occupied_voxels(world.points, chosen, frame, VOXEL_RESOLUTION[settings["pipeline"]]),
        }
        request = {name: settings[name] for name in ("model", "pipeline")} | _common(options)
        result = _program("trellis2", settings).run(tensors, request, on_progress)
        on_progress("Aligning the mesh", 0, 1)
        # The camera's axes and the canonical ones differ as glTF's do, so the frame's inverse is the whole pose.
        start = Similarity(1 / frame.scale, GLTF_TO_CAMERA, frame.invert(np.zeros(3, np.float32)).astype(np.float64))
        metadata = describe(self.info.name, world, options, settings)
        return place(GeneratedMesh(**result), world.points[chosen], [start], turn=False, metadata=metadata)


class Trellis2TextureGenerator:
    """The built-in generator's mesh, painted by TRELLIS.2's texturing pipeline."""

    info = GeneratorInfo(
        name="trellis2-texture",
        label="Layers, painted by TRELLIS.2",
        description="The built-in generator's shape, with TRELLIS.2's PBR texture on all sides.",
        licence=LICENCE,
        memory_gib=24.0,
        platforms=("linux",),
        options=OPTIONS,
        settings_of="trellis2",
    )

    def check(self, extra: Mapping = {}) -> Health:
        """See `MeshGenerator.check`."""
        return _check(self.info, "trellis2_texture", extra)

    def generate(
        self, world: LayeredWorld, mask: np.ndarray | None, options: MeshOptions, on_progress: OnProgress
    ) -> TexturedMesh:
        """See `MeshGenerator.generate`.

        Raises:
            WorldTracingError: those of the built-in generator, WT-MESH-HIDDEN, WT-MESH-OPTION, those of `Program.run`,
                WT-MESH-RESULT.
        """
        settings = self.info.settings(options.extra)
        rgba = cut_out(world, visible_pixels(chosen_points(world, mask)))
        plain = MeshOptions(options.faces, options.texture_size, options.resolution, options.seed)
        shape = create_generator("layers").generate(world, mask, plain, on_progress)
        upright = rotated(GLTF_TO_CAMERA)(shape.vertices)  # its own inverse
        tensors = {"rgba": rgba, "vertices": upright.astype(np.float32), "faces": shape.faces}
        request = {"model": settings["model"]} | _common(options)
        result = _program("trellis2_texture", settings).run(tensors, request, on_progress)
        low, high = upright.min(0), upright.max(0)
        back = Similarity(float((high - low).max()) / PAINTED_EXTENT, np.eye(3), (low + high) / 2)
        metadata = describe(self.info.name, world, options, settings) | {"notes": shape.metadata.get("notes", [])}
        return GeneratedMesh(**result).moved(rotated(GLTF_TO_CAMERA).after(back)).textured(metadata)


def _check(info: GeneratorInfo, runner: str, extra: Mapping) -> Health:
    return check_with(info, extra, lambda settings: _program(runner, settings).check())


def _program(runner: str, settings: Mapping) -> Program:
    return Program("TRELLIS.2", runner, settings["python"], settings["repository"], settings["download"])


def _common(options: MeshOptions) -> dict:
    return {"seed": options.seed, "faces": options.faces, "texture_size": options.texture_size}
