"""The engine of the released World Tracing models: a layered diffusion transformer (spec, sections 8 to 13).

PyTorch is imported when a trace begins, so that the engine can be listed where PyTorch is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..camera import Camera
from ..errors import WorldTracingError
from ..model.config import check_steps
from ..preprocess import NetworkInput, clip_input, object_input, scene_input
from ..progress import OnProgress
from ..seeds import seed_file
from ..weights.tensorfile import WeightsHeader
from ..world import LayeredWorld
from .base import EngineInfo, TraceOptions
from .wt_dit_options import WTDiTOptions, read_options
from .wt_dit_weights import NEEDS, check_packages, find_weights
from .wt_dit_world import WorldMaker, check_points, repair_layers, sky_note

if TYPE_CHECKING:
    from .wt_dit_network import NetworkKeeper, Traced

OnEstimate = Callable[[np.ndarray], None]


class WTDiTEngine:
    """WT-DiT with converted weights (docs/models.md). `extra` holds the fields of `wt_dit_options.WTDiTOptions`.

    The loaded network stays in memory until `free_memory` or a trace with another one.
    """

    info = EngineInfo(
        name="wt-dit",
        label="World Tracing (WT-DiT)",
        description="The diffusion transformer of World Tracing with the released weights; it predicts the surfaces "
        "that the photo hides. Needs PyTorch, the weights and, to be quick, a GPU.",
        licence="GPL-3.0-or-later; the released weights: non-commercial research only",
        needs=tuple(NEEDS),
        draws_noise=True,
        options=("model", "steps", "seeds", "precision"),
    )

    def __init__(self) -> None:
        self._keeper: NetworkKeeper | None = None

    def trace(
        self, image: np.ndarray, mask: np.ndarray, camera: Camera, options: TraceOptions, on_progress: OnProgress
    ) -> LayeredWorld:
        """See `Engine.trace`. The world shows the network's square: the object's crop, or the whole photo.

        `extra["alpha"]`, (H, W) uint8, is the mask with soft edges. `resolution` means nothing here, and `camera` only
        counts where the traced points do not determine their own.

        Raises:
            WorldTracingError: those of `read_options`, `check_packages`, `find_weights`, `NetworkKeeper.trace`;
                WT-IMG-EMPTY-MASK, WT-IMG-MASK-SIZE, WT-MODEL-NO-POINTS, WT-IO-WRITE and WT-IO-FULL for the files that
                options ask for.
        """
        wish = read_options(options.extra, options.seed, options.mode)
        path, header = _weights(wish, options.mode)
        on_progress("Preparing the picture", 0, 1)
        soft = options.extra.get("alpha")
        picture, notes = _see(image, mask if soft is None else soft, wish, options.mode, header.config.image_size)
        maker = WorldMaker(header, wish, options.mode)

        def preview(estimate: np.ndarray) -> None:
            layers = repair_layers(estimate[None, 0], np.broadcast_to(picture.mask, estimate.shape[1:-1]))
            if layers.valid.any():
                maker.preview(layers, picture, camera).save(wish.preview)

        traced = self._sample(path, header, [picture], wish, on_progress, preview)
        on_progress("Finishing the layers", 0, 1)
        layers = repair_layers(traced.xyz[:, 0], traced.mask[0])
        check_points([layers])
        best = maker.world(traced, layers, traced.best, picture, camera, notes)
        if not wish.keep_seeds or len(wish.seeds) == 1:
            return best
        files = [seed_file(wish.keep_seeds, seed) for seed in wish.seeds]
        for k, file in enumerate(files):
            on_progress("Writing the seeds", k, len(files))
            world = best if k == traced.best else maker.world(traced, layers, k, picture, camera, notes)
            world.save(file)
        return replace(best, metadata={**best.metadata, "seed_files": [file.name for file in files]})

    def trace_frames(
        self,
        frames: Sequence[np.ndarray],
        alphas: Sequence[np.ndarray],
        camera: Camera,
        options: TraceOptions,
        on_progress: OnProgress,
    ) -> list[LayeredWorld]:
        """The frames of a clip into one world each, all through one crop and with one camera.

        More frames than the model's are traced in windows of so many, each on its own and with the same noise; the
        last window reaches back as far as it is short, and only gives the frames that are left. So hidden surfaces
        may change where a window begins. Edge flyers are dropped frame by frame (spec, section 13).

        Args:
            frames: (H, W, 3) uint8 sRGB each.
            alphas: mask (bool) or matte (uint8) of each; some may be empty.
            camera: of the first frame; counts where the points do not determine their own.
            options: `mode` and `resolution` mean nothing, `extra` is as in `trace` but for what only photos have.
            on_progress: called before each step.

        Raises:
            WorldTracingError: as `trace`.
        """
        wish = read_options(options.extra, options.seed, "clip")
        path, header = _weights(wish, "clip")
        on_progress("Preparing the frames", 0, 1)
        pictures = clip_input(frames, alphas, header.config.image_size)
        _check_masks(pictures)
        maker = WorldMaker(header, wish, "clip")
        plan = windows(len(pictures), header.config.frames)
        found = []  # of each frame: what its window's run says of itself, and its layers
        best = 0
        for index, (start, new) in enumerate(plan):
            window = pictures[start : start + header.config.frames]
            traced = self._sample(path, header, window, wish, _part_of(on_progress, index, len(plan)), None)
            best = traced.best if index == 0 else best
            found += [
                (traced, repair_layers(traced.xyz[:, k], traced.mask[k])) for k in range(new - start, len(window))
            ]
        check_points([layers for _, layers in found])
        first = next(k for k, (_, layers) in enumerate(found) if layers.valid[best].any())
        solved = maker.camera(found[first][1], best, pictures[first], camera)
        worlds = []
        for k, (traced, layers) in enumerate(found):
            on_progress("Finishing the layers", k, len(found))
            facts = {"frame": k, "frames": len(found), "window": max(w for w, (_, new) in enumerate(plan) if new <= k)}
            worlds.append(maker.world(traced, layers, best, pictures[k], solved, [], facts, solve=False))
        return worlds

    def free_memory(self) -> None:
        """Drop the network."""
        if self._keeper is not None:
            self._keeper.free_memory()

    def _sample(
        self,
        path: Path,
        header: WeightsHeader,
        pictures: Sequence[NetworkInput],
        wish: WTDiTOptions,
        on_progress: OnProgress,
        on_estimate: OnEstimate | None,
    ) -> Traced:
        from .wt_dit_network import NetworkKeeper

        if self._keeper is None:
            self._keeper = NetworkKeeper()
        rgb = np.stack([picture.rgb for picture in pictures])
        mask = np.stack([picture.mask for picture in pictures])
        return self._keeper.trace(path, header, rgb, mask, wish, on_progress, on_estimate if wish.preview else None)


def _weights(wish: WTDiTOptions, mode: str) -> tuple[Path, WeightsHeader]:
    """The weights to trace with, after checking that a trace can begin at all."""
    check_packages()
    if wish.steps is not None:
        check_steps(wish.steps)
    return find_weights(wish.model, mode)


def windows(frames: int, length: int) -> list[tuple[int, int]]:
    """Of each window of a clip the first frame, and the first frame that no window before it has."""
    return [(max(0, min(new, frames - length)), new) for new in range(0, frames, length)]


def _see(
    image: np.ndarray, alpha: np.ndarray, wish: WTDiTOptions, mode: str, size: int
) -> tuple[NetworkInput, list[str]]:
    """What the network sees of a photo, and what the user should know about it."""
    if mode == "object":
        picture, notes = object_input(image, alpha, size), []
    else:
        picture, notes = sky_note(scene_input(image, alpha, size, keep_aspect=wish.pad), wish.mask_sky)
    _check_masks([picture])
    return picture, notes


def _check_masks(pictures: Sequence[NetworkInput]) -> None:
    if not any(picture.mask.any() for picture in pictures):
        raise WorldTracingError(
            "WT-IMG-EMPTY-MASK",
            "Nothing is left of the picture to trace.",
            "Give a mask that marks what is to be traced.",
        )


def _part_of(on_progress: OnProgress, index: int, count: int) -> OnProgress:
    """Progress of one of several equal parts."""
    return lambda stage, k, n: on_progress(stage, index * n + k, count * n)
