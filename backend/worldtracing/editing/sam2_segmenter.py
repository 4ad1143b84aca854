"""SAM 2 (Ravi et al. 2024) as a segmenter, through transformers, where its weights are.

Code and weights are under the Apache License 2.0 and not gated.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from ..extras import need
from ..progress import OnProgress, silent
from ..resample import resize_area
from ..weights.assistants import ASSISTANT_MODELS
from ..world import LayeredWorld
from . import local_model
from .base import Box, Click, Prompt, Segmentation, SegmenterInfo
from .graph_segmenter import GraphSegmenter
from .prompts import nothing_there, points_along

MODEL = ASSISTANT_MODELS["sam2"].repo

STROKE_POINTS = 8
"""Points by which a stroke is told to the model, which knows points and boxes alone."""


class Sam2Segmenter(local_model.LocalModel):
    """Prompts are answered by SAM 2 from the photo; all objects at once are those of the geometry."""

    info = SegmenterInfo(
        name="sam2",
        label="SAM 2 (if installed)",
        description="Selects by what the photo shows. Needs PyTorch, transformers 4.56 or newer, and the weights of "
        f"{MODEL}, which the preferences download.",
        licence="Apache-2.0",
        needs=local_model.NEEDS,
    )
    label, model, version, kind = "SAM 2", MODEL, "4.56", "Sam2Model"
    statistics = local_model.IMAGENET
    _embedded: tuple[Any, list[Any]] = None, []

    def segment(self, world: LayeredWorld, on_progress: OnProgress = silent) -> Segmentation:
        """See `Segmenter.segment`; as `GraphSegmenter` does it."""
        return GraphSegmenter().segment(world, on_progress)

    def select(
        self, world: LayeredWorld, prompts: Sequence[Prompt], segmentation: Segmentation | None = None
    ) -> np.ndarray:
        """See `Segmenter.select`; of several boxes the first counts.

        Raises:
            WorldTracingError: WT-ENV-PACKAGE, WT-MODEL-MISSING, WT-SCENE-PROMPT.
        """
        torch = need("torch", "torch", f"select with {self.label}")
        (model,) = self.load(self.kind)
        size = int(model.config.prompt_encoder_config.image_size)
        scale = np.array([size / world.width, size / world.height])
        inputs: dict[str, Any] = {}
        points, labels = _points(prompts)
        if len(points):
            inputs["input_points"] = torch.from_numpy((points * scale).astype(np.float32))[None, None]
            inputs["input_labels"] = torch.from_numpy(labels)[None, None]
        boxes = [(prompt.x0, prompt.y0, prompt.x1, prompt.y1) for prompt in prompts if isinstance(prompt, Box)]
        if not boxes and not (labels == 1).any():
            raise nothing_there()
        if boxes:
            inputs["input_boxes"] = torch.from_numpy((boxes[0] * np.tile(scale, 2)).astype(np.float32))[None, None]
        with torch.inference_mode():
            inputs["image_embeddings"] = self._embeddings(world.rgb, size)
            output = model(**inputs, multimask_output=not boxes and len(points) == 1)
        best = int(output.iou_scores[0, 0].argmax())
        logits = output.pred_masks[0, 0, best].float().numpy()
        mask = (resize_area(logits, world.width, world.height) > 0) & world.valid.any(0)
        if not mask.any():
            raise nothing_there()
        return mask

    def _embeddings(self, rgb: np.ndarray, size: int) -> list[Any]:
        """What the model makes of a picture, which takes most of the time; kept for further clicks in the same one."""
        import torch

        digest = blake2b(np.ascontiguousarray(rgb)).digest(), rgb.shape
        if self._embedded[0] != digest:
            pixels = torch.from_numpy(local_model.pixels(rgb, size, size, *self.statistics))
            self._embedded = digest, self.load(self.kind)[0].get_image_embeddings(pixels)
        return list(self._embedded[1])


def _points(prompts: Sequence[Prompt]) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) x and y in pixels, and (N,) int32 labels, 1 for the object and 0 for what is not."""
    points, labels = [np.zeros((0, 2))], []
    for prompt in prompts:
        if isinstance(prompt, Box):
            continue
        if isinstance(prompt, Click):
            marks = np.array([[prompt.x, prompt.y]])
        else:
            marks = points_along(prompt)
            marks = marks[np.linspace(0, len(marks) - 1, min(len(marks), STROKE_POINTS)).astype(int)]
        points.append(marks)
        labels += [int(prompt.positive)] * len(marks)
    return np.concatenate(points), np.array(labels, np.int32)
