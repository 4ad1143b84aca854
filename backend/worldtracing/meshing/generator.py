"""The built-in generator: a mesh straight from the layers, without weights, on any computer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from ..camera import Camera
from ..errors import WorldTracingError
from ..progress import OnProgress
from ..world import LayeredWorld
from .base import GeneratorInfo, Health, MeshOptions, chosen_points
from .decimate import can_decimate, decimate
from .intervals import clean_depths
from .isosurface import marching_cubes
from .projection import Visibility
from .ray_grid import depths_on_rays, fit_grid
from .smoothing import smooth_onto_layers
from .texture import paint
from .textured import TexturedMesh
from .topology import face_parts, inspect, without_unused
from .unwrap import unwrap
from .volume import signed_volume, solid_intervals

MIN_RESOLUTION = 16

SPECK = 0.002
"""Parts with a smaller share of the surface's triangles are errors of single pixels."""

SPECK_FACES = 60
"""And so are parts with fewer triangles than this, unless there is nothing else."""

SEEN_WITHIN = 1.5
"""Steps of the grid within which a point counts as on the visible surface."""

COARSE = "The package fast-simplification is not installed, so a coarser volume was used to keep the triangles few."


@dataclass(frozen=True, eq=False)
class Surface:
    """A closed surface in the camera frame: (V, 3) float32 vertices, (F, 3) int32 faces, the grid step, and notes."""

    vertices: np.ndarray
    faces: np.ndarray
    step: float
    notes: tuple[str, ...] = ()


class LayersGenerator:
    """Volume between the layers, closed surface, smoothed onto the points, painted with the photo."""

    info = GeneratorInfo(
        name="layers",
        label="From Layers",
        description="A closed mesh straight from the traced layers, with the photo as texture; seconds on any CPU.",
        heeds=("faces", "texture_size", "resolution"),
    )

    def check(self, extra: Mapping = {}) -> Health:
        """See `MeshGenerator.check`."""
        if can_decimate():
            return Health(True, "Ready.")
        return Health(True, "Ready; without fast-simplification large meshes are made coarser.", "Set Up Backend.")

    def generate(
        self, world: LayeredWorld, mask: np.ndarray | None, options: MeshOptions, on_progress: OnProgress
    ) -> TexturedMesh:
        """See `MeshGenerator.generate`; it has no options of its own."""
        start = time.perf_counter()
        self.info.settings(options.extra)
        chosen = chosen_points(world, mask)
        camera = Camera.from_K(world.K, world.width, world.height)
        surface = build_surface(world.points, chosen, camera, options, on_progress)
        on_progress("Unwrapping", 0, 1)
        visibility = Visibility.of(surface.vertices, surface.faces, camera, SEEN_WITHIN * surface.step)
        unwrapped = unwrap(surface.vertices, surface.faces, camera, visibility, options.texture_size)
        shown = chosen[0] if chosen[0].any() else chosen.any(0)  # where layer 0 is not, the photo shows something else
        base_color = paint(
            surface.vertices, surface.faces, unwrapped, world.rgb, shown, camera, visibility, on_progress
        )
        topology = inspect(surface.faces)
        metadata = {
            "generator": self.info.name,
            "options": asdict(options),
            "scale": world.scale,
            "watertight": topology.watertight,
            "manifold": topology.manifold,
            "notes": [*surface.notes, *_texture_note(unwrapped.size, options.texture_size)],
            "seconds": round(time.perf_counter() - start, 2),
        }
        return TexturedMesh(surface.vertices, surface.faces, unwrapped.uvs, base_color, metadata=metadata)


def build_surface(
    points: np.ndarray, chosen: np.ndarray, camera: Camera, options: MeshOptions, on_progress: OnProgress
) -> Surface:
    """The closed 2-manifold around the solid between the layers, about `options.faces` triangles.

    Args:
        points: (L, H, W, 3) float32, camera frame.
        chosen: (L, H, W) bool, at least one.
        camera: of the H x W pixels.
    """
    on_progress("Pairing the layers", 0, 1)
    rows, columns = (
        slice(used[0], used[-1] + 1) for used in map(np.flatnonzero, (chosen.any((0, 2)), chosen.any((0, 1))))
    )
    camera = camera.cropped(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
    depth = clean_depths(points[:, rows, columns], chosen[:, rows, columns])
    resolution, notes = options.resolution, ()
    for attempt in range(2):
        on_progress("Filling the volume", 2 * attempt, 4)
        grid = fit_grid(depth, camera, resolution)
        rays = depths_on_rays(depth, camera, grid)
        on_progress("Filling the volume", 2 * attempt + 1, 4)
        enter, leave = solid_intervals(rays)
        volume = signed_volume(enter, leave, grid)
        on_progress("Finding the surface", attempt, 2)
        vertices, faces = _without_specks(*marching_cubes(volume))
        if can_decimate() or len(faces) <= options.faces:
            break
        # Triangles grow with the square of the resolution.
        resolution = max(int(resolution * np.sqrt(options.faces / len(faces))), MIN_RESOLUTION)
        notes = (COARSE,)
    vertices = smooth_onto_layers(vertices, faces, enter, leave, on_progress)
    if can_decimate():
        on_progress("Reducing triangles", 0, 1)
        vertices, faces = decimate(vertices, faces, options.faces)
    return Surface(grid.to_camera(vertices), faces, grid.step, notes)


def _texture_note(size: int, wished: int) -> list[str]:
    return (
        [] if size == wished else [f"The mesh has too many parts for {wished} texels a side: its texture has {size}."]
    )


def _without_specks(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(faces):
        raise WorldTracingError(
            "WT-MESH-THIN",
            "The layers hold nothing that a volume of this resolution could show.",
            "Choose a finer volume, or a part of the scene.",
        )
    part = face_parts(faces)
    count = np.bincount(part)
    kept = count >= min(max(SPECK * len(faces), SPECK_FACES), count.max())
    return without_unused(vertices, faces[kept[part]])
