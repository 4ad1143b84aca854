"""Connected regions of boolean masks, in numpy alone.

A foreground is taken as 8-connected and its background as 4-connected, the usual pairing in which a closed diagonal
line separates inside from outside.
"""

from __future__ import annotations

import numpy as np


def label_components(mask: np.ndarray, diagonal: bool = True) -> tuple[np.ndarray, int]:
    """Number the connected components of a mask, by runs and union-find.

    Args:
        mask: (H, W) bool.
        diagonal: whether pixels that touch at a corner are connected (8-connectivity, else 4).

    Returns:
        (H, W) int32 labels, 0 outside the mask and 1 to count inside, in the order of each component's first pixel
        in row-major order; and the count.
    """
    mask = np.ascontiguousarray(mask, bool)
    labels = np.zeros(mask.shape, np.int32)
    row, start, end = _runs(mask)
    if len(row) == 0:
        return labels, 0
    root = union(len(row), *_touching_runs(row, start, end, mask.shape[1], int(diagonal)))
    roots, number = np.unique(root, return_inverse=True)  # a root is its component's first run: order is kept
    labels[mask] = np.repeat((number + 1).astype(np.int32), end - start)
    return labels, len(roots)


def component_areas(labels: np.ndarray, count: int) -> np.ndarray:
    """Pixels of components 1 to count, (count,) int64."""
    return np.bincount(labels.ravel(), minlength=count + 1)[1:]


def remove_specks(mask: np.ndarray, min_area: int) -> np.ndarray:
    """The mask, (H, W) bool, without its 8-connected components of fewer than `min_area` pixels."""
    labels, count = label_components(mask)
    keep = np.concatenate([[False], component_areas(labels, count) >= min_area])
    return keep[labels]


def fill_holes(mask: np.ndarray, max_area: int) -> np.ndarray:
    """The mask, (H, W) bool, with enclosed 4-connected holes of at most `max_area` pixels filled."""
    labels, count = label_components(~mask, diagonal=False)
    fill = component_areas(labels, count) <= max_area
    fill[np.unique(_border(labels)[_border(labels) > 0]) - 1] = False
    return mask | np.concatenate([[False], fill])[labels]


def connected_to_border(mask: np.ndarray) -> np.ndarray:
    """The part of a mask, (H, W) bool, that is 4-connected to the picture's border: a flood from outside."""
    labels, count = label_components(mask, diagonal=False)
    reached = np.zeros(count + 1, bool)
    reached[_border(labels)] = True
    reached[0] = False
    return reached[labels]


def dilate(mask: np.ndarray, radius: int) -> np.ndarray:
    """The mask, (H, W) bool, grown by `radius` pixels in every direction (a square element)."""
    height, width = mask.shape
    for axis, size in ((0, height), (1, width)):
        # A pixel is set where the running sum over its window is not zero.
        sums = np.cumsum(mask, axis=axis, dtype=np.int32)
        sums = np.insert(sums, 0, 0, axis=axis)
        index = np.arange(size)
        low, high = np.maximum(index - radius, 0), np.minimum(index + radius + 1, size)
        mask = np.take(sums, high, axis) > np.take(sums, low, axis)
    return mask


def erode(mask: np.ndarray, radius: int) -> np.ndarray:
    """The mask, (H, W) bool, shrunk by `radius` pixels; beyond the picture's border counts as set."""
    return ~dilate(~mask, radius)


def _border(image: np.ndarray) -> np.ndarray:
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Horizontal runs of set pixels in row-major order: row, first column, column after the last."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    row, start = np.nonzero(steps == 1)
    _, end = np.nonzero(steps == -1)
    return row, start, end


def _touching_runs(
    row: np.ndarray, start: np.ndarray, end: np.ndarray, width: int, reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """Index pairs (upper, lower) of runs in neighbouring rows whose columns overlap within `reach`."""
    stride = width + 2  # one key per (row, column) that stays sorted when `reach` is added
    below = (row + 1) * stride + 1
    first = np.searchsorted(row * stride + 1 + end, below + start - reach, side="right")
    after = np.searchsorted(row * stride + 1 + start, below + end + reach, side="left")
    touching = np.maximum(after - first, 0)
    upper = np.repeat(np.arange(len(row)), touching)
    position = np.arange(len(upper)) - np.repeat(np.cumsum(touching) - touching, touching)
    return upper, np.repeat(first, touching) + position


def union(count: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest index connected to each of `count` nodes by the edges (a, b): all edges hooked at once, then paths
    halved until nothing changes (Shiloach and Vishkin 1982)."""
    root = np.arange(count)
    while True:
        low, high = np.minimum(root[a], root[b]), np.maximum(root[a], root[b])
        apart = low != high
        if not apart.any():
            return root
        a, b = a[apart], b[apart]
        np.minimum.at(root, high[apart], low[apart])
        while (root != root[root]).any():
            root = root[root]
