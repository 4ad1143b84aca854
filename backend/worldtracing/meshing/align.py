"""A generator's mesh brought to where the photo shows the object: similarity transforms and ICP onto layer points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..extras import need

SURFACE_SAMPLES = 20_000
TARGET_SAMPLES = 4_000
ITERATIONS = 40
POINT_WEIGHT = 0.1
"""Of the distance along the surface, relative to the distance to it: enough to keep a sphere from rolling."""

OUTLIERS = 3.0
"""Layer points farther from the mesh than this many median distances count for nothing: flyers, missing parts."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """p -> scale * rotation @ p + translation.

    Attributes:
        scale: positive.
        rotation: (3, 3) float64, determinant 1.
        translation: (3,) float64.
    """

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) float64."""
        return self.scale * np.asarray(points, np.float64) @ self.rotation.T + self.translation

    def after(self, first: Similarity) -> Similarity:
        """The transform that applies `first` and then this one."""
        return Similarity(self.scale * first.scale, self.rotation @ first.rotation, self(first.translation))


GLTF_TO_CAMERA = np.diag([1.0, -1.0, -1.0])
"""From glTF's axes with the viewer on +z (x right, y up, z to the viewer) to OpenCV's (x right, y down, z forward)."""


def rotated(rotation: np.ndarray) -> Similarity:
    """A rotation alone."""
    return Similarity(1.0, np.asarray(rotation, np.float64), np.zeros(3))


def match_moments(source: np.ndarray, target: np.ndarray, rotation: np.ndarray) -> Similarity:
    """The rotation, with the scale and translation that give two clouds the same mean and the same spread.

    Args:
        source: (N, 3), at least two different points.
        target: (M, 3), likewise.
        rotation: (3, 3), of the source.
    """
    source_mean, target_mean = source.mean(0, dtype=np.float64), target.mean(0, dtype=np.float64)
    spread = np.sqrt(((source - source_mean) ** 2).sum(1).mean())
    scale = float(np.sqrt(((target - target_mean) ** 2).sum(1).mean()) / spread) if spread > 0 else 1.0
    return Similarity(scale, rotation, target_mean - scale * rotation @ source_mean)


def align_to_points(
    vertices: np.ndarray,
    faces: np.ndarray,
    target: np.ndarray,
    starts: list[Similarity],
    turn: bool = False,
) -> tuple[Similarity, float]:
    """Bring a mesh onto the points of the layers: least squares for scale and translation, refined by ICP.

    Each layer point is matched with the nearest point of the mesh, never the other way round: the generator makes up
    parts that no layer has, and a mesh cannot shrink to a point while all layer points pull at it.

    Args:
        vertices: (V, 3) of the mesh, in its own frame.
        faces: (F, 3) int.
        target: (N, 3) layer points in the camera frame.
        starts: transforms to begin with; the one that ends nearest to the points wins.
        turn: whether ICP may turn the mesh as well.

    Returns:
        The transform from the mesh's frame to the camera frame, and the median distance of the layer points from the
        mesh, relative to the object's size.

    Raises:
        WorldTracingError: WT-ENV-PACKAGE without SciPy.
    """
    random = np.random.default_rng(0)
    surface, normals = sample_surface(vertices, faces, SURFACE_SAMPLES, random)
    target = np.asarray(target, np.float64)
    if len(target) > TARGET_SAMPLES:
        target = target[random.choice(len(target), TARGET_SAMPLES, replace=False)]
    size = float(np.linalg.norm(np.ptp(target, axis=0))) or 1.0
    tree = need("scipy.spatial", "mesh", "align the mesh with the layers").cKDTree(surface)
    results = [_icp(tree, surface, normals, target, start, turn) for start in starts]
    best, distance = min(results, key=lambda result: result[1])
    return best, distance / size


def sample_surface(
    vertices: np.ndarray, faces: np.ndarray, count: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points evenly spread over a mesh, and the unit normals there, both (count, 3) float64."""
    corners = np.asarray(vertices, np.float64)[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double_area = np.linalg.norm(cross, axis=1)
    total = double_area.sum()
    chosen = random.choice(len(faces), count, p=double_area / total if total > 0 else None)
    u, v = random.random((2, count, 1))
    flip = u + v > 1
    u, v = np.where(flip, 1 - u, u), np.where(flip, 1 - v, v)
    a, b, c = np.moveaxis(corners[chosen], 1, 0)
    normals = cross[chosen] / np.maximum(double_area[chosen], 1e-30)[:, None]
    return a + u * (b - a) + v * (c - a), normals


def _icp(tree, surface, normals, target, pose: Similarity, turn: bool) -> tuple[Similarity, float]:
    """Refine `pose`; with it the median distance of the target points from the mesh."""
    for _ in range(ITERATIONS):
        nearest, distance = _nearest(tree, target, pose)
        keep = distance <= OUTLIERS * np.median(distance) + 1e-12
        matched = nearest[keep]
        step = _step(pose(surface[matched]), normals[matched] @ pose.rotation.T, target[keep], turn)
        pose = step.after(pose)
        change = abs(step.scale - 1) + np.abs(step.rotation - np.eye(3)).max()
        if change < 1e-6 and np.linalg.norm(step(target[0]) - target[0]) < 1e-6 * np.abs(target).max():
            break
    return pose, float(np.median(_nearest(tree, target, pose)[1]))


def _nearest(tree, target: np.ndarray, pose: Similarity) -> tuple[np.ndarray, np.ndarray]:
    """Of each target point the index of the nearest surface point, and the distance in the target's unit."""
    local = (target - pose.translation) @ pose.rotation / pose.scale
    distance, index = tree.query(local)
    return index, distance * pose.scale


def _step(moved: np.ndarray, normals: np.ndarray, target: np.ndarray, turn: bool) -> Similarity:
    """The small scale, translation and, if asked, rotation that bring matched points nearest to each other.

    Linear least squares of the distance along the normals (point to plane), with a little of the full distance, about
    the matched points' centre so that the unknowns hardly depend on each other.
    """
    center = moved.mean(0)
    arm = moved - center
    extent = np.sqrt((arm**2).sum(1).mean()) or 1.0
    arm = arm / extent
    jacobian = np.zeros((len(moved), 3, 7))  # of the moved point by scale, translation and rotation vector
    jacobian[:, :, 0] = arm
    jacobian[:, :, 1:4] = np.eye(3)
    for axis, direction in enumerate(np.eye(3)):
        jacobian[:, :, 4 + axis] = np.cross(direction, arm)
    unknowns = 7 if turn else 4
    jacobian = jacobian[:, :, :unknowns]
    gap = (target - moved) / extent
    weight = np.sqrt(POINT_WEIGHT)
    rows = np.concatenate([np.einsum("nc,ncu->nu", normals, jacobian), weight * jacobian.reshape(-1, unknowns)])
    right = np.concatenate([(normals * gap).sum(1), weight * gap.ravel()])
    x = np.linalg.lstsq(rows, right, rcond=None)[0]
    scale = float(np.clip(1 + x[0], 0.5, 2.0))
    rotation = rotation_from_vector(x[4:7]) if turn else np.eye(3)
    return Similarity(scale, rotation, center + extent * x[1:4] - scale * rotation @ center)


def rotation_from_vector(vector: np.ndarray) -> np.ndarray:
    """(3, 3) rotation about an axis by its length in radians (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K
