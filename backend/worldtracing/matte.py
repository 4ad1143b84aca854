"""Which pixels are the object: by alpha, by a plain background, or by how the picture differs from its border.

None of this is trained. Every way to a mask has a name, which the result carries, so that a user sees what was done.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import WorldTracingError
from .regions import component_areas, connected_to_border, dilate, erode, fill_holes, label_components, remove_specks
from .resample import resize_area, resize_mask

PLAIN_SIDE = 1024  # longest side in pixels of the copies that the methods work on
GRABCUT_SIDE = 320
COLOURS_SIDE = 320

SPECK_SHARE = 0.001  # of the picture: smaller islands and holes are taken for noise

PLAIN_BORDER_SHARE = 0.8  # of the border pixels must be of one colour; the object may touch the rest
PLAIN_TOLERANCE = 14  # levels of 255 per channel; JPEG leaves about 8 around edges
SEE_THROUGH_TOLERANCE = 4

RING_SHARE = 0.03  # of the shorter side: the border whose colours are learned as background
FOREGROUND_DISTANCES = (4.0, 3.0, 2.0, 1.5, 1.0)  # in standard deviations of the nearest border colours
FOREGROUND_SHARE = 0.12  # the strictest distance that leaves this much of the picture is used
GRABCUT_DISTANCE = 2.0  # where GrabCut starts; it moves the outline itself
GRABCUT_ITERATIONS = 5


@dataclass(frozen=True, eq=False)
class Matte:
    """The foreground of a picture.

    Attributes:
        mask: (H, W) bool.
        method: "given", "alpha", "plain-background", "grabcut", "border-colours" or "everything".
    """

    mask: np.ndarray
    method: str


def find_foreground(rgb: np.ndarray, alpha: np.ndarray | None, mode: str, given: np.ndarray | None = None) -> Matte:
    """Decide what is to be traced.

    In object mode the first of these that applies: the given mask; alpha; a flood of the plain background from the
    border; GrabCut (Rother et al. 2004) started from the border, where OpenCV is there; a colour model of the border.
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

    mask = plain_background(_reduced(rgb, PLAIN_SIDE))
    method = "plain-background"
    if mask is None:
        mask, method = grabcut(_reduced(rgb, GRABCUT_SIDE)), "grabcut"
    if mask is None:
        mask, method = border_colours(_reduced(rgb, COLOURS_SIDE)), "border-colours"
    return Matte(resize_mask(mask, rgb.shape[1], rgb.shape[0]), method)


def plain_background(rgb: np.ndarray) -> np.ndarray | None:
    """The foreground before a background of one colour, (H, W) bool, or None where the border has no single colour.

    Only what the border's colour reaches from outside is background, so that parts of the object in that colour stay.
    What is seen through a handle counts as background too, if the colour is one that objects rarely share exactly:
    not the white or black of a clipped exposure.
    """
    border = np.concatenate([rgb[:2].reshape(-1, 3), rgb[-2:].reshape(-1, 3), rgb[:, :2].reshape(-1, 3),
                             rgb[:, -2:].reshape(-1, 3)])  # fmt: skip
    colour = np.median(border, axis=0)
    if np.mean(np.abs(border - colour).max(-1) <= PLAIN_TOLERANCE) < PLAIN_BORDER_SHARE:
        return None
    difference = np.abs(rgb - colour.astype(np.float32)).max(-1)
    alike = difference <= PLAIN_TOLERANCE
    background = connected_to_border(alike)
    if colour.min() > PLAIN_TOLERANCE and colour.max() < 255 - PLAIN_TOLERANCE:
        background |= _see_through(alike & ~background, difference <= SEE_THROUGH_TOLERANCE)
    return _clean(~background)


