"""Objects that words describe, found in a world's photo by a text-prompted detector, where one is installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import blake2b

import numpy as np

from ...backend.worldtracing.editing.detectors import Detection, Detector, DetectorInfo
from ...backend.worldtracing.errors import WorldTracingError
from .. import assistants
from ..core.kept import Kept
from .segmentation import prepare_selection, select
from .world_data import WorldData
from .worlds import WorldObjects

_found = Kept(16)
"""By the photo's colors, detector and words."""


def known_detectors() -> list[tuple[DetectorInfo, str]]:
    """What each detector says of itself, and why it cannot be used; "" where it can, here or in the worker."""
    return [(one.info, one.problem) for one in assistants.known("detector")]


def detector_in_use() -> DetectorInfo | None:
    """The first detector that can be used here."""
    return next((info for info, problem in known_detectors() if not problem), None)


def hint() -> str:
    """How objects could be found by description, in a sentence or two; "" where they are.

    Who was told so may change it, so the worker is asked anew the next time.
    """
    if detector_in_use() is not None:
        return ""
    states = sorted(known_detectors(), key=lambda state: state[0].gated)  # first what anyone may have
    assistants.doubt()
    return next(
        (
            f"{info.label} ({info.licence}) could find it by such words, but {problem[:1].lower()}{problem[1:]}"
            for info, problem in states
        ),
        "",
    )


def search(objects: WorldObjects, data: WorldData, words: str) -> Callable[[], None] | None:
    """Looks for what the words describe, or first for who can, or last in the boxes found, in any thread.

    Call it again after each; None where nothing is to be done.
    """
    info = detector_in_use()
    if info is None:
        return assistants.inquiry("detector")
    key = _key(data.world.rgb, info.name, words)
    if key not in _found:
        return partial(_look, key, data.world.rgb, assistants.detector(info.name))
    for detection in _look(key, data.world.rgb, assistants.detector(info.name)):
        work = None if detection.mask is not None else prepare_selection(objects, [detection.box])
        if work is not None or _is_in_place(_mask(objects, data, detection), data):
            return work
    return None


def described(objects: WorldObjects, data: WorldData, words: str) -> np.ndarray | None:
    """(H, W) bool, of what the words describe that fits best and was not lifted yet; None where there is nothing.

    Raises:
        WorldTracingError: what stops the detector or the segmenter: WT-ENV-PACKAGE, WT-MODEL-MISSING, WT-WORKER-...
    """
    while (work := search(objects, data, words)) is not None:
        work()
    info = detector_in_use()
    if info is None:
        return None
    key = _key(data.world.rgb, info.name, words)
    for detection in _look(key, data.world.rgb, assistants.detector(info.name)):
        mask = _mask(objects, data, detection)
        if _is_in_place(mask, data):
            return mask
    return None


def _is_in_place(mask: np.ndarray, data: WorldData) -> bool:
    """Whether most of what is seen in a mask (H, W) was not lifted yet."""
    return np.count_nonzero(mask & ~(data.owner > 0).any(0)) > 0.5 * np.count_nonzero(mask)


def _mask(objects: WorldObjects, data: WorldData, detection: Detection) -> np.ndarray:
    if detection.mask is not None:
        return detection.mask & data.world.valid.any(0)
    try:
        return select(objects, data, [detection.box])
    except WorldTracingError as error:
        if error.code != "WT-SCENE-PROMPT":
            raise
        return np.zeros(data.world.rgb.shape[:2], bool)


def _look(key: tuple, rgb: np.ndarray, detector: Detector) -> list[Detection]:
    return _found.get(key, partial(detector.find, rgb, key[-1]))


def _key(rgb: np.ndarray, detector: str, words: str) -> tuple:
    return rgb.shape, blake2b(rgb, digest_size=16).digest(), detector, words.casefold()
