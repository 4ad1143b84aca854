"""Signed distance along rays: solid between where a ray enters and where it leaves, carved everywhere else."""

from __future__ import annotations

import numpy as np

from .ray_grid import RAYS, RayGrid

THINNEST = 1.6
"""Solids thinner than this, in samples, are thickened away from the camera: the grid could not hold them."""

FULL = 3.0
"""In the volume no solid is thinner than this, in samples: one with less than full distance inside would lose its rim,
as the surface runs where inside and outside balance. `smoothing` puts both sides back where they belong."""

STEEPEST = 8.0
"""A thin solid is thickened along the ray as far as it is steep, so that it does not fall apart, up to this slope."""


def signed_volume(enter: np.ndarray, leave: np.ndarray, grid: RayGrid) -> np.ndarray:
    """Distance to the nearest surface along the ray, in samples, mean over each column's rays; positive inside.

    Distances are cut off at one sample: a column's mean is then the share of its rays that are inside, which puts
    outlines and side walls between the samples where they belong.

    Args:
        enter, leave: as `solid_intervals` returns them.

    Returns:
        `grid.shape` float32, -1 at the border.
    """
    missing = np.maximum(FULL - (leave - enter), 0) / 2
    enter, leave = (np.clip(edge, 1.0, grid.shape[2] - 2.0) for edge in (enter - missing, leave + missing))
    depths = np.arange(grid.shape[2], dtype=np.float32)
    volume = np.full((grid.shape[1], grid.shape[0], grid.shape[2]), -1, np.float32)
    for top in range(RAYS):
        for left in range(RAYS):
            pairs = [edge[:, top::RAYS, left::RAYS] for edge in (enter, leave)]
            rows, columns = np.nonzero((pairs[1] > pairs[0]).any(0))
            distance = np.full((len(rows), len(depths)), -1, np.float32)
            for a, b in zip(*(edge[:, rows, columns, None] for edge in pairs), strict=True):
                used = np.flatnonzero((b > a)[:, 0])
                inside = np.minimum(depths - a[used], b[used] - depths)
                distance[used] = np.maximum(distance[used], inside)
            volume[rows, columns] += (np.minimum(distance, 1) + 1) / RAYS**2
    return np.ascontiguousarray(volume.transpose(1, 0, 2))


def solid_intervals(rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where rays enter and leave solids.

    Layers pair up from the front: in, out, in, out. The last of an odd number has no back (a wall, the ground, a
    picture of one layer only): it becomes a thin shell. A thin solid is thickened by the slope of its middle: a sheet
    that is seen at an angle is deep along the ray, and the rim of a round body is not.

    Args:
        rays: (L, RAYS * rows, RAYS * columns) positions along the rays in samples, front to back, NaN where absent.

    Returns:
        Two (ceil(L / 2), RAYS * rows, RAYS * columns) float32 arrays; NaN where a ray has no such interval.
    """
    if len(rays) % 2:
        rays = np.concatenate([rays, np.full_like(rays[:1], np.nan)])
    enter, leave = rays[0::2], rays[1::2]
    leave = np.where(np.isnan(leave), enter, leave)
    slope = np.stack([_steepness(middle) for middle in (enter + leave) / 2])
    return enter, np.maximum(leave, enter + THINNEST * np.hypot(1, slope))


def _steepness(depth: np.ndarray) -> np.ndarray:
    """How much a layer (H, W) rises from sample to sample, at its smoother side in each direction."""
    slope = np.zeros(depth.shape, np.float32)
    for axis in (0, 1):
        step = np.abs(np.diff(depth, axis=axis)) * RAYS
        gap = np.full_like(np.take(step, [0], axis), np.inf) if step.shape[axis] else np.full_like(depth, np.inf)
        if step.shape[axis]:
            step = np.where(np.isnan(step), np.inf, step)
            before, after = np.concatenate([gap, step], axis), np.concatenate([step, gap], axis)
            rise = np.minimum(before, after)
            slope = np.maximum(slope, np.where(np.isfinite(rise), rise, 0))
    return np.minimum(slope, STEEPEST)
