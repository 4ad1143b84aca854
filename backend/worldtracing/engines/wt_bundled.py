"""The bundled WT-DiT: real layered geometry with numpy alone, nothing to download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..camera import Camera
from ..errors import WorldTracingError
from ..layers import drop_collapsed, sort_layers
from ..model.config import check_steps
from ..preprocess import Window, crop_to, foreground_window
from ..progress import OnProgress
from ..regions import dilate
from ..resample import resize_area, resize_mask
from ..upsample import guided_layers
from ..world import LayeredWorld
from .base import EngineInfo, TraceOptions
from .wt_numpy import NumpyWTDiT, view_of

WEIGHTS = Path(__file__).resolve().parents[1] / "weights_bundled" / "bundled.safetensors"

FOREGROUND_SHARE = 0.9
"""Of the network's square, for the longer side of the object: chosen on held-out meshes."""


class BundledEngine:
    """Our own small network. Object mode is what it was trained for; scenes were a small part of its training."""

    info = EngineInfo(
        name="wt-bundled",
        label="World Tracing (bundled)",
        description="A small network of our own that comes with the extension and needs no GPU. "
        "Made for single objects; less exact than the released models.",
        draws_noise=True,
        options=("steps",),
    )

    def __init__(self, weights: str | Path = WEIGHTS) -> None:
        self._path = Path(weights)
        self._network: NumpyWTDiT | None = None

    def trace(
        self, image: np.ndarray, mask: np.ndarray, camera: Camera, options: TraceOptions, on_progress: OnProgress
    ) -> LayeredWorld:
        """See `Engine.trace`; the world shows the whole photo, resampled to `options.resolution`.

        `extra["steps"]` is the number of sampler steps, 1 to 20, the model's own by default.

        Raises:
            WorldTracingError: WT-IMG-EMPTY-MASK, WT-MODEL-BUNDLED, WT-MODEL-STEPS.
        """
        if not mask.any():
            raise WorldTracingError(
                "WT-IMG-EMPTY-MASK", "There is no foreground to trace.", "Give a mask that marks the object."
            )
        steps = options.extra.get("steps")
        if steps is not None:
            check_steps(steps)
        on_progress("Loading the model", 0, 1)
        if self._network is None:
            self._network = NumpyWTDiT.load(self._path)
        network, config = self._network, self._network.config
        steps = config["steps"] if steps is None else steps
        window, width, height = _network_window(mask, options.mode, config["image_size"], network.patch)
        seen = crop_to(mask, window)
        matte = resize_area(seen.astype(np.float32), width, height)
        rgb = resize_area(crop_to(image, window), width, height).astype(np.float32) / 255
        small = camera.cropped(window.x0, window.y0, window.width, window.height).resized(width, height)
        view = view_of(small.rays())
        traced = matte > 0.5
        picture = np.concatenate([rgb, matte[..., None]], -1)
        normalized, logits = network.sample(picture, view, traced, steps, options.seed, on_progress)
        valid = traced & np.logical_and.accumulate(np.concatenate([traced[None], logits[1:] > 0]), 0)
        points, valid = _layers(view.depth(normalized), valid, traced, small)

        out = camera.resized(*_output_size(camera, options.resolution))
        fine = resize_area(image, out.width, out.height)
        points, valid = guided_layers(points, valid, rgb, small, fine, out, resize_mask(mask, out.width, out.height))
        points, valid = sort_layers(points, valid)  # layers that nearly touch may have crossed on the way
        if options.mode == "object" and valid[0].any():
            points /= np.ptp(points[0][valid[0]], axis=0)[:2].max()
        found = max(1, int(valid.any((1, 2)).sum()))  # each layer lies within the one before it
        points, valid = points[:found], valid[:found]
        metadata = {"model": config["name"], "steps": steps}
        return LayeredWorld(points, valid, fine, out.K, "relative", metadata=metadata)

    def free_memory(self) -> None:
        self._network = None


def _output_size(camera: Camera, resolution: int) -> tuple[int, int]:
    """Width and height of the traced picture: the photo's, at most `resolution` on the longer side."""
    scale = min(1.0, resolution / max(camera.width, camera.height))
    return max(1, round(camera.width * scale)), max(1, round(camera.height * scale))


def _network_window(mask: np.ndarray, mode: str, size: int, patch: int) -> tuple[Window, int, int]:
    """The part of the photo that the network sees, and the width and height in pixels at which it does.

    Objects fill a square; of scenes it sees all, at the photo's aspect ratio up to whole patches.
    """
    if mode == "object":
        return foreground_window([mask.astype(np.uint8) * 255], FOREGROUND_SHARE), size, size
    height, width = mask.shape
    scale = size / max(height, width)
    sides = (max(2, round(n * scale / patch)) * patch for n in (width, height))
    return Window(0, 0, width, height, width, height), *sides


def _layers(depth: np.ndarray, valid: np.ndarray, traced: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Points (l, H, W, 3) and validity in front-to-back order, without repeated surfaces.

    Each layer is continued by one pixel beyond the silhouette, where the photo's finer mask may still be on.
    """
    points, valid = sort_layers(camera.rays() * depth[..., None], valid)
    points, valid = sort_layers(*drop_collapsed(points, valid))
    for layer, ok in enumerate(valid):
        rim = dilate(ok, 1) & ~traced
        rows, columns = np.nonzero(rim)
        depth = _mean_of_neighbors(points[layer, ..., 2], ok, rows, columns)
        points[layer, rows, columns] = camera.rays()[rows, columns] * depth[:, None]
        valid[layer] = ok | rim
    return points, valid


def _mean_of_neighbors(depth: np.ndarray, ok: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Mean depth of the valid ones among the nine pixels around each position."""
    total, count = np.zeros(len(rows)), np.zeros(len(rows))
    padded, weight = np.pad(depth * ok, 1), np.pad(ok, 1)
    for i in range(3):
        for j in range(3):
            total += padded[rows + i, columns + j]
            count += weight[rows + i, columns + j]
    return total / count
