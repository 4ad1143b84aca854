"""Where the cameras of the rigs stand, in the frame of a world's root (Blender axes: x right, y forward, z up)."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np

from .coverage import Splats, coverage, largest_step

RIGS = ("orbit", "arc", "dolly", "fly", "stereo")

ENOUGH = 0.9  # of the photo's own coverage
ANGLE_STEP, LARGEST_ANGLE = 5, 180  # degrees
DOLLY_STEP, DOLLY_STEPS = 0.1, 8  # of the distance to the nearest point
STANDOFF = 0.4  # of the way from a picked point to the photo's camera
STEREO_PARALLAX = 1 / 30  # of the distance to the nearest point: the stereographer's usual rule


@dataclass(frozen=True)
class RigRange:
    """How far a rig may go while at least `ENOUGH` of the photo's coverage is left.

    Attributes:
        left, right: degrees around the world's center, as the viewer sees it.
        back, forward: distance along the line of sight, in the world's unit.
        photo_coverage: of the photo's own view, 0 to 1.
        orbit_coverage: the least on a full circle, relative to the photo's.
    """

    left: float
    right: float
    back: float
    forward: float
    photo_coverage: float
    orbit_coverage: float


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """The camera that took the photo, and what it looks at.

    Attributes:
        K: (3, 3) in pixels of the traced picture.
        size: (width, height) of the traced picture.
        center: (3,) the middle of the world.
        up: (3,) of length 1, the axis that orbits turn about.
        nearest: distance to the nearest point, in the world's unit.
    """

    K: np.ndarray
    size: tuple[int, int]
    center: np.ndarray
    up: np.ndarray
    nearest: float

    @property
    def distance(self) -> float:
        """From the eye to the center."""
        return float(np.linalg.norm(self.center))


def clip_matrix(K: np.ndarray, size: tuple[int, int], pose: np.ndarray) -> np.ndarray:
    """(4, 4) clip matrix of a pinhole camera.

    Args:
        K: (3, 3) in pixels of a picture of `size` (width, height).
        pose: (4, 4) camera to root, the camera with Blender's axes turned to look along +y: the identity is the
            photo's camera.
    """
    width, height = size
    (fx, _, cx), (_, fy, cy) = K[0], K[1]
    projection = np.array(
        [
            [2 * fx / width, 2 * cx / width - 1, 0, 0],
            [0, 1 - 2 * cy / height, 2 * fy / height, 0],
            [0, 1, 0, 0],  # depth is of no use here
            [0, 1, 0, 0],
        ]
    )
    return projection @ np.linalg.inv(pose)


def orbit_pose(center: np.ndarray, up: np.ndarray, degrees: float) -> np.ndarray:
    """(4, 4) pose of the photo's camera led around `center`; positive degrees lead it to the right."""
    angle, (x, y, z) = radians(degrees), up
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    pose = np.eye(4)
    pose[:3, :3] = np.eye(3) + sin(angle) * cross + (1 - cos(angle)) * cross @ cross  # Rodrigues
    pose[:3, 3] = center - pose[:3, :3] @ center
    return pose


def dolly_pose(center: np.ndarray, travel: float) -> np.ndarray:
    """(4, 4) pose of the photo's camera moved by `travel` towards `center`."""
    pose = np.eye(4)
    pose[:3, 3] = center / np.linalg.norm(center) * travel
    return pose


def suggest_range(splats: Splats, view: Viewpoint, size: tuple[int, int]) -> RigRange:
    """How far each rig may go, by splatting the world from candidate cameras.

    Args:
        size: (width, height) of the splatted pictures.
    """
    photo = coverage(splats, clip_matrix(view.K, view.size, np.eye(4)), size)

    def share(pose: np.ndarray) -> float:
        return coverage(splats, clip_matrix(view.K, view.size, pose), size) / photo if photo else 0.0

    angles = range(-LARGEST_ANGLE, LARGEST_ANGLE, ANGLE_STEP)
    by_angle = {angle: share(orbit_pose(view.center, view.up, angle)) for angle in angles}
    by_angle[LARGEST_ANGLE] = by_angle[-LARGEST_ANGLE]
    turns = range(ANGLE_STEP, LARGEST_ANGLE + 1, ANGLE_STEP)
    travels = [view.nearest * DOLLY_STEP * step for step in range(1, DOLLY_STEPS + 1)]
    return RigRange(
        left=largest_step(turns, lambda angle: by_angle[-angle], ENOUGH),
        right=largest_step(turns, by_angle.__getitem__, ENOUGH),
        back=largest_step(travels, lambda travel: share(dolly_pose(view.center, -travel)), ENOUGH),
        forward=largest_step(travels, lambda travel: share(dolly_pose(view.center, travel)), ENOUGH),
        photo_coverage=photo,
        orbit_coverage=min(by_angle.values()),
    )


def fly_path(picks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The way from the photo's camera past each picked point.

    Args:
        picks: (N, 3) points to fly to, N >= 1.

    Returns:
        (N + 1, 3) places of the camera, the first one the photo's; and (N + 1,) how far along the polyline each one
        is, 0 to 1.
    """
    picks = np.asarray(picks, np.float64)
    places = np.concatenate([np.zeros((1, 3)), picks * (1 - STANDOFF)])
    lengths = np.linalg.norm(np.diff(places, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    return places, along / along[-1] if along[-1] > 0 else np.linspace(0, 1, len(places))


def stereo_shift(separation: float, convergence: float, focal: float) -> float:
    """The lens shift, as Blender counts it, that lets the left camera's picture converge; the right one's negative.

    Args:
        separation: between both eyes.
        convergence: distance of what shows no parallax, same unit.
        focal: focal length in multiples of the sensor's longer side.
    """
    return separation / 2 / convergence * focal
