"""How much of a view a traced world covers: its points, splatted at low resolution.

A view is a (4, 4) clip matrix, as Blender's window and camera matrices are: `clip = view @ (x, y, z, 1)`, seen at
`clip[:2] / clip[3]` in [-1, 1] with y up, in front where `clip[3] > 0`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...backend.worldtracing.regions import connected_to_border, dilate, erode

LONGER_SIDE = 128  # pixels of a splatted view
LARGEST_FOOTPRINT = 8  # pixels; a point so near that it would be larger hardly ever decides
FILLED_FRAME = 0.9  # a photo that is covered to this share shows a whole scene, not one object
GAP = 0.05  # of the longer side: gaps narrower than this between points are holes, wider ones are beside the object


@dataclass(frozen=True, eq=False)
class Splats:
    """Points with a size.

    Attributes:
        points: (N, 3) float32, in any frame that the views share.
        radii: (N,) float32, in the same unit.
        fills_frame: whether the photo was filled to its border, so that every empty pixel of a view is a hole;
            otherwise only gaps in the object and enclosed holes are.
    """

    points: np.ndarray
    radii: np.ndarray
    fills_frame: bool


def low_resolution(width: int, height: int, longer_side: int) -> tuple[int, int]:
    """(width, height) of the splatted view of a `width` x `height` picture."""
    scale = min(1.0, longer_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def covered(splats: Splats, view: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels of a view that some point covers, (H, W) bool with rows from the top.

    Args:
        view: (4, 4) clip matrix.
        size: (width, height).
    """
    width, height = size
    view = np.asarray(view, np.float32)
    x, y, w = (splats.points @ view[row, :3] + view[row, 3] for row in (0, 1, 3))
    front = w > 1e-6
    x, y, w, radii = x[front], y[front], w[front], splats.radii[front]
    columns, rows = (x / w + 1) * (width / 2), (1 - y / w) * (height / 2)
    pixels = radii / w * (np.linalg.norm(view[0, :3]) * width / 2)
    reach = np.rint(0.886 * pixels - 0.5).clip(0, LARGEST_FOOTPRINT).astype(np.int32)  # a square as large as the disc
    near = (columns > -reach) & (rows > -reach) & (columns < width + reach) & (rows < height + reach)
    columns, rows, reach = columns[near], rows[near], reach[near]
    pad = LARGEST_FOOTPRINT
    seen = np.zeros((height + 2 * pad, width + 2 * pad), bool)
    for size_class in np.unique(reach):
        hits = np.zeros_like(seen)
        chosen = reach == size_class
        hits[np.floor(rows[chosen]).astype(int) + pad, np.floor(columns[chosen]).astype(int) + pad] = True
        seen |= dilate(hits, int(size_class)) if size_class else hits
    return seen[pad:-pad, pad:-pad]


def holes(seen: np.ndarray, fills_frame: bool) -> np.ndarray:
    """Pixels, (H, W) bool, where a view shows nothing although something belongs there.

    Args:
        seen: (H, W) bool, what is covered.
        fills_frame: see `Splats`.
    """
    if fills_frame:
        return ~seen
    radius = max(1, round(GAP * max(seen.shape) / 2))
    closed = erode(dilate(np.pad(seen, radius), radius), radius)[radius:-radius, radius:-radius]
    return ~seen & (closed | ~connected_to_border(~closed))


def coverage(splats: Splats, view: np.ndarray, size: tuple[int, int]) -> float:
    """The share of what a view should show that is covered, 0 to 1; 0 where it shows nothing at all."""
    seen = covered(splats, view, size)
    missing = np.count_nonzero(holes(seen, splats.fills_frame))
    found = np.count_nonzero(seen)
    return found / (found + missing) if found else 0.0


def largest_step(steps: Sequence[float], share: Callable[[float], float], enough: float) -> float:
    """The last of `steps` before `share` first falls below `enough`; 0.0 where even the first does."""
    last = 0.0
    for step in steps:
        if share(step) < enough:
            break
        last = step
    return last
