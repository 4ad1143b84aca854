"""GrabCut (Rother, Kolmogorov and Blake 2004): the object as what differs in color from the picture's border.

Twice the same method: OpenCV's, and one in numpy alone for where OpenCV is missing, as in Blender's own Python. Both
are deterministic and keep the border as background. GrabCut ends near where it starts, so there are several guesses to
start from. A good one is hardly changed by GrabCut: a small copy of the picture shows which.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .graph_cut import GraphCut
from .mixture import MIN_COLORS, fit_mixture
from .resample import resize_area
from .saliency import salient, unlike_border, within_border

ROUNDS = 5  # of fitting colors, then cutting
SMOOTHNESS = 50.0  # the paper's gamma
CERTAIN = 9 * SMOOTHNESS  # more than all edges of a pixel weigh

GUESSES = (unlike_border, salient, within_border)

Refine = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A picture, (H, W, 3) uint8, and a guess, (H, W) bool, to the mask, (H, W) bool."""


def grabcut(rgb: np.ndarray, refine: Refine) -> np.ndarray:
    """The foreground by GrabCut, (H, W) bool, empty if nothing differs from the border.

    Args:
        rgb: (H, W, 3) uint8; about 320 pixels on the longer side will do.
        refine: `refine_by_opencv` or `refine_by_numpy`.
    """
    height, width = rgb.shape[:2]
    small = resize_area(rgb, max(8, width // 2), max(8, height // 2))

    def stability(guess: Callable[[np.ndarray], np.ndarray]) -> float:
        first = guess(small)
        last = refine(small, first)
        return np.count_nonzero(first & last) / max(np.count_nonzero(first | last), 1)

    return refine(rgb, max(GUESSES, key=stability)(rgb))


def refine_by_opencv(rgb: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """The mask at the nearest minimum of GrabCut's energy, (H, W) bool, by OpenCV; ImportError without it."""
    import cv2

    if np.count_nonzero(guess) < MIN_COLORS:
        return guess
    state = np.where(guess, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    state[~within_border(rgb)] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    cv2.grabCut(bgr, state, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return (state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)


def refine_by_numpy(rgb: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """The mask at the nearest minimum of GrabCut's energy, (H, W) bool, in numpy alone."""
    mask, inside = guess, within_border(rgb)
    colors = np.ascontiguousarray(rgb.reshape(-1, 3).T, np.float32)
    cut = GraphCut(rgb, SMOOTHNESS)
    foreground = background = None
    for _ in range(ROUNDS):
        if np.count_nonzero(mask) < MIN_COLORS:
            break
        foreground = fit_mixture(colors[:, mask.ravel()], foreground)
        background = fit_mixture(colors[:, ~mask.ravel()], background)
        cost = background.log_likelihood(colors) - foreground.log_likelihood(colors)
        cost = np.where(inside, cost.reshape(mask.shape), CERTAIN)
        previous, mask = mask, cut.minimize(cost)
        if (mask == previous).all():
            break
    return mask
