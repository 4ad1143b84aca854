"""Shading what the ray caster sees: textures, sky, lights with shadows, gloss; 2x2 samples per pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..camera import Camera
from .mesh import Mesh
from .raycast import RayCaster, interpolate
from .textures import SolidTexture, noise, random_color

SAMPLES = 2
"""Samples per pixel along each axis."""

BIAS = 1e-4
"""How far from a surface its shadow rays start, so that they do not hit it again."""


@dataclass(frozen=True, eq=False)
class Lighting:
    """A sky that is brighter on one side, and lamps far away.

    Attributes:
        sky: (3,) linear RGB from everywhere.
        sky_up: (3,) direction from which the sky is brightest.
        lamps: (D, 3) directions towards the lamps.
        lamp_colors: (D, 3) linear RGB.
        gloss, sharpness: strength and exponent of highlights.
        exposure: factor on everything.
    """

    sky: np.ndarray
    sky_up: np.ndarray
    lamps: np.ndarray
    lamp_colors: np.ndarray
    gloss: float
    sharpness: float
    exposure: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> Lighting:
        """From an overcast day to one hard lamp; lamps are above more often than not."""
        count = rng.choice([0, 1, 2, 3], p=[0.15, 0.45, 0.28, 0.12])
        lamps = rng.normal(size=(count, 3))
        lamps[:, 1] = np.where(rng.random(count) < 0.85, np.abs(lamps[:, 1]) + 0.3, lamps[:, 1])
        lamps /= np.maximum(np.linalg.norm(lamps, axis=1, keepdims=True), 1e-6)
        colors = np.exp(rng.normal(0, 0.12, (count, 3))) * rng.uniform(0.3, 1.2, (count, 1))
        sky = np.exp(rng.normal(0, 0.08, 3)) * (rng.uniform(0.7, 1.1) if count == 0 else rng.uniform(0.15, 0.8))
        up = np.array([0.0, 1.0, 0.0]) + rng.normal(0, 0.3, 3)
        return cls(
            sky=sky.astype(np.float32),
            sky_up=(up / np.linalg.norm(up)).astype(np.float32),
            lamps=lamps.astype(np.float32),
            lamp_colors=colors.astype(np.float32),
            gloss=float(rng.choice([0.0, 0.05, 0.25])),
            sharpness=float(rng.choice([6.0, 20.0, 60.0])),
            exposure=float(np.exp(rng.normal(0.25, 0.25))),
        )


def shade(
    caster: RayCaster,
    camera: Camera,
    pose: np.ndarray,
    lighting: Lighting,
    rng: np.random.Generator,
    shading_faces: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The picture that a camera takes of a mesh.

    Args:
        pose: (4, 4) mesh coordinates to camera frame, rigid.
        shading_faces: only the first so many faces throw shadows (a room's walls must let light in).

    Returns:
        color (sH, sW, 3) float32 sRGB in 0..1, zero where nothing is hit; and face (sH, sW) int32, -1 there; at
        s = `SAMPLES` samples per pixel and axis (see `reduced`).
    """
    fine = camera.resized(camera.width * SAMPLES, camera.height * SAMPLES)
    directions = fine.rays().reshape(-1, 3) @ pose[:3, :3].astype(np.float32)
    eye = (-pose[:3, :3].T @ pose[:3, 3]).astype(np.float32)
    face, depth, bary = caster.closest(np.broadcast_to(eye, directions.shape), directions)
    hit = np.flatnonzero(face >= 0)
    color = np.zeros((len(face), 3), np.float32)
    if len(hit):
        shadows = len(caster.mesh.faces) if shading_faces is None else shading_faces
        points = eye + depth[hit, None] * directions[hit]
        color[hit] = _lit(caster, points, face[hit], bary[hit], directions[hit], lighting, rng, shadows)
    return color.reshape(fine.height, fine.width, 3), face.reshape(fine.height, fine.width)


def reduced(samples: np.ndarray) -> np.ndarray:
    """(H, W, ...) means of the samples of each pixel."""
    return sum(samples[y::SAMPLES, x::SAMPLES] for y in range(SAMPLES) for x in range(SAMPLES)) / SAMPLES**2


