"""A detector and a segmenter of a third party, as pip would install them; the worker finds their entry points."""

import threading

import numpy as np

from worldtracing.editing.base import Box, SegmenterInfo
from worldtracing.editing.detectors import Detection, DetectorInfo
from worldtracing.editing.graph_segmenter import GraphSegmenter
from worldtracing.errors import WorldTracingError


class Blue:
    """Finds what is blue, once with and once without its mask; other words have it wait, fail, or tell of itself."""

    info = DetectorInfo("blue", "Blue", "CC0-1.0")

    def __init__(self):
        self.asked = 0

    def problem(self):
        return ""

    def find(self, rgb, text):
        self.asked += 1
        if text == "how often?":
            return [Detection(Box(0.0, 0.0, 1.0, 1.0), self.asked / 100)]
        if text == "wait":
            threading.Event().wait(1.0)
        if text == "no weights":
            raise WorldTracingError("WT-MODEL-MISSING", "The weights of blue are not on this machine.", "Get them.")
        if text == "no memory":
            raise MemoryError
        if text == "a defect":
            raise ValueError("a defect")
        mask = (rgb[..., 2] >= 195) & ("unicorn" not in text)
        if not mask.any():
            return []
        rows, columns = np.nonzero(mask)
        box = Box(float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
        return [Detection(box, 0.75, mask), Detection(box, 0.5)]


class Half(GraphSegmenter):
    """Selects the left or the right half of the picture, whichever is clicked."""

    info = SegmenterInfo("half", "Half", "For tests.", "CC0-1.0")

    def problem(self):
        return ""

    def select(self, world, prompts, segmentation=None):
        left = np.arange(world.width) < world.width / 2
        return np.broadcast_to(left == (prompts[0].x < world.width / 2), (world.height, world.width)).copy()
