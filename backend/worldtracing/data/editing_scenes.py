"""Furnished rooms whose every surface is known by object: ground truth for taking objects out of a photo."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..camera import Camera
from ..errors import WorldTracingError
from ..world import LayeredWorld
from . import assemblies
from .mesh import Mesh, merged
from .raycast import RayCaster
from .render import Lighting, reduced, shade
from .scenes import ATTEMPTS, Source, dressed, object_source
from .shapes import about_y
from .textures import SolidTexture, random_color
from .views import look_at

MIN_PIXELS = 0.004
"""Share of the picture that each object must be seen in; nobody clicks on less."""

EXPOSURES = 4
"""Pictures whose mean is taken, so that the noise of soft light does not hide what is measured."""

FINEST = 4.0
"""Most repeats per metre of a wall's or floor's pattern: finer ones no photo of this size resolves."""

OBJECTS = (3, 7)
"""Fewest objects of a scene, and one more than the most."""


@dataclass(frozen=True, eq=False)
class EditingScene:
    """A room with objects, its photo's camera and light; objects are numbered from 1, the room is 0.

    Attributes:
        meshes: the objects, then the room, in room coordinates (y up, metres).
        camera, pose: the photo's; (4, 4) room coordinates to camera frame.
        lighting: the same for every picture of the scene.
        seed: of the light's noise.
    """

    meshes: tuple[Mesh, ...]
    camera: Camera
    pose: np.ndarray
    lighting: Lighting
    seed: int

    @property
    def objects(self) -> range:
        return range(1, len(self.meshes))

    @cached_property
    def _truth(self) -> tuple[LayeredWorld, np.ndarray]:
        caster, owner_of_face = self._caster(None)
        layers = caster.layers(self.camera, self.pose)
        rgb = self._picture(caster, self.camera, self.pose)
        world = LayeredWorld(layers.points, layers.valid, rgb, self.camera.K, "metric")
        return world, np.where(layers.valid, owner_of_face[layers.face], -1)

    @property
    def world(self) -> LayeredWorld:
        """The photo with its six true layers."""
        return self._truth[0]

    @property
    def owners(self) -> np.ndarray:
        """(6, H, W) int64, whose surface each point lies on: 0 the room, k object k, -1 where there is no point."""
        return self._truth[1]

    def without(self, removed: int, pose: np.ndarray, shadow: bool) -> np.ndarray:
        """(H, W, 3) uint8, the picture of the scene without one object from another pose, with its shadow or not."""
        caster = self._caster(removed)[0]
        if shadow:
            first = sum(len(mesh.faces) for mesh in self.meshes[: removed - 1])
            caster = _ShadowCaster(self._caster(None)[0], caster, first, len(self.meshes[removed - 1].faces))
        return self._picture(caster, self.camera, pose)

    def _caster(self, removed: int | None) -> tuple[RayCaster, np.ndarray]:
        owners = [*self.objects, 0]
        kept = [(mesh, owner) for mesh, owner in zip(self.meshes, owners, strict=True) if owner != removed]
        caster = RayCaster(merged([mesh for mesh, _ in kept]), object_size=1.0)
        return caster, np.concatenate([np.full(len(mesh.faces), owner) for mesh, owner in kept])

    def _picture(self, caster: RayCaster, camera: Camera, pose: np.ndarray) -> np.ndarray:
        shading = len(caster.mesh.faces) - len(self.meshes[-1].faces)  # the walls let light in
        rng = np.random.default_rng(self.seed)
        colors = [reduced(shade(caster, camera, pose, self.lighting, rng, shading)[0]) for _ in range(EXPOSURES)]
        return (np.clip(np.mean(colors, 0), 0, 1) * 255 + 0.5).astype(np.uint8)


class _ShadowCaster:
    """What `shade` asks of a ray caster, for a mesh of which some faces are not seen but throw shadows."""

    def __init__(self, whole: RayCaster, seen: RayCaster, first: int, count: int) -> None:
        self.mesh, self.occluded = whole.mesh, whole.occluded
        self._seen, self._first, self._count = seen, first, count

    def closest(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        face, depth, bary = self._seen.closest(origins, directions)
        return face + self._count * (face >= self._first), depth, bary


def editing_scene(seed: int, size: int, source: Source | None = None) -> EditingScene:
    """Scene number `seed` with a photo of size x size pixels; always the same for the same source.

    Raises:
        WorldTracingError: WT-IO-POOL when no composition had its objects in sight.
    """
    rng = np.random.default_rng([seed, 6])
    source = source or object_source([])
    for _ in range(ATTEMPTS):
        scene = _compose(rng, source, size)
        if scene is not None:
            return scene
    raise WorldTracingError(
        "WT-IO-POOL",
        f"Editing scene {seed} found no composition in {ATTEMPTS} attempts.",
        "The pool needs more meshes that are closed, wound counter-clockwise and of size 1.",
    )


def _compose(rng: np.random.Generator, source: Source, size: int) -> EditingScene | None:
    """One room, without the objects that the camera hardly sees; None if fewer than `OBJECTS` are left."""
    shell, half = assemblies.room(rng)
    camera, pose = _view(rng, half, size)
    objects = _furnish(rng, source, half)
    scene = EditingScene((*objects, _painted(rng, shell)), camera, pose, Lighting.random(rng), int(rng.integers(2**31)))
    caster, owner_of_face = scene._caster(None)
    face = caster.layers(camera, pose).face[0]
    seen = np.bincount(np.where(face >= 0, owner_of_face[face], 0).ravel(), minlength=len(scene.meshes))
    kept = [mesh for mesh, pixels in zip(objects, seen[1:], strict=True) if pixels >= MIN_PIXELS * size**2]
    return replace(scene, meshes=(*kept, scene.meshes[-1])) if len(kept) >= OBJECTS[0] else None


def _view(rng: np.random.Generator, half: np.ndarray, size: int) -> tuple[Camera, np.ndarray]:
    """A camera at a wall that looks down at the middle of the room."""
    angle = rng.uniform(0, 2 * np.pi)
    eye = np.array([0.9 * half[0] * np.cos(angle), rng.uniform(1.0, 1.9), 0.9 * half[2] * np.sin(angle)])
    target = np.array([rng.normal(0, 0.1), rng.uniform(0.2, 0.6), rng.normal(0, 0.1)])
    return Camera.from_fov(size, size, rng.uniform(50, 75)), look_at(eye, target, rng.normal(0, 0.02))


def _furnish(rng: np.random.Generator, source: Source, half: np.ndarray) -> list[Mesh]:
    """Objects on the floor around the middle, not inside each other; in half of the rooms also some on a table."""
    objects: list[Mesh] = []
    circles: list[tuple[np.ndarray, float]] = []
    with_table = rng.random() < 0.5
    for index in range(rng.integers(*OBJECTS)):
        table = with_table and index == 0
        mesh = dressed(rng, assemblies.table(rng), keep=0.0).normalized() if table else source(rng)
        mesh = mesh.moved(about_y(rng.uniform(0, 2 * np.pi)) * rng.uniform(*((0.8, 1.2) if table else (0.35, 1.0))))
        radius = float(np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 2]).max())
        for _ in range(20):
            spot = rng.uniform(-0.6, 0.6, 2) * half[[0, 2]]
            if all(np.linalg.norm(spot - at) > 0.9 * (radius + r) for at, r in circles):
                circles.append((spot, radius))
                objects.append(mesh.moved(np.eye(3), (spot[0], -mesh.vertices[:, 1].min(), spot[1])))
                break
    if with_table and objects:
        top = objects[0].vertices.max(0)
        spot = objects[0].vertices[:, [0, 2]].mean(0)
        mesh = source(rng).moved(np.eye(3) * rng.uniform(0.2, 0.35))
        objects.append(mesh.moved(np.eye(3), (spot[0], top[1] - mesh.vertices[:, 1].min(), spot[1])))
    return objects


def _painted(rng: np.random.Generator, shell: Mesh) -> Mesh:
    """The room with plain or patterned walls, a patterned floor in two of three rooms, and a white ceiling.

    The patterns are of halved contrast: rugs and wallpaper, not test charts.
    """
    colors, textures = np.ones((3, 4), np.float32), []
    for k, chance in enumerate((0.3, 0.65, 0.0)):
        colors[k, :3] = random_color(rng) if k == 1 else rng.uniform(0.6, 0.95) + rng.normal(0, 0.04, 3)
        colors[k, :3] = colors[k, :3].clip(0.1, 0.95)
        texture = SolidTexture.random(rng, colors[k, :3])
        palette = (texture.palette + texture.palette.mean(0)) / 2
        texture = replace(texture, palette=palette, frequency=min(texture.frequency, FINEST))
        textures.append(texture if rng.random() < chance else None)
    return replace(shell, colors=colors, textures=tuple(textures)).with_parts(shell.part)
