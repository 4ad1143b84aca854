"""Objects that words describe, found in a world's photo by a text-prompted detector, where one is installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from ...backend.worldtracing.editing.detectors import DETECTORS, Detection, DetectorInfo, detector_states
from ...backend.worldtracing.errors import WorldTracingError
from .segmentation import select
from .world_data import WorldData
from .worlds import WorldObjects

KEPT = 16
"""Searches that are remembered."""

_found: dict[tuple, list[Detection]] = {}
"""By world, session ids of its layers' meshes (which a retrace changes), detector and words."""


@cache
def known_detectors() -> list[tuple[DetectorInfo, str]]:
    """What each detector says of itself, and why it cannot be used; "" where it can. Looked up once per session."""
    return detector_states()


def detector_in_use() -> DetectorInfo | None:
    """The first detector that can be used here."""
    return next((info for info, problem in known_detectors() if not problem), None)


def hint() -> str:
    """How objects could be found by description, in one sentence; "" where they are."""
    if detector_in_use() is not None:
        return ""
    states = sorted(known_detectors(), key=lambda state: state[0].gated)  # first what anyone may have
    return next(
        (
            f"{info.label} ({info.licence}) could find it by such words, but {problem[:1].lower()}{problem[1:]}"
            for info, problem in states
        ),
        "",
    )


def search(objects: WorldObjects, data: WorldData, words: str) -> Callable[[], None] | None:
    """Looks for what the words describe, in any thread; None where that is known already, or nothing can look."""
    key = _key(objects, words)
    return partial(_look, key, data.world.rgb) if key and key not in _found else None


def described(objects: WorldObjects, data: WorldData, words: str) -> np.ndarray | None:
    """(H, W) bool, of what the words describe that fits best and was not lifted yet; None where there is nothing.

    Raises:
        WorldTracingError: what stops the detector or the segmenter: WT-ENV-PACKAGE, WT-MODEL-MISSING.
    """
    look = search(objects, data, words)
    if look is not None:
        look()
    taken = (data.owner > 0).any(0)
    for detection in _found.get(_key(objects, words), ()):
        mask = _mask(objects, data, detection)
        if np.count_nonzero(mask & ~taken) > 0.5 * np.count_nonzero(mask):
            return mask
    return None


def _mask(objects: WorldObjects, data: WorldData, detection: Detection) -> np.ndarray:
    if detection.mask is not None:
        return detection.mask & data.world.valid.any(0)
    try:
        return select(objects, data, [detection.box])
    except WorldTracingError as error:
        if error.code != "WT-SCENE-PROMPT":
            raise
        return np.zeros(data.world.rgb.shape[:2], bool)


def _key(objects: WorldObjects, words: str) -> tuple | None:
    detector = detector_in_use()
    meshes = tuple(part.data.session_uid for part in objects.point_layers)
    return detector and (objects.id, meshes, detector.name, words.casefold())


def _look(key: tuple, rgb: np.ndarray) -> None:
    *_, name, words = key
    found = DETECTORS.load(name)().find(rgb, words)
    while len(_found) >= KEPT:
        _found.pop(next(iter(_found)), None)
    _found[key] = found
