"""SAM 3D Objects in its own Python, with layer 0 as its point map."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ...extras import need
from ...progress import OnProgress
from ...world import LayeredWorld
from ..align import rotated
from ..base import GeneratorInfo, Health, MeshOptions, chosen_points
from ..options import GeneratorOption
from ..textured import TexturedMesh
from .generated import GeneratedMesh, check_shape, check_with, describe, packages_missing, place, require
from .picture import visible_pixels
from .process import PYTHON, REPOSITORY, Program

CONFIG = GeneratorOption(
    "config",
    "Configuration",
    "text",
    "checkpoints/hf/pipeline.yaml",
    "Its pipeline.yaml beside its weights, relative to its folder.",
    machine=True,
)


class SAM3DGenerator:
    """SAM 3D Objects through its public `Inference`, whose point map is the visible layer instead of MoGe's."""

    info = GeneratorInfo(
        name="sam3d",
        label="SAM 3D Objects",
        description="Whole objects out of cluttered photos, also where others cover them, with vertex colors.",
        licence="SAM License of Meta: read it before use; the weights are only given on request",
        memory_gib=32.0,
        platforms=("linux",),
        needs=("scipy", "fast_simplification"),
        heeds=("faces", "texture_size", "seed"),
        options=(PYTHON, REPOSITORY, CONFIG),
    )

    def check(self, extra: Mapping = {}) -> Health:
        """See `MeshGenerator.check`."""
        return packages_missing(self.info) or check_with(self.info, extra, lambda own: _program(own).check())

    def generate(
        self, world: LayeredWorld, mask: np.ndarray | None, options: MeshOptions, on_progress: OnProgress
    ) -> TexturedMesh:
        """See `MeshGenerator.generate`.

        Raises:
            WorldTracingError: WT-MESH-EMPTY, WT-MESH-MASK, WT-MESH-HIDDEN, WT-MESH-OPTION, WT-ENV-PACKAGE, and those of
                `Program.run` and `place`.
        """
        settings = self.info.settings(options.extra)
        require(self.info)
        chosen = chosen_points(world, mask)
        tensors = {
            "rgb": world.rgb,
            "mask": visible_pixels(chosen).astype(np.uint8),
            # All of the visible layer: the model takes the surroundings' scale from it. NaN is what MoGe leaves there.
            "points": np.where(world.valid[0][..., None], world.points[0], np.float32(np.nan)),
        }
        request = {"config": settings["config"], "seed": options.seed}
        result = _program(settings).run(tensors, request, on_progress)
        on_progress("Aligning the mesh", 0, 1)
        vertices, faces, colors = fewer_faces(result["vertices"], result["faces"], result["colors"], options.faces)
        texture, uvs = color_atlas(faces, colors, options.texture_size)
        mesh = GeneratedMesh(vertices, faces, uvs, texture)
        metadata = describe(self.info.name, world, options, settings)
        return place(mesh, world.points[chosen], [rotated(np.eye(3))], turn=False, metadata=metadata)


def fewer_faces(
    vertices: np.ndarray, faces: np.ndarray, colors: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """About `count` triangles of a mesh that need not be closed; new vertices get the nearest old one's color.

    Args:
        vertices: (V, 3) float32.
        faces: (F, 3) int32.
        colors: (V, 3) uint8.
    """
    check_shape(GeneratedMesh(vertices, faces, np.zeros(0), np.zeros(0)))
    if len(faces) <= count:
        return vertices, faces, colors
    simplify = need("fast_simplification", "mesh", "reduce the number of triangles").simplify
    fewer, triangles = simplify(vertices, faces, target_count=count)
    tree = need("scipy.spatial", "mesh", "color the mesh").cKDTree(vertices)
    return fewer.astype(np.float32), triangles.astype(np.int32), colors[tree.query(fewer)[1]]


def color_atlas(faces: np.ndarray, colors: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertex colors as a texture: a square of texels for each triangle, its corners on the centers of three of them.

    Linear filtering of texels that are themselves linear gives exactly the interpolated vertex colors, so that even
    squares of 2 x 2 lose nothing and no other chart is ever touched.

    Args:
        faces: (F, 3) int32.
        colors: (V, 3) uint8.
        size: of the texture; it grows where it cannot hold all triangles.

    Returns:
        (S, S, 4) uint8 and texture coordinates (F, 3, 2) float32.
    """
    columns = math.ceil(math.sqrt(len(faces)))
    size = max(size, 2 * columns)
    side = size // columns
    steps = np.linspace(0, 1, side, dtype=np.float32)
    first, second, third = (colors[faces[:, k]].astype(np.float32)[:, None, None] for k in range(3))
    squares = first + (second - first) * steps[:, None] + (third - first) * steps[:, None, None]
    squares = np.clip(np.rint(squares), 0, 255).astype(np.uint8)  # (F, row, column, 3)
    number = np.arange(len(faces))
    corner = np.stack([number % columns, number // columns], 1) * side  # x, y
    texture = np.zeros((size, size, 4), np.uint8)
    texture[..., 3] = 255
    grid = np.zeros((columns * columns, side, side, 3), np.uint8)
    grid[: len(faces)] = squares
    rows = grid.reshape(columns, columns, side, side, 3).swapaxes(1, 2).reshape(columns * side, columns * side, 3)
    texture[: len(rows), : len(rows), :3] = rows
    inset = np.array([[0.5, 0.5], [side - 0.5, 0.5], [0.5, side - 0.5]])
    texels = corner[:, None] + inset
    return texture, (texels / size * (1, -1) + (0, 1)).astype(np.float32)


def _program(settings: dict) -> Program:
    return Program("SAM 3D Objects", "sam3d", settings["python"], settings["repository"])
