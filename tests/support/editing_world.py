"""A room of exact layers, made of spheres and boxes, with the owner of every point: no ray caster needed."""

import numpy as np

from worldtracing.camera import Camera
from worldtracing.world import LayeredWorld

SIZE = 96
FLOOR, WALL, BALL, CRATE, TABLE, CUP = range(6)
COLORS = np.array(
    [(120, 100, 80), (200, 200, 190), (220, 40, 40), (40, 60, 200), (150, 110, 50), (240, 230, 60)], np.uint8
)

CAMERA = Camera.from_fov(SIZE, SIZE, 60.0)
PITCH = np.radians(20)
TO_LEVEL = np.array([[1, 0, 0], [0, np.cos(PITCH), np.sin(PITCH)], [0, -np.sin(PITCH), np.cos(PITCH)]])
"""Camera frame to a level one (y down, z ahead); the camera looks down by `PITCH` from the level frame's origin."""

EYE_HEIGHT, WALL_DISTANCE = 1.4, 5.0

BOXES = {
    CRATE: ((0.1, 0.7, 2.9), (0.9, 1.4, 3.6)),
    TABLE: ((-1.5, 0.75, 3.0), (-0.5, 0.83, 3.8)),
}
LEGS = [((x, 0.83, z), (x + 0.08, 1.4, z + 0.08)) for x in (-1.45, -0.63) for z in (3.05, 3.67)]
CUP_BOX = ((-1.1, 0.5, 3.3), (-0.9, 0.75, 3.5))
SPHERES = {BALL: ((0.75, 1.0, 2.2), 0.4)}


def room(objects=(BALL, CRATE, TABLE, CUP)):
    """A world of up to six layers and its owners (L, H, W), -1 for no point; the ball stands before the crate."""
    rays = CAMERA.rays().reshape(-1, 3).astype(np.float64) @ TO_LEVEL.T
    hits = []  # (depth, owner) per surface, depth inf where it is missed
    for owner in objects:
        if owner in SPHERES:
            hits += [(depth, owner) for depth in sphere(rays, *SPHERES[owner])]
        elif owner == CUP:
            hits += [(depth, owner) for depth in box(rays, *CUP_BOX)]
        else:
            hits += [(depth, owner) for depth in box(rays, *BOXES[owner])]
        if owner == TABLE:
            hits += [(depth, owner) for leg in LEGS for depth in box(rays, *leg)]
    floor, wall = EYE_HEIGHT / np.where(rays[:, 1] > 1e-6, rays[:, 1], 1e-12), WALL_DISTANCE / rays[:, 2]
    hits = [(np.where(depth < np.minimum(floor, wall) - 1e-3, depth, np.inf), owner) for depth, owner in hits]
    hits += [(np.where(floor <= wall, floor, np.inf), FLOOR), (np.where(wall < floor, wall, np.inf), WALL)]
    depth = np.stack([one for one, _ in hits])
    owner = np.stack([np.full(SIZE**2, one) for _, one in hits])
    order = np.argsort(depth, 0, kind="stable")[:6]
    depth = np.take_along_axis(depth, order, 0).reshape(-1, SIZE, SIZE)
    owners = np.where(np.isfinite(depth), np.take_along_axis(owner, order, 0).reshape(depth.shape), -1)
    valid = owners >= 0
    points = (CAMERA.rays() * np.where(valid, depth, 0)[..., None]).astype(np.float32)
    return LayeredWorld(points, valid, COLORS[owners[0]], CAMERA.K, "metric"), owners


def sphere(rays, center, radius):
    """Entry and exit, in units of the rays."""
    square, along = (rays**2).sum(1), rays @ np.array(center)
    inside = along**2 - square * (np.dot(center, center) - radius**2)
    root = np.sqrt(np.where(inside > 0, inside, np.nan))
    return [np.nan_to_num((along + sign * root) / square, nan=np.inf) for sign in (-1, 1)]


def box(rays, low, high):
    with np.errstate(divide="ignore"):
        first, second = np.array(low) / rays, np.array(high) / rays
    enter, leave = np.minimum(first, second).max(1), np.maximum(first, second).min(1)
    hit = (enter < leave) & (enter > 0)
    return [np.where(hit, depth, np.inf) for depth in (enter, leave)]
