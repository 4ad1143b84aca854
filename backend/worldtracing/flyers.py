"""The edge-flyer filter: points that a network strings between a near and a far surface (spec section 13).

Three tests per layer, each on what the last one left: depth against its median-filtered neighbourhood, statistical
outliers among the points, and, if asked, sparse points in a band along the mask's border.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from .extras import need
from .neighbours import NeighbourDistances
from .regions import erode

PerLayer = float | tuple[float, ...]
"""One value for all layers, or one per layer of which the last holds for all further layers."""

BAND_PIXELS = 3
BAND_RADIUS = 0.012  # of the bounding-box diagonal of the layer's points
BAND_NEIGHBOURS = 6
MAD_TO_SIGMA = 1.4826  # median absolute deviation to standard deviation, for a normal distribution


@dataclass(frozen=True)
class FlyerFilter:
    """What the filter does.

    Attributes:
        median_size: side of the depth map's median filter in pixels, odd.
        depth_fraction, depth_absolute: a point goes if it is farther from the median depth than the larger of the
            fraction of that depth and the absolute distance (in the points' unit).
        neighbours: of each point in the statistical test; 0 leaves the test out.
        deviations: a point goes if its mean neighbour distance exceeds the median by this many robust deviations.
        border_band: whether to test the points along the mask's border.
    """

    median_size: int = 5
    depth_fraction: PerLayer = 0.02
    depth_absolute: PerLayer = 0.0
    neighbours: int = 8
    deviations: PerLayer = 2.5
    border_band: bool = False


STILL = FlyerFilter()
CLIP = FlyerFilter(depth_fraction=(0.04, 0.025), deviations=(3.5, 2.7))
"""The released preset for clips, frame by frame: gentler, so that thin moving parts stay."""


def drop_flyers(
    points: np.ndarray,
    valid: np.ndarray,
    settings: FlyerFilter = STILL,
    layers: Collection[int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Mark edge flyers invalid.

    Args:
        points: (L, H, W, 3) float32.
        valid: (L, H, W) bool.
        settings: what to test.
        layers: the layers to filter; all if None.

    Returns:
        Points, zero where not valid, and validity.

    Raises:
        WorldTracingError: WT-ENV-PACKAGE without OpenCV or SciPy.
    """
    kept = valid.copy()
    for layer in range(len(valid)) if layers is None else layers:
        kept[layer] = _filter_layer(points[layer], valid[layer], settings, layer)
    return np.where(kept[..., None], points, np.float32(0)), kept


def _filter_layer(points: np.ndarray, mask: np.ndarray, settings: FlyerFilter, layer: int) -> np.ndarray:
    if not mask.any():
        return mask
    smooth = _median_depth(points[..., 2], mask, settings.median_size)
    limit = _of_layer(settings.depth_fraction, layer) * np.maximum(smooth, np.float32(1e-3))
    limit = np.maximum(limit, _of_layer(settings.depth_absolute, layer))
    kept = mask & (np.abs(points[..., 2] - smooth) <= limit)
    if settings.neighbours:
        kept = _drop_outliers(points, kept, settings.neighbours, _of_layer(settings.deviations, layer))
    if settings.border_band:
        kept = _drop_sparse_border(points, mask, kept)
    return kept


def _of_layer(value: PerLayer, layer: int) -> float:
    return value[min(layer, len(value) - 1)] if isinstance(value, tuple) else value


def _median_depth(z: np.ndarray, mask: np.ndarray, size: int) -> np.ndarray:
    """The median-filtered depth map, (H, W) float32, invalid pixels counted as the mean depth."""
    cv2 = need("cv2", "image", "filter edge flyers")
    z = np.where(mask, z, z[mask].mean()).astype(np.float32)
    if size <= 5:
        return cv2.medianBlur(z, size)
    low, high = z[mask].min(), z[mask].max()  # OpenCV filters larger windows in 8 bits only
    step = max(high - low, np.float32(1e-6)) / np.float32(255)
    return cv2.medianBlur(((z - low) / step).astype(np.uint8), size).astype(np.float32) * step + low


def _drop_outliers(points: np.ndarray, kept: np.ndarray, neighbours: int, deviations: float) -> np.ndarray:
    kept = kept & np.isfinite(points).all(-1)
    if kept.sum() <= neighbours:
        return kept
    distances = NeighbourDistances(points, kept, neighbours)
    median = distances.median()
    deviation = MAD_TO_SIGMA * distances.median(center=median)
    if deviation == 0:
        return kept
    result = kept.copy()
    result[kept] = distances.at_most(median + deviations * deviation)
    return result


def _drop_sparse_border(points: np.ndarray, mask: np.ndarray, kept: np.ndarray) -> np.ndarray:
    cloud = points[mask]
    if len(cloud) < 8:
        return kept
    band = kept & ~erode(mask, BAND_PIXELS)
    radius = BAND_RADIUS * np.linalg.norm(cloud.max(0) - cloud.min(0))
    tree = need("scipy.spatial", "image", "filter edge flyers").cKDTree(points[kept])
    result = kept.copy()
    result[band] = tree.query_ball_point(points[band], radius, return_length=True) >= BAND_NEIGHBOURS
    return result