def grabcut(rgb: np.ndarray) -> np.ndarray | None:
    """The foreground by GrabCut from the border's colours, (H, W) bool; None without OpenCV. Deterministic."""
    try:
        import cv2
    except ImportError:
        return None
    state = np.where(
        border_distance(rgb, clusters=5, noise=5.0) > GRABCUT_DISTANCE, cv2.GC_PR_FGD, cv2.GC_PR_BGD
    ).astype(np.uint8)
    state[_ring(rgb.shape[:2])] = cv2.GC_BGD
    if not (state == cv2.GC_PR_FGD).any():
        return np.zeros(state.shape, bool)
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    cv2.grabCut(bgr, state, None, *models, GRABCUT_ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return _clean((state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD))


def border_colours(rgb: np.ndarray) -> np.ndarray:
    """The foreground as what differs from the border's colours, (H, W) bool, in numpy alone."""
    distance = border_distance(rgb, clusters=10, noise=3.0)
    for threshold in FOREGROUND_DISTANCES:
        mask = _solid(distance > threshold)
        if np.mean(mask) >= FOREGROUND_SHARE:
            break
    return mask


def border_distance(rgb: np.ndarray, clusters: int, noise: float) -> np.ndarray:
    """Mahalanobis distance of every pixel to the nearest of `clusters` groups of the border's colours.

    Args:
        rgb: (H, W, 3) uint8.
        noise: levels of 255 below which no group's standard deviation is taken to be.

    Returns:
        (H, W) float32.
    """
    pixels = rgb.astype(np.float32)
    border = pixels[_ring(rgb.shape[:2])]
    nearest = np.full(rgb.shape[:2], np.inf, np.float32)
    label = _k_means(border, clusters)
    for cluster in range(clusters):
        members = border[label == cluster]
        if len(members) < 0.02 * len(border):  # the object itself, where it touches the border
            continue
        covariance = np.cov(members.T) + np.eye(3) * noise**2
        whitened = (pixels - members.mean(0)) @ np.linalg.cholesky(np.linalg.inv(covariance)).astype(np.float32)
        nearest = np.minimum(nearest, (whitened**2).sum(-1))
    return np.sqrt(nearest)


def _k_means(points: np.ndarray, count: int) -> np.ndarray:
    """Cluster number of each point, (N,); started from points far from one another, so that nothing is drawn."""
    centres = points.mean(0)[None]
    for _ in range(count - 1):
        distance = ((points[:, None] - centres) ** 2).sum(-1).min(1)
        centres = np.concatenate([centres, points[distance.argmax()][None]])
    for _ in range(12):
        label = ((points[:, None] - centres) ** 2).sum(-1).argmin(1)
        centres = np.stack([points[label == k].mean(0) if (label == k).any() else centres[k] for k in range(count)])
    return label


def _see_through(enclosed: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Those enclosed regions that have the background's colour almost exactly, (H, W) bool."""
    labels, count = label_components(enclosed, diagonal=False)
    area = component_areas(labels, count)
    exact_area = component_areas(np.where(exact, labels, 0), count)
    is_background = (area >= SPECK_SHARE * labels.size) & (exact_area >= 0.8 * area)
    return np.concatenate([[False], is_background])[labels]


def _clean(mask: np.ndarray) -> np.ndarray:
    """Without specks and pin holes."""
    area = int(SPECK_SHARE * mask.size)
    return fill_holes(remove_specks(mask, area), area)


def _solid(mask: np.ndarray) -> np.ndarray:
    """A colour threshold as closed shapes: gaps bridged, holes filled, bristles and small islands gone."""
    mask = ~connected_to_border(~remove_specks(mask, int(2 * SPECK_SHARE * mask.size)))
    mask = ~connected_to_border(~erode(dilate(mask, 2), 2))
    mask &= dilate(erode(mask, 2), 2)
    return remove_specks(mask, int(5 * SPECK_SHARE * mask.size))


def _ring(shape: tuple[int, int]) -> np.ndarray:
    width = max(2, round(RING_SHARE * min(shape)))
    ring = np.ones(shape, bool)
    ring[width:-width, width:-width] = False
    return ring


def _reduced(rgb: np.ndarray, side: int) -> np.ndarray:
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return rgb
    return resize_area(rgb, max(8, round(width * scale)), max(8, round(height * scale)))
