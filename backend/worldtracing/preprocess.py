"""From a photo to the square that a released network sees (spec section 11).

The released pre-processing is followed to the last bit, OpenCV's fixed-point bilinear resize included, because the
networks were trained on it. A `Window` remembers which part of the photo the square shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .camera import Camera
from .errors import WorldTracingError
from .extras import need

GREY = (128, 128, 128)
"""The colour that the object and clip models expect behind the foreground."""

OBJECT_RATIO = 2 / 3
"""Share of the square that the foreground's longer side takes."""


@dataclass(frozen=True)
class Window:
    """The rectangle of the photo, in whole pixels and possibly reaching beyond it, that fills the network's square."""

    x0: int
    y0: int
    width: int
    height: int
    photo_width: int
    photo_height: int

    def square_camera(self, photo_camera: Camera, size: int) -> Camera:
        """The photo's camera as the network's `size` x `size` pixels see it."""
        return photo_camera.cropped(self.x0, self.y0, self.width, self.height).resized(size, size)


@dataclass(frozen=True)
class NetworkInput:
    """What the network sees.

    Attributes:
        rgb: (S, S, 3) uint8 sRGB.
        mask: (S, S) bool, True where points are wanted; the same for every layer.
        window: the part of the photo that it shows.
    """

    rgb: np.ndarray
    mask: np.ndarray
    window: Window


def object_input(
    rgb: np.ndarray,
    alpha: np.ndarray,
    size: int,
    background: tuple[int, int, int] = GREY,
    ratio: float = OBJECT_RATIO,
    erode_pixels: int = 0,
) -> NetworkInput:
    """A square around the foreground, over a plain background.

    Args:
        rgb: (H, W, 3) uint8 sRGB.
        alpha: (H, W) uint8 matte, or bool mask.
        size: side of the network's input in pixels.
        background: sRGB colour behind the foreground.
        ratio: share of the square for the longer side of the foreground's bounding box.
        erode_pixels: how far the mask is drawn in, in pixels of the square.

    Raises:
        WorldTracingError: WT-IMG-MASK-SIZE, WT-ENV-PACKAGE without OpenCV.
    """
    alpha = _as_alpha(rgb, alpha)
    window = foreground_window([alpha], ratio)
    rgb, alpha = crop_to(rgb, window), crop_to(alpha, window)
    rgb, alpha = _resize(composite(rgb, alpha, background), alpha, size)
    mask = alpha > 127
    if erode_pixels:
        kernel = np.ones((2 * erode_pixels + 1,) * 2, np.uint8)
        mask = _cv2().erode(mask.astype(np.uint8), kernel).astype(bool)
    return NetworkInput(rgb, mask, window)


