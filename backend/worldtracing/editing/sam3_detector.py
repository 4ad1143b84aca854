"""SAM 3 (Carion et al. 2025) as a detector, through transformers, for users who have it and its weights.

Code and weights are under the SAM License, and the weights are gated: Meta gives them to whom it accepts.
"""

from __future__ import annotations

import numpy as np

from ..extras import need
from ..resample import resize_area
from ..weights.assistants import ASSISTANT_MODELS
from . import local_model
from .base import Box
from .detectors import Detection, DetectorInfo

MODEL = ASSISTANT_MODELS["sam3"].repo

SIZE = 1008
"""Of the square that the picture is brought to, in pixels."""

STATISTICS = np.full(3, 0.5, np.float32), np.full(3, 0.5, np.float32)
"""Mean and deviation of the pictures that the image encoder was trained on."""

WORDS = 32
"""Length in tokens that texts are filled up to."""

THRESHOLD = 0.3
"""Score from which on an object is believed, as transformers has it."""


class Sam3Detector(local_model.LocalModel):
    """Objects with their masks."""

    info = DetectorInfo("sam3", "SAM 3", "SAM License", gated=True)
    label, model, version, gated = info.label, MODEL, "5.0", info.gated

    def find(self, rgb: np.ndarray, text: str) -> list[Detection]:
        """See `Detector.find`."""
        torch = need("torch", "torch", "find objects with SAM 3")
        tokenizer, model = self.load("AutoTokenizer", "Sam3Model")
        words = tokenizer([text], return_tensors="pt", padding="max_length", max_length=WORDS, truncation=True)
        with torch.inference_mode():
            output = model(
                pixel_values=torch.from_numpy(local_model.pixels(rgb, SIZE, SIZE, *STATISTICS)),
                input_ids=words["input_ids"],
                attention_mask=words["attention_mask"],
            )
            scores = output.pred_logits[0].float().sigmoid()
            if output.presence_logits is not None:
                scores = scores * output.presence_logits[0].float().sigmoid()
        scores = scores.numpy()
        best = [k for k in np.argsort(-scores, kind="stable") if scores[k] > THRESHOLD]
        masks = (_mask(output.pred_masks[0, k].float().numpy(), rgb.shape[:2]) for k in best)
        return [
            Detection(_around(mask), float(scores[k]), mask) for k, mask in zip(best, masks, strict=True) if mask.any()
        ]


def _mask(logits: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return resize_area(logits, shape[1], shape[0]) > 0


def _around(mask: np.ndarray) -> Box:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
