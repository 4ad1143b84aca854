"""Layers after the network: order, collapsed layers, confidence from several seeds, resampling.

Pure functions on points (L, H, W, 3) float32 in the OpenCV camera frame and valid (L, H, W) bool. None changes its
arguments; points are zero where a result is not valid.
"""

from __future__ import annotations

import numpy as np

from .camera import Camera, intrinsics_from_points

COLLAPSE_TOLERANCE = 0.005
"""Relative depth step below which two layers are the same surface: 1 cm at 2 m."""

SPREAD_AT_HALF_CONFIDENCE = 0.05
"""Standard deviation of log depth over the seeds, about the relative depth error, at which confidence is 0.5."""

DEPTH_JUMP = 0.05
"""Relative depth step between neighbouring pixels above which they lie on different surfaces."""


def sort_layers(points: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points and validity with each ray's valid layers in front-to-back order, without gaps.

    Layers of equal depth keep their order.
    """
    depth = np.where(valid, points[..., 2], np.inf)
    points, valid = np.where(valid[..., None], points, np.float32(0)), valid.copy()
    mixed = np.nonzero(~(depth[1:] >= depth[:-1]).all(0))  # the rays that are not in order yet, NaN included
    order = np.argsort(depth[:, *mixed], axis=0, kind="stable")
    for values in (points, valid):
        values[:, *mixed] = values[order, *mixed]
    return points, valid


def order_violations(points: np.ndarray, valid: np.ndarray) -> float:
    """Share of the valid layer pairs (k, k+1) of one ray in which the farther layer lies in front of the nearer one."""
    pairs = valid[1:] & valid[:-1]
    wrong = pairs & (points[1:, ..., 2] < points[:-1, ..., 2])
    return float(wrong.sum() / max(pairs.sum(), 1))


def drop_collapsed(
    points: np.ndarray, valid: np.ndarray, tolerance: float = COLLAPSE_TOLERANCE
) -> tuple[np.ndarray, np.ndarray]:
    """Mark layers invalid that repeat the surface before them: |z_k - z| < tolerance * z, z the last layer kept.

    The released models always return six layers; after a ray's last real surface the rest fall onto it. Expects
    front-to-back order and leaves gaps, which `sort_layers` closes.
    """
    kept = valid.copy()
    last = np.full(valid.shape[1:], np.inf, np.float32)
    for layer in range(len(valid)):
        z = points[layer, ..., 2]
        with np.errstate(invalid="ignore"):  # inf - inf and inf * 0 before a ray's first surface
            kept[layer] &= ~(np.abs(z - last) < tolerance * np.abs(last)) | np.isinf(last)
        last = np.where(kept[layer], z, last)
    return np.where(kept[..., None], points, np.float32(0)), kept


def confidence_from_seeds(points: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """How far several seeds agree on each point's depth.

    With s the standard deviation over the seeds of log depth, after each seed's overall scale (its median log
    depth ratio to the seeds' mean) is taken out, and a the share of the seeds in which the layer is valid,

        confidence = a / (1 + (s / 0.05)^2).

    Log depth makes the spread relative: 5 cm at 1 m weigh as much as 5 m at 100 m. A seed's overall scale is the
    model's free choice in scene mode and says nothing about which points to trust.

    Args:
        points: (S, L, H, W, 3), S >= 2 seeds of one picture.
        valid: (S, L, H, W) bool.

    Returns:
        (L, H, W) float32 in [0, 1]; 0 where no seed is valid.
    """
    if len(points) < 2:
        raise ValueError("Confidence is the agreement of at least two seeds.")
    z = points[..., 2]
    usable = valid & (z > 0)
    somewhere = usable.any(0)
    usable = usable[:, somewhere]  # (S, N)
    log_depth = np.log(np.where(usable, z[:, somewhere], 1), dtype=np.float64)
    everywhere = usable.all(0)
    if everywhere.any():
        common = log_depth[:, everywhere]
        common -= common.mean(0)
        log_depth -= np.median(common, axis=1, overwrite_input=True)[:, None]
        log_depth *= usable
    count = usable.sum(0)
    log_depth -= log_depth.sum(0) / count
    log_depth *= log_depth
    log_depth *= usable
    variance = log_depth.sum(0) / count
    confidence = np.zeros(valid.shape[1:], np.float32)
    confidence[somewhere] = count / len(points) / (1 + variance / SPREAD_AT_HALF_CONFIDENCE**2)
    return confidence


def solve_camera(points: np.ndarray, valid: np.ndarray) -> Camera | None:
    """The camera that layer 0 was seen with, principal point and both focal lengths free; None if undetermined.

    Args:
        points: (L, H, W, 3); the picture is their W x H pixels.
        valid: (L, H, W) bool.
    """
    K = intrinsics_from_points(points[0], valid[0])
    if K is None:
        return None
    return Camera.from_K(K, width=points.shape[2], height=points.shape[1], source="solved")


def resample_layers(
    points: np.ndarray, valid: np.ndarray, camera: Camera, columns: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Layers read at other pixel positions, without points between a near and a far surface.

    A new point mixes those of its four neighbours that are valid and whose depth is within `DEPTH_JUMP` of the
    nearest one's; validity is the nearest neighbour's. Inverse depth is mixed and the result put on its own ray:
    exact for planes, and a camera for the new positions holds for the new points as `camera` did for the old.

    Args:
        points: (L, H, W, 3) float32.
        valid: (L, H, W) bool.
        camera: of these H x W pixels.
        columns, rows: (W',) and (H',) pixel coordinates to read at, centres at +0.5. Outside nothing is valid.

    Returns:
        (L, H', W', 3) float32 points and (L, H', W') bool validity.
    """
    height, width = valid.shape[1:]
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    near = np.ix_(
        np.clip(np.floor(rows), 0, height - 1).astype(int), np.clip(np.floor(columns), 0, width - 1).astype(int)
    )
    corners = list(_corners(rows, height, columns, width))
    new_points = np.zeros((len(valid), len(rows), len(columns), 3), np.float32)
    new_valid = np.zeros(new_points.shape[:3], bool)
    for layer, (xyz, ok) in enumerate(zip(points, valid & (points[..., 2] > 0), strict=True)):
        total = np.zeros(inside.shape)
        mixed = np.zeros((*inside.shape, 3))  # inverse depth, offset of x/z and of y/z
        offsets = _ray_offsets(xyz, ok, camera)
        for index, weight in corners:
            same = ok[index] & (np.abs(xyz[index][..., 2] - xyz[near][..., 2]) <= DEPTH_JUMP * xyz[near][..., 2])
            total += weight * same
            mixed += (weight * same)[..., None] * offsets[index]
        good = inside & ok[near] & (total > 0)
        mixed /= np.where(good, total, 1)[..., None]
        z = 1 / np.where(good, mixed[..., 0], 1)
        ray_x = (columns - camera.cx) / camera.fx + mixed[..., 1]
        ray_y = ((rows - camera.cy) / camera.fy)[:, None] + mixed[..., 2]
        new_points[layer] = np.where(good[..., None], np.stack([ray_x * z, ray_y * z, z], -1), 0)
        new_valid[layer] = good
    return new_points, new_valid


def _corners(rows: np.ndarray, height: int, columns: np.ndarray, width: int):
    """The four bilinear neighbours as (open index, weight (H', W')), border replicated."""
    top, left = np.floor(rows - 0.5), np.floor(columns - 0.5)
    down, right = rows - 0.5 - top, columns - 0.5 - left
    for dy in (0, 1):
        for dx in (0, 1):
            index = np.ix_(np.clip(top + dy, 0, height - 1).astype(int), np.clip(left + dx, 0, width - 1).astype(int))
            yield index, np.abs(1 - dy - down)[:, None] * np.abs(1 - dx - right)


def _ray_offsets(xyz: np.ndarray, ok: np.ndarray, camera: Camera) -> np.ndarray:
    """(H, W, 3) float64: inverse depth, and how far x/z and y/z are off the camera's rays (networks are not exact)."""
    z = np.where(ok, xyz[..., 2], 1).astype(np.float64)
    slopes = xyz[..., :2] / z[..., None] - camera.rays()[..., :2]
    return np.where(ok[..., None], np.concatenate([1 / z[..., None], slopes], -1), 0)
