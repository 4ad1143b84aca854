"""SAM 3 (Carion et al. 2025) as a segmenter: its tracker answers clicks, boxes and strokes as SAM 2 does.

Code and weights are under the SAM License, and the weights are gated: Meta gives them to whom it accepts.
"""

from __future__ import annotations

from . import local_model
from .base import SegmenterInfo
from .sam2_segmenter import Sam2Segmenter
from .sam3_detector import MODEL, STATISTICS


class Sam3Segmenter(Sam2Segmenter):
    """Prompts are answered by SAM 3 from the photo; all objects at once are those of the geometry."""

    info = SegmenterInfo(
        name="sam3",
        label="SAM 3 (if installed)",
        description="Selects by what the photo shows. Needs PyTorch, transformers 5 or newer, and the weights of "
        f"{MODEL}, which the preferences download for those whom Meta accepts.",
        licence="SAM License; the weights are gated",
        needs=local_model.NEEDS,
    )
    label, model, version, kind, gated = "SAM 3", MODEL, "5.0", "Sam3TrackerModel", True
    statistics = STATISTICS
