"""Stable Diffusion (Rombach et al. 2022) as a painter, through diffusers, for users who have it and its weights.

Its weights are under the CreativeML Open RAIL-M license and not gated. Nothing is downloaded here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WorldTracingError
from ..extras import need
from ..progress import OnProgress, silent
from ..resample import resize_area
from . import local_model
from .painters import SEEDS, PainterInfo

MODEL = "stable-diffusion-v1-5/stable-diffusion-inpainting"

STEPS = 30
"""Of denoising; its authors use 50, with little difference."""

MULTIPLE = 8
"""Sides of the picture that the model works on are multiples of this, in pixels: the size of one latent."""

MARGIN_SHARE = 0.5
"""What of the picture around the gap the model sees, in sizes of the gap."""

HALF = "unet/diffusion_pytorch_model.fp16.safetensors"
"""A file of weights of half precision; the only ones that its authors have published as safetensors."""


class DiffusionPainter(local_model.LocalModel):
    """Paints what a text says, in the style and light of what is around."""

    info = PainterInfo(
        "diffusion",
        "Stable Diffusion (if installed)",
        "Invents what may be there. Needs PyTorch, transformers, diffusers 0.30 or newer, and the weights of "
        f"{MODEL} in the Hugging Face cache; they are not downloaded from here.",
        licence="CreativeML Open RAIL-M",
        generative=True,
    )
    label, model, version, library = "Stable Diffusion", MODEL, "0.30", "diffusers"
    needs = (*local_model.NEEDS, "diffusers")
    marker = "model_index.json"
    download = ' --include "*.json" --include "*.txt" --include "*.fp16.safetensors"'

    def paint(
        self,
        rgb: np.ndarray,
        unknown: np.ndarray,
        text: str = "",
        seed: int = 0,
        on_progress: OnProgress = silent,
        source: np.ndarray | None = None,
    ) -> np.ndarray:
        """See `Painter.paint`; all around the gap guides it, and all of `source`, which it is shown whole.

        Raises:
            WorldTracingError: WT-ENV-PACKAGE, WT-MODEL-MISSING, WT-MODEL-REFUSED, WT-MEM-ASSIST.
        """
        result = rgb.copy()
        if not unknown.any():
            return result
        torch = need("torch", "torch", f"paint with {self.label}")
        window = _window(unknown, source)
        on_progress("Loading the painter", 0, STEPS)
        (pipeline,) = self.load("AutoPipelineForInpainting")
        try:
            pipeline = pipeline.to(*_place(torch))
            painted = _painted(pipeline, rgb[window], unknown[window], text, seed, on_progress)
        except torch.cuda.OutOfMemoryError as error:
            raise WorldTracingError(
                "WT-MEM-ASSIST",
                f"There is not enough memory on the graphics card to paint with {self.label}.",
                "Close other programs that use it, or choose another painter.",
            ) from error
        finally:
            if torch.cuda.is_available():  # whose memory is for whatever the worker does next
                pipeline.to("cpu")
                torch.cuda.empty_cache()
        result[window][unknown[window]] = painted[unknown[window]]
        return result

    def options(self, kind: str) -> dict[str, Any]:
        """See `LocalModel.options`."""
        half = {"variant": "fp16"} if (Path(self.source()) / HALF).is_file() else {}
        return {**super().options(kind), **half}


def _painted(
    pipeline: Any, rgb: np.ndarray, unknown: np.ndarray, text: str, seed: int, on_progress: OnProgress
) -> np.ndarray:
    """(H, W, 3) uint8, of a window of the picture; what is known comes back roughly."""
    import torch
    from PIL import Image  # diffusers brings it

    height, width = unknown.shape
    side = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
    size = [
        max(MULTIPLE, round(length * side / max(unknown.shape) / MULTIPLE) * MULTIPLE) for length in (width, height)
    ]
    covered = resize_area(unknown.astype(np.float32), *size) > 0

    def after_step(_pipeline: Any, step: int, _time: Any, values: dict) -> dict:
        on_progress("Painting", step, len(pipeline.scheduler.timesteps))
        return values

    pipeline.set_progress_bar_config(disable=True)
    answer = pipeline(
        prompt=text,
        image=Image.fromarray(resize_area(rgb, *size)),
        mask_image=Image.fromarray(covered.astype(np.uint8) * 255),
        width=size[0],
        height=size[1],
        num_inference_steps=STEPS,
        generator=torch.Generator("cpu").manual_seed(seed % SEEDS),  # so that a seed means the same on any device
        callback_on_step_end=after_step,
        output_type="np",
    )
    if any(answer.nsfw_content_detected or ()):
        raise WorldTracingError(
            "WT-MODEL-REFUSED",
            "The painter's own check for unsafe pictures has rejected what it painted.",
            "Try another seed, or another painter.",
        )
    return np.rint(resize_area(answer.images[0], width, height).clip(0, 1) * 255).astype(np.uint8)


def _window(unknown: np.ndarray, source: np.ndarray | None) -> tuple[slice, slice]:
    """The gap with what is around it, as square as the picture allows: models are trained on squares.

    It has room for the source as well.
    """
    rows, columns = (np.flatnonzero(unknown.any(axis)) for axis in (1, 0))
    side = round((1 + 2 * MARGIN_SHARE) * max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1)
    if source is not None:
        rows, columns = (np.flatnonzero((unknown | source).any(axis)) for axis in (1, 0))
        side = max(side, rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)
    window = []
    for used, length in ((rows, unknown.shape[0]), (columns, unknown.shape[1])):
        first = min(max(0, (used[0] + used[-1] + 1 - side) // 2), max(0, length - side))
        window.append(slice(first, min(length, first + side)))
    return tuple(window)


def _place(torch: Any) -> tuple[str, Any]:
    """The device to compute on, and the precision that suits it."""
    if torch.cuda.is_available():
        return "cuda", torch.float16
    return "mps" if torch.backends.mps.is_available() else "cpu", torch.float32
