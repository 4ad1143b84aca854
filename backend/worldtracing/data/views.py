"""Cameras around objects and in rooms. Poses are (4, 4) float64, world (y up) to camera frame (OpenCV)."""

from __future__ import annotations

import numpy as np

from ..camera import DEFAULT_FOV_DEGREES, Camera
from .mesh import Mesh

FOV_RANGE = (20.0, 90.0)


def look_at(eye: np.ndarray, target: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """The pose of a camera at `eye` that looks at `target`, upright but for `roll` radians."""
    forward = np.asarray(target, np.float64) - eye
    forward /= np.linalg.norm(forward)
    up = np.array([0.0, 1.0, 0.0]) if abs(forward[1]) < 0.9999 else np.array([0.0, 0.0, 1.0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    pose = np.eye(4)
    pose[:3, :3] = [c * right + s * down, c * down - s * right, forward]
    pose[:3, 3] = -pose[:3, :3] @ eye
    return pose


def orbit(elevation: float, azimuth: float, distance: float) -> np.ndarray:
    """The point (3,) at `distance` from the origin; angles in degrees."""
    e, a = np.radians([elevation, azimuth])
    return distance * np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])


def object_view(rng: np.random.Generator, mesh: Mesh, size: int, lowest: float = -15.0) -> tuple[Camera, np.ndarray]:
    """A camera around a mesh: half as the evaluation protocol has it, half photos cropped around the object.

    Args:
        size: the picture's side in pixels.
        lowest: elevation in degrees below which the camera does not go.

    Returns:
        camera, pose.
    """
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    centre = (low + high).astype(np.float64) / 2
    radius = float(np.linalg.norm(mesh.vertices - centre, axis=1).max())
    as_protocol = rng.random() < 0.5
    fov = DEFAULT_FOV_DEGREES if as_protocol else np.exp(rng.uniform(*np.log(FOV_RANGE)))
    elevation = rng.uniform(0, 60) if as_protocol else max(lowest, 75 * rng.random() ** 1.3 - 15)
    if as_protocol:
        distance = rng.uniform(1.6, 2.2) * max(float((high - low).max()), 1.05 * radius)
    else:
        distance = radius * max(rng.uniform(0.8, 1.5) / np.sin(np.radians(fov) / 2), 1.3)
    eye = centre + orbit(max(elevation, lowest), rng.uniform(0, 360), distance)
    roll = 0.0 if as_protocol else rng.normal(0, 0.07)
    camera = Camera.from_fov(size, size, fov)
    if as_protocol:
        return camera, look_at(eye, centre, roll)
    aside = rng.normal(0, 0.25, 3) * radius * (rng.random() < 0.6)
    pose = look_at(eye, centre + aside, roll)
    return (_framed(rng, camera, mesh, pose) if rng.random() < 0.7 else camera), pose


def room_view(rng: np.random.Generator, half: np.ndarray, size: int) -> tuple[Camera, np.ndarray]:
    """A camera that stands near a wall of a room and looks through it (see `assemblies.room`)."""
    angle = rng.uniform(0, 2 * np.pi)
    eye = np.array([0.85 * half[0] * np.cos(angle), rng.uniform(1.0, 1.8), 0.85 * half[2] * np.sin(angle)])
    target = np.array([*rng.normal(0, 0.25, 2) * half[[0, 2]], rng.uniform(0.2, 1.1)])[[0, 2, 1]]
    return Camera.from_fov(size, size, rng.uniform(45, FOV_RANGE[1])), look_at(eye, target, rng.normal(0, 0.03))


def _framed(rng: np.random.Generator, camera: Camera, mesh: Mesh, pose: np.ndarray) -> Camera:
    """The camera cropped and zoomed so that the mesh fills half to all of the picture, not quite centred."""
    points = mesh.vertices @ pose[:3, :3].T + pose[:3, 3]
    pixels = camera.project(points[points[:, 2] > 1e-3])
    if not len(pixels):
        return camera
    low, high = pixels.min(0), pixels.max(0)
    zoom = camera.width * rng.uniform(0.5, 1.0) / max((high - low).max(), 1.0)
    centre = (low + high) / 2 + rng.normal(0, 0.06, 2) * (high - low).max()
    cx, cy = (np.array([camera.cx, camera.cy]) - centre) * zoom + camera.width / 2
    return Camera(camera.width, camera.height, camera.fx * zoom, camera.fy * zoom, cx, cy)
