"""One training sample from a seed and a number: compose, dress, light, photograph, and cast all layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..camera import Camera
from ..errors import WorldTracingError
from . import assemblies, shapes
from .mesh import Mesh, merged
from .pool import cached_mesh
from .raycast import Layers, RayCaster
from .render import Lighting, background, camera_noise, reduced, shade
from .textures import SolidTexture, random_color
from .views import object_view, room_view

POOL_SHARE = 0.65
"""Share of objects from the pool; the others are procedural."""

KINDS = {"object": 0.66, "group": 0.22, "room": 0.12}
"""Kinds of samples and how often each is drawn: one object, several on a ground, a furnished room."""

ATTEMPTS = 40

Source = Callable[[np.random.Generator], Mesh]


@dataclass(frozen=True, eq=False)
class Sample:
    """What the model sees and what it should answer.

    Attributes:
        rgba: (H, W, 4) uint8 sRGB; the picture with its background, and the mask's coverage as alpha.
        depth: (6, H, W) float32 camera z, 0 where absent.
        camera: the picture's camera.
        kind: one of `KINDS`.
    """

    rgba: np.ndarray
    depth: np.ndarray
    camera: Camera
    kind: str


@dataclass(frozen=True, eq=False)
class Composition:
    """Meshes before a camera; the objects' faces come first, then those of a ground or a room.

    Attributes:
        traced: so many of the first faces get layers and the mask; the others are only seen.
        shading: so many of the first faces throw shadows.
    """

    kind: str
    mesh: Mesh
    traced: int
    shading: int
    camera: Camera
    pose: np.ndarray


def object_source(files: list[Path], pool_share: float = POOL_SHARE) -> Source:
    """Draws objects from pool meshes and procedural shapes, standing, longest side 1, undressed where procedural."""

    def draw(rng: np.random.Generator) -> Mesh:
        if files and rng.random() < pool_share:
            mesh = dressed(rng, cached_mesh(files[rng.integers(len(files))]), keep=0.5)
            stretch = np.diag(np.exp(rng.normal(0, 0.15, 3))) if rng.random() < 0.5 else np.eye(3)
            mesh = mesh.moved(shapes.about_y(rng.uniform(0, 2 * np.pi)) @ stretch).normalized()
        else:
            mesh = assemblies.furniture(rng) if rng.random() < 0.35 else shapes.union(rng)
            mesh = dressed(rng, mesh, keep=0.0)
        if rng.random() < 0.2:
            mesh = shapes.bent(mesh, rng)
        return mesh.moved(shapes.rotation(rng, upright=0.3)).normalized() if rng.random() < 0.15 else mesh

    return draw


def make_sample(seed: int, index: int, source: Source, size: int, kinds: dict[str, float] | None = None) -> Sample:
    """Sample `index` of stream `seed`; always the same for the same source.

    Raises:
        WorldTracingError: WT-IO-POOL when nothing usable came up in `ATTEMPTS` compositions.
    """
    rng = np.random.default_rng([seed, index])
    kinds = kinds or KINDS
    kind = list(kinds)[rng.choice(len(kinds), p=list(kinds.values()))]
    for _ in range(ATTEMPTS):
        scene = compose(rng, kind, source, size)
        caster = RayCaster(scene.mesh, object_size=1.0)
        layers = caster.layers(scene.camera, scene.pose, faces=scene.traced)
        if usable(scene, layers):
            return Sample(_photograph(rng, scene, caster), layers.depth, scene.camera, kind)
    raise WorldTracingError(
        "WT-IO-POOL",
        f"Sample {index} of seed {seed} found no usable {kind} in {ATTEMPTS} attempts.",
        "The pool needs more meshes that are closed, wound counter-clockwise and of size 1.",
    )


def compose(rng: np.random.Generator, kind: str, source: Source, size: int) -> Composition:
    """Meshes and a camera of one kind."""
    if kind == "room":
        mesh, objects, half = _furnished_room(rng, source)
        return Composition(kind, mesh, len(mesh.faces), objects, *room_view(rng, half, size))
    objects = [source(rng)]
    if kind == "group":
        objects = _placed([objects[0], *(source(rng) for _ in range(rng.integers(1, 5)))], rng)
    mesh = merged(objects)
    on_ground = kind == "group" or rng.random() < 0.45
    camera, pose = object_view(rng, mesh, size, lowest=4.0 if on_ground else -15.0)
    if not on_ground:
        return Composition(kind, mesh, len(mesh.faces), len(mesh.faces), camera, pose)
    floor = dressed(rng, assemblies.ground(rng.uniform(3, 9), float(mesh.vertices[:, 1].min())), keep=0.0)
    everything = merged([mesh, floor])
    traced = everything if kind == "group" and rng.random() < 0.35 else mesh
    return Composition(kind, everything, len(traced.faces), len(everything.faces), camera, pose)


def usable(scene: Composition, layers: Layers) -> bool:
    """Whether a sample teaches something: enough to see, not too near, and surfaces that mostly alternate between
    facing the camera and facing away, as those of solids do."""
    seen = layers.valid[0]
    if seen.mean() < 0.04 or layers.depth[0][seen].min() < 0.1 or layers.valid[1].mean() < 0.03:
        return False
    layer, row, column = np.nonzero(layers.valid)
    normals = scene.mesh.normals[layers.face[layer, row, column]] @ scene.pose[:3, :3].T
    toward = np.einsum("ij,ij->i", normals, layers.rays[row, column]) < 0
    return (toward == (layer % 2 == 0)).mean() > 0.88


def dressed(rng: np.random.Generator, mesh: Mesh, keep: float) -> Mesh:
    """The mesh in new colors and textures; with probability `keep` its own, slightly recolored.

    New ones are drawn for the whole mesh, for each material or for each part.
    """
    if rng.random() < keep:
        tint = np.append(np.exp(rng.normal(0, 0.2, 3)), 1)
        return replace(mesh, colors=np.clip(mesh.colors * tint, 0, 1).astype(np.float32)).with_parts(mesh.part)
    groups = (np.zeros(len(mesh.faces), np.int32), mesh.material, mesh.part)[rng.choice(3, p=[0.35, 0.2, 0.45])] % 8
    count = int(groups.max()) + 1
    first = random_color(rng)
    related = rng.random() < 0.5
    colors, textures = np.ones((count, 4), np.float32), []
    for k in range(count):
        color = np.clip(first + rng.normal(0, 0.15, 3), 0.03, 1) if related else random_color(rng)
        colors[k, :3] = color
        textures.append(SolidTexture.random(rng, color) if rng.random() < 0.6 else None)
    out = replace(mesh, colors=colors, textures=tuple(textures), material=groups.astype(np.int32))
    return out.with_parts(mesh.part)


def _placed(objects: list[Mesh], rng: np.random.Generator) -> list[Mesh]:
    """Objects of different sizes side by side on y = 0, near each other but not inside each other."""
    placed: list[Mesh] = []
    circles: list[tuple[np.ndarray, float]] = []
    for mesh in objects:
        mesh = mesh.moved(np.eye(3) * rng.uniform(0.35, 1.0))
        radius = float(np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 2]).max())
        for reach in np.linspace(0.0 if not placed else 0.2, 2.5, 24):
            spot = reach * np.array([np.cos(a := rng.uniform(0, 2 * np.pi)), np.sin(a)])
            if all(np.linalg.norm(spot - at) > 0.85 * (radius + r) for at, r in circles):
                circles.append((spot, radius))
                placed.append(mesh.moved(np.eye(3), (spot[0], -mesh.vertices[:, 1].min(), spot[1])))
                break
    return placed


def _furnished_room(rng: np.random.Generator, source: Source) -> tuple[Mesh, int, np.ndarray]:
    """A dressed room with three to eight objects on its floor, the number of the objects' faces (they come first),
    and the room's half width, height and half depth."""
    shell, half = assemblies.room(rng)
    objects, circles = [], []
    for _ in range(rng.integers(3, 9)):
        mesh = source(rng)
        mesh = mesh.moved(np.eye(3) * rng.uniform(0.4, 1.4))
        radius = float(np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 2]).max())
        room_left = half[[0, 2]] - radius - 0.05
        spot = rng.uniform(-1, 1, 2) * np.maximum(room_left, 0)
        if room_left.min() > 0 and all(np.linalg.norm(spot - at) > radius + r for at, r in circles):
            circles.append((spot, radius))
            objects.append(mesh.moved(np.eye(3), (spot[0], -mesh.vertices[:, 1].min(), spot[1])))
    colors = np.ones((3, 4), np.float32)
    textures = []
    for k, chance in enumerate((0.35, 0.8, 0.1)):  # walls, floor, ceiling
        colors[k, :3] = random_color(rng) if k == 1 else np.clip(rng.uniform(0.55, 1) + rng.normal(0, 0.06, 3), 0, 1)
        textures.append(SolidTexture.random(rng, colors[k, :3]) if rng.random() < chance else None)
    shell = replace(shell, colors=colors, textures=tuple(textures))
    return merged([*objects, shell]), sum(len(mesh.faces) for mesh in objects), half


def _photograph(rng: np.random.Generator, scene: Composition, caster: RayCaster) -> np.ndarray:
    """(H, W, 4) uint8: the picture with its background and camera noise, and the coverage of the traced faces."""
    color, face = shade(caster, scene.camera, scene.pose, Lighting.random(rng), rng, scene.shading)
    covered = reduced((face >= 0).astype(np.float32))[..., None]
    alpha = reduced(((face >= 0) & (face < scene.traced)).astype(np.float32))
    behind = background(rng, scene.camera.height, scene.camera.width)
    rgb = camera_noise(rng, reduced(color) + (1 - covered) * behind)
    return np.concatenate([rgb, (alpha * 255 + 0.5).astype(np.uint8)[..., None]], -1)
