"""Grounding DINO (Liu et al. 2023) as a detector, through transformers, for users who have it and its weights.

Code and weights are under the Apache License 2.0 and not gated.
"""

from __future__ import annotations

import numpy as np

from ..extras import need
from ..weights.assistants import ASSISTANT_MODELS
from . import local_model
from .base import Box
from .detectors import Detection, DetectorInfo

MODEL = ASSISTANT_MODELS["grounding-dino"].repo

SHORTER, LONGER = 800, 1333
"""Sides in pixels that the picture is brought to: the shorter one, unless the other gets too long then."""

THRESHOLD = 0.3
"""Score from which on a box is believed, as its authors recommend."""


class GroundingDinoDetector(local_model.LocalModel):
    """Boxes; the segmenter in use finds what is in them."""

    info = DetectorInfo("grounding-dino", "Grounding DINO", "Apache-2.0")
    label, model, version = info.label, MODEL, "4.40"

    def find(self, rgb: np.ndarray, text: str) -> list[Detection]:
        """See `Detector.find`."""
        torch = need("torch", "torch", "find objects with Grounding DINO")
        tokenizer, model = self.load("AutoTokenizer", "GroundingDinoForObjectDetection")
        height, width = rgb.shape[:2]
        size = _input_size(width, height)
        words = tokenizer([f"{text.strip().rstrip('.').lower()}."], return_tensors="pt")
        with torch.inference_mode():
            output = model(
                pixel_values=torch.from_numpy(local_model.pixels(rgb, *size, *local_model.IMAGENET)),
                pixel_mask=torch.ones((1, size[1], size[0]), dtype=torch.int64),
                input_ids=words["input_ids"],
                attention_mask=words["attention_mask"],
                token_type_ids=words["token_type_ids"],
            )
        scores = output.logits[0].float().sigmoid().max(-1).values.numpy()
        boxes = output.pred_boxes[0].float().numpy() * (width, height, width, height)  # middle and size
        best = [k for k in np.argsort(-scores, kind="stable") if scores[k] > THRESHOLD]
        return [Detection(_corners(*boxes[k], width, height), float(scores[k])) for k in best]


def _input_size(width: int, height: int) -> tuple[int, int]:
    short, long = sorted((width, height))
    side = min(SHORTER, LONGER * short / long)
    sides = round(side), int(side * long / short + 1e-6)
    return sides if width <= height else sides[::-1]


def _corners(x: float, y: float, across: float, down: float, width: int, height: int) -> Box:
    left, right = np.clip((x - across / 2, x + across / 2), 0, width)
    top, bottom = np.clip((y - down / 2, y + down / 2), 0, height)
    return Box(float(left), float(top), float(right), float(bottom))
