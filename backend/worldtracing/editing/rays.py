"""Along one ray: which surface follows which, and which entry goes with which exit."""

from __future__ import annotations

import numpy as np


class RayOrder:
    """The order of the hits on each ray; the surfaces of solids pair up, first with second, third with fourth."""

    def __init__(self, hits: np.ndarray) -> None:
        """
        Args:
            hits: (L, H, W) bool, in front-to-back order, gaps allowed.
        """
        self._hits = hits
        self._rank = np.cumsum(hits, axis=0, dtype=np.int8) - np.int8(1)

    def partner(self, layer: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """(N,) the layer of the entry or exit that goes with each of N hits, -1 where it is missing."""
        return self._find(self._rank[layer, row, column] ^ 1, row, column)

    def before(self, layer: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """(N,) the layer of the hit in front of each, -1 where there is none."""
        return self._find(self._rank[layer, row, column] - 1, row, column)

    def after(self, layer: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """(N,) the layer of the hit behind each, -1 where there is none."""
        return self._find(self._rank[layer, row, column] + 1, row, column)

    def _find(self, rank: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        found = np.full(len(row), -1)
        for layer in range(len(self._hits)):
            found[self._hits[layer, row, column] & (self._rank[layer, row, column] == rank)] = layer
        return found
