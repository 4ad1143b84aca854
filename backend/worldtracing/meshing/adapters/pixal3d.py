"""Pixal3D in its own Python, with the photo's camera."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ...progress import OnProgress
from ...world import LayeredWorld
from ..align import GLTF_TO_CAMERA, SURFACE_SAMPLES, Similarity, sample_surface
from ..base import GeneratorInfo, Health, MeshOptions, chosen_points
from ..options import GeneratorOption
from ..textured import TexturedMesh
from .generated import GeneratedMesh, check_shape, check_with, describe, packages_missing, place, require
from .picture import ObjectView, object_view, visible_pixels
from .process import DOWNLOAD, PYTHON, REPOSITORY, Program, weights_option

RESOLUTION = GeneratorOption(
    "resolution",
    "Resolution",
    "choice",
    1024,
    "Fineness of the shape; 1536 needs more GPU memory.",
    choices=((1024, "1024"), (1536, "1536")),
)
LOW_VRAM = GeneratorOption(
    "low_vram",
    "Save GPU Memory",
    "flag",
    True,
    "Keep only one of its networks on the GPU at a time: slower, with 11 to 13 GB instead of 18 to 36.",
    machine=True,
)
PICTURE_SIZE = 1024
MARGIN = 1.1  # side of the picture relative to the object's longer side, as its own pre-processing crops


class Pixal3DGenerator:
    """Pixal3D, main branch: every pixel's feature is projected into the volume, so its camera must be the photo's."""

    info = GeneratorInfo(
        name="pixal3d",
        label="Pixal3D",
        description="Shape and PBR texture that match the photo pixel by pixel; hidden sides are made up.",
        licence="Pixal3D and its weights: MIT; nvdiffrast and nvdiffrec, which it needs: NVIDIA, non-commercial",
        memory_gib=13.0,
        platforms=("linux",),
        needs=("scipy",),
        heeds=("faces", "texture_size", "seed"),
        options=(PYTHON, REPOSITORY, weights_option("TencentARC/Pixal3D"), DOWNLOAD, LOW_VRAM, RESOLUTION),
    )

    def check(self, extra: Mapping = {}) -> Health:
        """See `MeshGenerator.check`."""
        return packages_missing(self.info) or check_with(self.info, extra, lambda own: _program(own).check())

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
        on_progress("Preparing the picture", 0, 1)
        view = object_view(world, visible_pixels(chosen), PICTURE_SIZE, MARGIN)
        request = {name: settings[name] for name in ("model", "resolution", "low_vram")} | {
            "fov": view.fov,
            "seed": options.seed,
            "faces": options.faces,
            "texture_size": options.texture_size,
        }
        result = _program(settings).run({"rgb": view.on_black()}, request, on_progress)
        on_progress("Aligning the mesh", 0, 1)
        metadata = describe(self.info.name, world, options, settings)
        mesh, target = GeneratedMesh(**result), world.points[chosen]
        return place(mesh, target, [projected_start(mesh, target, view)], turn=False, metadata=metadata)


def camera_distance(fov: float) -> float:
    """How far Pixal3D's camera is from the middle of its unit cube, for a field of view in radians.

    The main branch lets the cube's middle plane fill the picture (`distance_from_fov` of inference.py, mesh scale 1).
    The paper and its branch let the back face do so; this is not for them.
    """
    return 0.5 / math.tan(fov / 2)


def projected_start(mesh: GeneratedMesh, target: np.ndarray, view: ObjectView) -> Similarity:
    """The pose in which the mesh covers the photo's pixels, at the size that its distance from the camera tells.

    A mesh seen by this very camera keeps its outline at any size, if it is scaled about the eye; the least-squares
    scale between its middle and the points' is left to find.

    Args:
        mesh: in glTF axes, in Pixal3D's unit cube.
        target: (N, 3) layer points, camera frame.
    """
    check_shape(mesh)
    at_unit_size = Similarity(1.0, view.rotation @ GLTF_TO_CAMERA, view.rotation @ [0, 0, camera_distance(view.fov)])
    surface, _ = sample_surface(mesh.vertices, mesh.faces, SURFACE_SAMPLES // 4, np.random.default_rng(0))
    middle, wanted = at_unit_size(surface).mean(0), target.mean(0, dtype=np.float64)
    scale = float(middle @ wanted / (middle @ middle))
    return Similarity(scale, at_unit_size.rotation, scale * at_unit_size.translation)


def _program(settings: dict) -> Program:
    return Program("Pixal3D", "pixal3d", settings["python"], settings["repository"], settings["download"])
