"""The protocol's numbers, as pure functions on points, depths and masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..extras import need

THRESHOLDS = (0.1, 0.05, 0.02)
"""Distances of the F-scores; objects have a longest side of 1."""

FLAT = 0.003
"""Views whose true log depth varies less than this (standard deviation) tell nothing about relief."""


class Cloud:
    """Points (N, 3) prepared for nearest-neighbor queries."""

    def __init__(self, points: np.ndarray) -> None:
        self.points = points
        self._tree = need("scipy.spatial", "train", "compare point clouds").cKDTree(points)

    def distances(self, points: np.ndarray) -> np.ndarray:
        """(M,) from each of (M, 3) points to the nearest of the cloud's."""
        return self._tree.query(points)[0]


@dataclass(frozen=True)
class Alignment:
    """p -> scale * p + (0, 0, shift): what a single picture cannot tell."""

    scale: float
    shift: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) float64."""
        return self.scale * np.asarray(points, np.float64) + np.array([0, 0, self.shift])


def align(predicted: np.ndarray, true: np.ndarray) -> Alignment:
    """The least-squares scale and shift along z that take `predicted` (N, 3) to `true` (N, 3).

    A prediction of no extent, or one that is best mirrored, keeps scale 1 and is moved to the true mean depth.
    """
    p, g = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    z, gz = p[:, 2], g[:, 2]
    # The shift's optimum is mean(gz) - scale * mean(z); put in, one linear equation remains for the scale.
    spread = (p[:, :2] ** 2).sum() + ((z - z.mean()) ** 2).sum()
    match = (p[:, :2] * g[:, :2]).sum() + ((z - z.mean()) * (gz - gz.mean())).sum()
    scale = match / spread if spread > 0 and match > 0 else 1.0
    return Alignment(float(scale), float(gz.mean() - scale * z.mean()))


def cloud_scores(predicted: np.ndarray, true: Cloud) -> dict[str, float]:
    """Chamfer distance (mean of both unsquared directions) and F-scores of predicted points (N, 3)."""
    own = Cloud(predicted)
    to_true, to_predicted = true.distances(own.points), own.distances(true.points)
    scores = {"cd": float(to_true.mean() + to_predicted.mean()) / 2}
    for threshold in THRESHOLDS:
        precision, recall = (to_true < threshold).mean(), (to_predicted < threshold).mean()
        both = precision + recall
        scores[f"f@{threshold:g}"] = float(2 * precision * recall / both) if both else 0.0
    return scores


def depth_scores(predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """AbsRel and the share within a factor 1.25, of depths (N,) after the best scale (least squares)."""
    scale = (predicted * true).sum() / max((predicted**2).sum(), 1e-12)
    depth = scale * predicted
    ratio = np.maximum(depth / true, true / np.maximum(depth, 1e-12))
    return {"absrel": float((np.abs(depth - true) / true).mean()), "delta1.25": float((ratio < 1.25).mean())}


def relief_scores(predicted: np.ndarray, true: np.ndarray) -> tuple[float, float] | None:
    """Errors of log depth (N,) relative to a constant: after scale and shift (r), after a shift alone (s).

    1 means that nothing was learned; s above r means that the relief is too flat or too deep. None on flat views.
    """
    if len(true) < 60 or true.std() < FLAT:
        return None
    g = true - true.mean()
    p = predicted - predicted.mean()
    scale = max((p * g).sum() / max((p**2).sum(), 1e-12), 0)
    r, s = (np.sqrt(((factor * p - g) ** 2).sum() / (g**2).sum()) for factor in (scale, 1.0))
    return float(r), float(s)


def order_violations(depth: np.ndarray, valid: np.ndarray) -> tuple[int, int]:
    """Of the pairs of consecutive valid layers of (L, H, W) maps, how many lie in the wrong order, and all of them."""
    wrong = pairs = 0
    behind = np.full(depth.shape[1:], -np.inf)
    for z, v in zip(depth, valid, strict=True):
        wrong += int((v & (z < behind)).sum())
        pairs += int((v & np.isfinite(behind)).sum())
        behind = np.where(v, z, behind)
    return wrong, pairs