def _lit(
    caster: RayCaster,
    points: np.ndarray,
    face: np.ndarray,
    bary: np.ndarray,
    directions: np.ndarray,
    lighting: Lighting,
    rng: np.random.Generator,
    shadows: int,
) -> np.ndarray:
    """(N, 3) sRGB of surface points seen along `directions`."""
    view = -_unit(directions)
    normals = caster.mesh.normals[face]
    albedo = _albedo(caster.mesh, face, bary, points, normals) ** np.float32(2.2)
    normals = normals * np.where(np.einsum("ij,ij->i", normals, view) < 0, -1, 1)[:, None].astype(np.float32)
    off = points + normals * np.float32(BIAS * max(caster.mesh.size, 1))

    # One ray into the hemisphere around the normal, cosine-weighted: averaged over a pixel's samples it is soft sky.
    upwards = normals + _unit(rng.standard_normal(points.shape, np.float32))
    open_sky = ~caster.occluded(off, upwards, shadows)
    brightness = (0.65 + 0.35 * normals @ lighting.sky_up) * (0.25 + 0.75 * open_sky.astype(np.float32))
    light = brightness[:, None] * lighting.sky
    shine = np.zeros_like(light)
    for lamp, lamp_color in zip(lighting.lamps, lighting.lamp_colors, strict=True):
        cosine = normals @ lamp
        lit = np.flatnonzero(cosine > 0)
        lit = lit[~caster.occluded(off[lit], np.broadcast_to(lamp, (len(lit), 3)), shadows)]
        light[lit] += cosine[lit, None] * lamp_color
        if lighting.gloss > 0:
            aligned = np.maximum(np.einsum("ij,ij->i", _unit(view[lit] + lamp), normals[lit]), 0)
            shine[lit] += lighting.gloss * aligned[:, None] ** np.float32(lighting.sharpness) * lamp_color
    return np.clip(np.float32(lighting.exposure) * (albedo * light + shine), 0, 1) ** np.float32(1 / 2.2)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """(N, 3) float32 vectors of length one."""
    return vectors / np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]


def _albedo(mesh: Mesh, face: np.ndarray, bary: np.ndarray, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(N, 3) float32 sRGB of the surface itself."""
    material = mesh.material[face]
    color = mesh.colors[material, :3].copy()
    for index in np.unique(material):
        texture = mesh.textures[index]
        if texture is None:
            continue
        on = np.flatnonzero(material == index)
        if isinstance(texture, SolidTexture):
            color[on] = texture.color(points[on], normals[on])
        elif mesh.uv is not None:
            color[on] *= picture_color(texture, interpolate(mesh.uv, mesh.faces, face[on], bary[on]))
    return color


def picture_color(picture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(N, 3) float32 sRGB in 0..1 of a (h, w, 3) uint8 picture that repeats, at (N, 2) uv with v up, bilinear."""
    height, width = picture.shape[:2]
    x, y = uv[:, 0] % 1 * width - 0.5, (1 - uv[:, 1] % 1) * height - 0.5
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx, fy = (x - left)[:, None].astype(np.float32), (y - top)[:, None].astype(np.float32)
    columns, rows = (left % width, (left + 1) % width), (top % height, (top + 1) % height)
    upper = picture[rows[0], columns[0]] * (1 - fx) + picture[rows[0], columns[1]] * fx
    lower = picture[rows[1], columns[0]] * (1 - fx) + picture[rows[1], columns[1]] * fx
    return (upper * (1 - fy) + lower * fy) / np.float32(255)


def background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """(H, W, 3) float32 sRGB in 0..1: plain, white, a gradient, or blurred clutter."""
    kind = rng.choice(4, p=[0.25, 0.2, 0.25, 0.3])
    if kind == 1:
        return np.full((height, width, 3), rng.uniform(0.9, 1.0), np.float32)
    first, second = random_color(rng), random_color(rng)
    if kind == 0:
        return np.broadcast_to(first, (height, width, 3)).astype(np.float32)
    rows, columns = np.mgrid[0:height, 0:width].reshape(2, -1) / max(height, width)
    if kind == 2:
        angle = rng.uniform(0, 2 * np.pi)
        share = 0.5 + 0.5 * (np.cos(angle) * (columns - 0.5) + np.sin(angle) * (rows - 0.5)) * 1.4
    else:
        scale = np.exp(rng.uniform(np.log(0.6), np.log(5)))
        share = noise(np.stack([rows * scale, columns * scale, np.full_like(rows, rng.uniform(0, 8))], 1))
    share = np.clip(share, 0, 1)[:, None]
    return (first * (1 - share) + second * share).reshape(height, width, 3).astype(np.float32)


def camera_noise(rng: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    """The (H, W, 3) float32 picture as a camera would store it, uint8: white balance, sensor and JPEG noise."""
    rgb = rgb * np.exp(rng.normal(0, 0.04, 3)).astype(np.float32)
    if rng.random() < 0.5:
        rgb = rgb + rng.normal(0, rng.uniform(0.002, 0.02), rgb.shape).astype(np.float32)
    pixels = (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)
    return jpeg(pixels, int(rng.integers(55, 98))) if rng.random() < 0.6 else pixels


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    """The (H, W, 3) uint8 picture after storing it as JPEG."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer).convert("RGB"))
