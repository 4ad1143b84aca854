"""Cutting a picture in two along its edges, in numpy alone.

Minimized over masks m is GrabCut's energy (Rother et al. 2004),

    E(m) = sum_i cost_i m_i + sum_ij weight_ij |m_i - m_j|

with a weight between each pixel and its 8 neighbors that falls with their contrast. Over m in [0, 1] the problem is
convex, and every threshold of its solution is a solution of the binary one (Chan, Esedoglu and Nikolova 2006). It is
solved by the preconditioned primal-dual iteration of Pock and Chambolle (2011), which also bounds E from below.
"""

from __future__ import annotations

import numpy as np

MAX_ITERATIONS = 200
CHECK_EVERY = 25  # iterations
GAP = 0.01  # energy per pixel by which a cut may lie above its lower bound
BALANCE = 0.4  # of the dual step to the primal one, in units of the smoothness; sets the speed alone


class GraphCut:
    """The outline term of one picture. Cuts of it after the first start from the one before."""

    def __init__(self, rgb: np.ndarray, smoothness: float) -> None:
        """
        Args:
            rgb: (H, W, 3) uint8.
            smoothness: the weight gamma between horizontal or vertical neighbors of one color.
        """
        self._shape = rgb.shape[:2]
        self._edges = _edges(rgb.astype(np.float32), smoothness)
        self._step = np.float32(BALANCE * smoothness)
        self._duals = [np.zeros_like(weight) for _, weight in self._edges]
        self._relaxed: np.ndarray | None = None

    def minimize(self, cost: np.ndarray) -> np.ndarray:
        """The mask of least energy, (H, W) bool, to within GAP per pixel unless MAX_ITERATIONS come first.

        Args:
            cost: (H, W), what a pixel costs in the mask, less what it costs outside.
        """
        cost = cost.ravel().astype(np.float32)
        relaxed = (cost < 0).astype(np.float32) if self._relaxed is None else self._relaxed
        leading = relaxed
        # Preconditioned: a difference has 2 pixels and a pixel 8 differences.
        primal_step, dual_step = 1 / (8 * self._step), self._step / 2
        for iteration in range(1, MAX_ITERATIONS + 1):
            slope = cost.copy()
            for (offset, weight), dual in zip(self._edges, self._duals, strict=True):
                dual += dual_step * (leading[offset:] - leading[:-offset])
                np.minimum(dual, weight, out=dual)  # np.clip takes five times as long
                np.maximum(dual, -weight, out=dual)
                slope[offset:] += dual
                slope[:-offset] -= dual
            previous, relaxed = relaxed, np.minimum(np.maximum(relaxed - primal_step * slope, 0), 1)
            leading = 2 * relaxed - previous
            if iteration % CHECK_EVERY == 0:
                lower_bound = np.minimum(slope, 0).sum(dtype=np.float64)
                if self._energy(relaxed > 0.5, cost) - lower_bound <= GAP * cost.size:
                    break
        self._relaxed = relaxed
        return (relaxed > 0.5).reshape(self._shape)

    def energy(self, mask: np.ndarray, cost: np.ndarray) -> float:
        """E of a mask, (H, W) bool, under the cost, (H, W)."""
        return self._energy(mask.ravel(), cost.ravel())

    def _energy(self, mask: np.ndarray, cost: np.ndarray) -> float:
        outline = sum(weight[mask[offset:] != mask[:-offset]].sum(dtype=np.float64) for offset, weight in self._edges)
        return float(cost[mask].sum(dtype=np.float64) + outline)


def _edges(pixels: np.ndarray, smoothness: float) -> list[tuple[int, np.ndarray]]:
    """Pairs of neighbors in the flattened picture: the distance between their indices, and one weight per pair.

    gamma / distance * exp(-beta |difference|^2), where 1 / beta is twice the mean of |difference|^2; pairs that wrap
    around from one row to the next weigh nothing.
    """
    height, width = pixels.shape[:2]
    column = np.arange(height * width) % width
    flat = pixels.reshape(-1, 3)
    pairs = []
    for right, down in ((1, 0), (0, 1), (1, 1), (-1, 1)):
        offset = right + down * width
        start = column[: len(flat) - offset] + right
        inside = (start >= 0) & (start < width)
        contrast = ((flat[offset:] - flat[:-offset]) ** 2).sum(-1)
        pairs.append((offset, inside / np.hypot(right, down), contrast))
    mean = np.concatenate([contrast[scale > 0] for _, scale, contrast in pairs]).mean(dtype=np.float64)
    beta = 1 / max(2 * mean, 1e-6)
    return [
        (offset, (smoothness * scale * np.exp(-beta * contrast)).astype(np.float32))
        for offset, scale, contrast in pairs
    ]
