"""Which pixels are the object: by alpha, by a plain background, or by how the picture differs from its border.

None of this is trained. Every way to a mask has a name, which the result carries, so that a user sees what was done.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import WorldTracingError
from .matte_grabcut import grabcut, refine_by_numpy, refine_by_opencv
from .regions import component_areas, connected_to_border, fill_holes, label_components, remove_specks
from .resample import resize_area, resize_mask

PLAIN_SIDE = 1024  # longest side in pixels of the copies that the methods work on
GRABCUT_SIDE = 320

SPECK_SHARE = 0.001  # of the picture: smaller islands and holes are taken for noise

PLAIN_BORDER_SHARE = 0.8  # of the border pixels must be of one color; the object may touch the rest
PLAIN_TOLERANCE = 14  # levels of 255 per channel; JPEG leaves about 8 around edges
SEE_THROUGH_TOLERANCE = 4


@dataclass(frozen=True, eq=False)
class Matte:
    """The foreground of a picture.

    Attributes:
        mask: (H, W) bool.
        method: "given", "alpha", "plain-background", "grabcut", "grabcut-numpy" or "everything".
    """

    mask: np.ndarray
    method: str


def find_foreground(rgb: np.ndarray, alpha: np.ndarray | None, mode: str, given: np.ndarray | None = None) -> Matte:
    """Decide what is to be traced.

    In object mode the first of these that applies: the given mask; alpha; a flood of the plain background from the
    border; GrabCut (Rother et al. 2004), by OpenCV where it is there, else in numpy.
    In scene mode everything but what alpha cuts out, unless a mask is given.

    Args:
        rgb: (H, W, 3) uint8 sRGB.
        alpha: (H, W) uint8 or None.
        mode: "object" or "scene".
        given: (H, W) bool, the user's own mask, which is taken as it is.

    Raises:
        WorldTracingError: WT-IMG-MASK-SIZE, WT-IMG-EMPTY-MASK, WT-IMG-FULL-MASK (object mode only).
    """
    if given is not None and given.shape != rgb.shape[:2]:
        raise WorldTracingError(
            "WT-IMG-MASK-SIZE",
            f"The mask is {given.shape[1]} x {given.shape[0]} pixels and the photo {rgb.shape[1]} x {rgb.shape[0]}.",
            "Give a mask of the photo's size.",
        )
    matte = _choose(rgb, alpha, mode, given)
    if not matte.mask.any():
        raise WorldTracingError(
            "WT-IMG-EMPTY-MASK",
            f"No foreground was found in the photo ({matte.method}).",
            "Give a mask with the object in white, or use scene mode.",
        )
    if mode == "object" and matte.mask.all():
        raise WorldTracingError(
            "WT-IMG-FULL-MASK",
            f"The foreground covers the whole photo ({matte.method}), so the object has no outline.",
            "Use scene mode, or give a mask with the object in white and its surroundings in black.",
        )
    return matte


def _choose(rgb: np.ndarray, alpha: np.ndarray | None, mode: str, given: np.ndarray | None) -> Matte:
    if given is not None:
        return Matte(given.astype(bool), "given")
    if alpha is not None:
        opaque = alpha > 127
        if mode == "scene":
            return Matte(opaque, "everything")
        if np.mean(opaque) <= 1 - SPECK_SHARE:
            return Matte(_clean(opaque), "alpha")
    if mode == "scene":
        return Matte(np.ones(rgb.shape[:2], bool), "everything")

    mask, method = plain_background(_reduced(rgb, PLAIN_SIDE)), "plain-background"
    if mask is None:
        small = _reduced(rgb, GRABCUT_SIDE)
        try:
            mask, method = grabcut(small, refine_by_opencv), "grabcut"
        except ImportError:
            mask, method = grabcut(small, refine_by_numpy), "grabcut-numpy"
        mask = _clean(mask)
    return Matte(resize_mask(mask, rgb.shape[1], rgb.shape[0]), method)


def plain_background(rgb: np.ndarray) -> np.ndarray | None:
    """The foreground before a background of one color, (H, W) bool, or None where the border has no single color.

    Only what the border's color reaches from outside is background, so that parts of the object in that color stay.
    What is seen through a handle counts as background too, if the color is one that objects rarely share exactly:
    not the white or black of a clipped exposure.
    """
    border = np.concatenate([rgb[:2].reshape(-1, 3), rgb[-2:].reshape(-1, 3), rgb[:, :2].reshape(-1, 3),
                             rgb[:, -2:].reshape(-1, 3)])  # fmt: skip
    color = np.median(border, axis=0)
    if np.mean(np.abs(border - color).max(-1) <= PLAIN_TOLERANCE) < PLAIN_BORDER_SHARE:
        return None
    difference = np.abs(rgb - color.astype(np.float32)).max(-1)
    alike = difference <= PLAIN_TOLERANCE
    background = connected_to_border(alike)
    if color.min() > PLAIN_TOLERANCE and color.max() < 255 - PLAIN_TOLERANCE:
        background |= _see_through(alike & ~background, difference <= SEE_THROUGH_TOLERANCE)
    return _clean(~background)


def _see_through(enclosed: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Those enclosed regions that have the background's color almost exactly, (H, W) bool."""
    labels, count = label_components(enclosed, diagonal=False)
    area = component_areas(labels, count)
    exact_area = component_areas(np.where(exact, labels, 0), count)
    is_background = (area >= SPECK_SHARE * labels.size) & (exact_area >= 0.8 * area)
    return np.concatenate([[False], is_background])[labels]


def _clean(mask: np.ndarray) -> np.ndarray:
    """Without specks and pin holes."""
    area = int(SPECK_SHARE * mask.size)
    return fill_holes(remove_specks(mask, area), area)


def _reduced(rgb: np.ndarray, side: int) -> np.ndarray:
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return rgb
    return resize_area(rgb, max(8, round(width * scale)), max(8, round(height * scale)))
