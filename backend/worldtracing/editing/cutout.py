"""Objects that the geometry does not tell apart, cut out of the photo by GrabCut (Rother et al. 2004) from marks."""

from __future__ import annotations

import numpy as np

from ..graph_cut import GraphCut
from ..mixture import MIN_COLORS, fit_mixture
from ..regions import dilate, label_components
from ..resample import resize_area, resize_mask
from .refine import CERTAIN, SMOOTHNESS, reduced, refine, shrunk

ROUNDS = 5  # of fitting colors, then cutting

SIMILAR = range(16, 112, 8)
"""Distances in RGB from a marked color up to which a guess spreads from the marks."""

GUESSED = (0.002, 0.35)
"""Shares of the picture between which a guess is believed."""

MARGIN = 0.5
"""Of a box's sides: so much around it tells what the background looks like."""


def cut_out(rgb: np.ndarray, inside: np.ndarray, outside: np.ndarray, box: np.ndarray | None) -> np.ndarray:
    """The object that the marks point at, by its colors.

    Args:
        rgb: (H, W, 3) uint8.
        inside, outside: (H, W) bool, drawn marks; `inside` may be empty where there is a box.
        box: (H, W) bool, nothing beyond it belongs to the object; or None.

    Returns:
        (H, W) bool, empty where the colors inside and outside do not differ.
    """
    window = _window(box, rgb.shape[:2])
    crop = rgb[window]
    width, height = reduced(*crop.shape[1::-1])
    small = resize_area(crop, width, height)
    wanted, never = (dilate(shrunk(marks[window], width, height), 1) for marks in (inside, outside))
    if box is not None:
        room = resize_mask(box[window], width, height)
        never |= ~room
        mask = room & ~never
    else:
        mask = _similar(small, wanted) & ~never
    mask = _grabcut(small, mask, wanted & ~never, never)
    if wanted.any():
        mask = _touching(mask, wanted)
    result = np.zeros(rgb.shape[:2], bool)
    result[window] = resize_mask(mask, *crop.shape[1::-1])
    result = refine(rgb, result, band=3)
    return (result & ~outside) if box is None else (result & box & ~outside)


def _window(box: np.ndarray | None, shape: tuple[int, ...]) -> tuple[slice, slice]:
    if box is None or not box.any():
        return slice(0, shape[0]), slice(0, shape[1])
    ends = []
    for axis in (1, 0):
        line = np.flatnonzero(box.any(axis))
        margin = int(MARGIN * len(line)) + 2
        ends.append(slice(max(line[0] - margin, 0), line[-1] + 1 + margin))
    return ends[0], ends[1]


def _similar(rgb: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """(H, W) bool: what looks like the marks and is connected with them.

    How alike is decided as for maximally stable regions (Matas et al. 2002): where a little more would add least.
    """
    colors = rgb[marks].astype(np.float32)
    colors = colors[:: max(1, len(colors) // 16)]
    distance = np.sqrt(((rgb[None].astype(np.float32) - colors[:, None, None]) ** 2).sum(-1)).min(0)
    guesses = [_touching(distance <= limit, marks) for limit in SIMILAR]
    areas = np.array([np.count_nonzero(guess) for guess in guesses], float)
    growth = np.diff(areas) / areas[:-1]
    believed = (areas[:-1] >= GUESSED[0] * marks.size) & (areas[:-1] <= GUESSED[1] * marks.size)
    return guesses[int(np.argmin(np.where(believed, growth, np.inf)))] if believed.any() else guesses[0]


def _touching(mask: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """The components of a mask that hold a mark."""
    labels, count = label_components(mask)
    kept = np.zeros(count + 1, bool)
    kept[labels[marks]] = True
    kept[0] = False
    return kept[labels]


def _grabcut(rgb: np.ndarray, mask: np.ndarray, wanted: np.ndarray, never: np.ndarray) -> np.ndarray:
    colors = np.ascontiguousarray(rgb.reshape(-1, 3).T, np.float32)
    cut = GraphCut(rgb, SMOOTHNESS)
    foreground = background = None
    for _ in range(ROUNDS):
        if min(np.count_nonzero(mask), np.count_nonzero(~mask)) < MIN_COLORS:
            break
        foreground = fit_mixture(colors[:, mask.ravel()], foreground)
        background = fit_mixture(colors[:, ~mask.ravel()], background)
        cost = (background.log_likelihood(colors) - foreground.log_likelihood(colors)).reshape(mask.shape)
        cost = np.where(never, CERTAIN, np.where(wanted, -CERTAIN, cost))
        previous, mask = mask, cut.minimize(cost)
        if (mask == previous).all():
            break
    return mask