def scene_input(rgb: np.ndarray, alpha: np.ndarray, size: int, keep_aspect: bool = False) -> NetworkInput:
    """The whole photo, stretched to the square as released, or at its own aspect ratio with its border repeated
    around it and masked out.

    Args and errors are those of `object_input`.
    """
    alpha = _as_alpha(rgb, alpha)
    height, width = alpha.shape
    if not keep_aspect:
        window = Window(0, 0, width, height, width, height)
        rgb, alpha = _resize(rgb, alpha, size)
        return NetworkInput(rgb, alpha > 127, window)
    side = max(width, height)
    window = Window(-((side - width) // 2), -((side - height) // 2), side, side, width, height)
    rgb, alpha = _resize(crop_to(rgb, window, mode="edge"), crop_to(alpha, window), size)
    return NetworkInput(rgb, alpha > 127, window)


def clip_input(
    frames: Sequence[np.ndarray],
    alphas: Sequence[np.ndarray],
    size: int,
    background: tuple[int, int, int] = GREY,
    ratio: float = OBJECT_RATIO,
) -> list[NetworkInput]:
    """The frames of a clip through one common square around the foreground of all, painted over outside each mask.

    Args:
        frames: (H, W, 3) uint8 sRGB each; sizes may differ.
        alphas: a matte (uint8) or mask (bool) per frame.
    """
    alphas = [_as_alpha(rgb, alpha) for rgb, alpha in zip(frames, alphas, strict=True)]
    common = foreground_window(alphas, ratio)
    inputs = []
    for rgb, alpha in zip(frames, alphas, strict=True):
        window = Window(common.x0, common.y0, common.width, common.height, alpha.shape[1], alpha.shape[0])
        rgb, alpha = _resize(crop_to(rgb, window), crop_to(alpha, window), size)
        mask = alpha > 127
        rgb = np.where(mask[..., None], rgb, np.array(background, np.uint8))
        inputs.append(NetworkInput(rgb, mask, window))
    return inputs


def foreground_window(alphas: Sequence[np.ndarray], ratio: float = OBJECT_RATIO) -> Window:
    """The square around the foreground (alpha > 127) of all frames, in which its longer side takes `ratio`.

    Without any foreground it is the centred square of the smallest frame. The photo size is the first frame's.
    """
    boxes = [box for alpha in alphas if (box := _bounding_box(alpha > 127))]
    photo_height, photo_width = alphas[0].shape
    if not boxes:
        height, width = min(alpha.shape[0] for alpha in alphas), min(alpha.shape[1] for alpha in alphas)
        side = min(height, width)
        return Window((width - side) // 2, (height - side) // 2, side, side, photo_width, photo_height)
    x_min, y_min = (min(box[i] for box in boxes) for i in (0, 1))
    x_max, y_max = (max(box[i] for box in boxes) for i in (2, 3))
    side = math.ceil(max(x_max - x_min + 1, y_max - y_min + 1) / ratio)
    x0, y0 = (round((low + high) / 2 - side / 2) for low, high in ((x_min, x_max), (y_min, y_max)))
    return Window(x0, y0, side, side, photo_width, photo_height)


def composite(rgb: np.ndarray, alpha: np.ndarray, background: tuple[int, int, int]) -> np.ndarray:
    """rgb over a plain background, (H, W, 3) uint8; blended in sRGB values and truncated, as released."""
    weight = alpha[..., None].astype(np.float32) / np.float32(255)
    blended = rgb.astype(np.float32) * weight + np.array(background, np.float32) * (1 - weight)
    return np.clip(blended, 0, 255).astype(np.uint8)


def _cv2():
    return need("cv2", "image", "prepare the picture for the network")


def _as_alpha(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    if alpha.shape != rgb.shape[:2]:
        raise WorldTracingError(
            "WT-IMG-MASK-SIZE",
            f"The mask has {alpha.shape[1]}x{alpha.shape[0]} pixels and the picture {rgb.shape[1]}x{rgb.shape[0]}.",
            "Give a mask of the picture's size.",
        )
    return alpha.astype(np.uint8) * 255 if alpha.dtype == bool else alpha


def _bounding_box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """First and last column and row of the mask (x_min, y_min, x_max, y_max), inclusive; None if it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def crop_to(image: np.ndarray, window: Window, mode: str = "constant") -> np.ndarray:
    """The window of an image, padded by zeros or (mode "edge") its border where it reaches beyond."""
    pads, slices = [], []
    for start, length, size in ((window.y0, window.height, image.shape[0]), (window.x0, window.width, image.shape[1])):
        low, high = min(max(start, 0), size), min(max(start + length, 0), size)
        before = min(max(-start, 0), length)
        slices.append(slice(low, high))
        pads.append((before, length - before - (high - low)))
    return np.pad(image[tuple(slices)], pads + [(0, 0)] * (image.ndim - 2), mode=mode)


def _resize(rgb: np.ndarray, alpha: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    cv2 = _cv2()
    return (
        cv2.resize(rgb, (size, size), interpolation=cv2.INTER_LINEAR),
        cv2.resize(alpha, (size, size), interpolation=cv2.INTER_NEAREST),
    )
