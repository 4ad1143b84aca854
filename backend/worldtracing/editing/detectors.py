"""Objects by what words say of them: the registry of text-prompted detectors, all of them optional."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..registry import Registry
from .base import Box

DETECTORS = Registry(
    "detector",
    "worldtracing.detectors",
    {
        "sam3": ".editing.sam3_detector:Sam3Detector",
        "grounding-dino": ".editing.grounding_dino_detector:GroundingDinoDetector",
    },
)
"""The better ones first."""


@dataclass(frozen=True)
class DetectorInfo:
    """What is said of a detector where it can be used, and where it could be installed.

    Attributes:
        name: as in `DETECTORS`.
        label: for people.
        licence: of its code and weights.
        gated: whether the weights are given only to those who accept the license where they lie.
    """

    name: str
    label: str
    licence: str
    gated: bool = False


@dataclass(frozen=True, eq=False)
class Detection:
    """Something in the picture that words describe.

    Attributes:
        box: around it, in pixels of the picture.
        score: 0 to 1, how well the words fit.
        mask: (H, W) bool, its pixels; None from a detector that knows boxes alone.
    """

    box: Box
    score: float
    mask: np.ndarray | None = None


class Detector(Protocol):
    """Finds in a picture what words describe."""

    info: DetectorInfo

    def problem(self) -> str:
        """What it lacks on this machine and how to get it, in one sentence; "" where it can be used."""
        ...

    def find(self, rgb: np.ndarray, text: str) -> list[Detection]:
        """What `text`, e.g. "the red mug on the left", describes, the best first; nothing where it is not there.

        Args:
            rgb: (H, W, 3) uint8.

        Raises:
            WorldTracingError: WT-ENV-PACKAGE, WT-MODEL-MISSING.
        """
        ...


def detector_states() -> list[tuple[DetectorInfo, str]]:
    """What each of `DETECTORS` says of itself, and its problem: "" where it can be used."""
    return DETECTORS.states(lambda name: DetectorInfo(name, name, "unknown"))
