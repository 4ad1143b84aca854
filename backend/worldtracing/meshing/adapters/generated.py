"""From a generator's own mesh to the one that stands where the photo shows the object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec

import numpy as np

from ...errors import WorldTracingError
from ...extras import need
from ...world import LayeredWorld
from ..align import GLTF_TO_CAMERA, SURFACE_SAMPLES, Similarity, align_to_points, match_moments, sample_surface
from ..base import GeneratorInfo, Health, MeshOptions
from ..textured import TexturedMesh
from ..topology import inspect

POOR_FIT = 0.03
"""Median distance of layer points from the mesh, relative to the object's size, from which a note says so."""

MACHINE = ("python", "repository", "address", "timeout", "download")
"""Settings that say where a generator is, and nothing of its mesh."""

VIEW_PITCHES = (-20.0, 0.0, 20.0, 40.0)
"""Degrees that a photo may look down on an object that its generator has set upright."""


def require(info: GeneratorInfo) -> None:
    """Find out before a long job, not after it, that a package is missing which its result needs (WT-ENV-PACKAGE)."""
    for module in info.needs:
        need(module, "mesh", f"bring a mesh of {info.label} into place")


def packages_missing(info: GeneratorInfo) -> Health | None:
    """The health of a generator whose packages are not here; nothing is imported."""
    missing = [module for module in info.needs if find_spec(module) is None]
    if not missing:
        return None
    return Health(
        False,
        f"The Python package {missing[0]} is needed to bring a mesh of {info.label} into place.",
        "Set up the backend, or run: pip install 'worldtracing[mesh]'.",
    )


def check_with(info: GeneratorInfo, extra: Mapping, look: Callable[[Mapping], Health]) -> Health:
    """What `look` finds with the settings that `extra` and the environment give, its errors included."""
    try:
        return look(info.settings(extra))
    except WorldTracingError as error:
        return Health(False, error.message, error.fix)


def describe(name: str, world: LayeredWorld, options: MeshOptions, settings: Mapping) -> dict:
    """The metadata that every generator's mesh has: who made it of what, and how."""
    extra = {key: value for key, value in settings.items() if key not in MACHINE}
    return {"generator": name, "options": {**asdict(options), "extra": extra}, "scale": world.scale, "notes": []}


@dataclass(frozen=True, eq=False)
class GeneratedMesh:
    """A mesh in its generator's frame: glTF's axes (x right, y up), the viewer on +z, unless an adapter says otherwise.

    Attributes:
        vertices, faces, uvs, base_color, metallic, roughness, normal: as in `TexturedMesh`, but for the frame.
    """

    vertices: np.ndarray
    faces: np.ndarray
    uvs: np.ndarray
    base_color: np.ndarray
    metallic: np.ndarray | None = None
    roughness: np.ndarray | None = None
    normal: np.ndarray | None = None

    def moved(self, pose: Similarity) -> GeneratedMesh:
        """The mesh after a transform."""
        return replace(self, vertices=pose(self.vertices).astype(np.float32))

    def textured(self, metadata: dict) -> TexturedMesh:
        """The mesh as it is, for one that stands in its place; whether it is closed is added to the metadata.

        Raises:
            WorldTracingError: WT-MESH-RESULT for a mesh that nothing can use.
        """
        arrays = {name: getattr(self, name) for name in self.__dataclass_fields__}
        topology = inspect(self.faces)
        metadata = {**metadata, "watertight": topology.watertight, "manifold": topology.manifold}
        try:
            return TexturedMesh(**arrays | {"uvs": np.clip(self.uvs, 0, 1)}, metadata=metadata)
        except WorldTracingError as error:
            raise unusable(error.message) from error


def unusable(sentence: str) -> WorldTracingError:
    """The error for a result that is no textured mesh."""
    return WorldTracingError(
        "WT-MESH-RESULT",
        f"The generator's result cannot be used: {sentence}",
        "Try another seed, or update the generator.",
    )


def place(
    mesh: GeneratedMesh, target: np.ndarray, starts: list[Similarity], turn: bool, metadata: dict
) -> TexturedMesh:
    """Align a mesh with the layer points, and tell in its metadata how well it fits.

    Args:
        mesh: in the generator's frame.
        target: (N, 3) points of all layers of the object, camera frame.
        starts: transforms to the camera frame to begin with.
        turn: whether the mesh may be turned.
        metadata: of the result.

    Raises:
        WorldTracingError: WT-MESH-RESULT, WT-ENV-PACKAGE.
    """
    check_shape(mesh)
    pose, distance = align_to_points(mesh.vertices, mesh.faces, target, starts, turn)
    notes = list(metadata.get("notes", []))
    if distance > POOR_FIT:
        notes.append(
            f"The mesh fits the traced points poorly: half of them are more than {distance:.0%} of the object's size "
            "away from it. Try another seed, or move it by hand."
        )
    facts = {"alignment": {"scale": pose.scale, "distance": round(distance, 5)}, "notes": notes}
    return mesh.moved(pose).textured({**metadata, **facts})


def front_starts(mesh: GeneratedMesh, target: np.ndarray, view_rotation: np.ndarray) -> list[Similarity]:
    """Where to begin with a mesh that faces the viewer, upright, at no known size: one transform for each pitch.

    Args:
        mesh: in glTF axes.
        target: (N, 3) layer points, camera frame.
        view_rotation: (3, 3), from the camera that looks at the object to the world's.
    """
    check_shape(mesh)
    surface, _ = sample_surface(mesh.vertices, mesh.faces, SURFACE_SAMPLES // 4, np.random.default_rng(0))
    starts = []
    for pitch in np.radians(VIEW_PITCHES):
        cosine, sine = np.cos(pitch), np.sin(pitch)
        tilt = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])  # seen from above: the top comes nearer
        starts.append(match_moments(surface, target, view_rotation @ GLTF_TO_CAMERA @ tilt))
    return starts


def check_shape(mesh: GeneratedMesh) -> None:
    """Refuse what cannot even be aligned (WT-MESH-RESULT)."""
    if len(mesh.faces) == 0 or not np.isfinite(mesh.vertices).all() or np.ptp(mesh.vertices, axis=0).max() == 0:
        raise unusable("it has no surface.")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise unusable("its faces name vertices that do not exist.")
