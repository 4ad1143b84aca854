"""Correcting a segmentation: merge, split and rename; each returns a new one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..errors import WorldTracingError
from .base import Segmentation


def merge(segmentation: Segmentation, labels: Iterable[int]) -> Segmentation:
    """Several objects as one, which keeps the lowest label and its name; later labels move up."""
    labels = sorted(set(labels))
    for label in labels:
        _check(segmentation, label)
    kept = [k for k in range(1, len(segmentation.names) + 1) if k not in labels[1:]]
    number = np.zeros(len(segmentation.names) + 1, np.int32)
    number[kept] = np.arange(1, len(kept) + 1)
    number[labels[1:]] = number[labels[0]]
    names = tuple(segmentation.names[k - 1] for k in kept)
    return replace(segmentation, labels=number[segmentation.labels], names=names)


def split(segmentation: Segmentation, label: int, mask: np.ndarray) -> Segmentation:
    """The pixels of one object that lie in a mask, (H, W) bool, as a new object with the last label.

    Label 0 makes an object of what was none, supports included. An object wholly or not at all in the mask stays.
    """
    if label:
        _check(segmentation, label)
    part = mask & (segmentation.labels == label)
    if not part.any() or (label and (part == (segmentation.labels == label)).all()):
        return segmentation
    count = len(segmentation.names) + 1
    names = (*segmentation.names, _free_name(segmentation.names, f"Object {count}"))
    return replace(segmentation, labels=np.where(part, np.int32(count), segmentation.labels), names=names)


def rename(segmentation: Segmentation, label: int, name: str) -> Segmentation:
    """One object under another name; a number is added where the name is taken."""
    _check(segmentation, label)
    names = list(segmentation.names)
    names[label - 1] = ""
    names[label - 1] = _free_name(names, name.strip() or f"Object {label}")
    return replace(segmentation, names=tuple(names))


def _check(segmentation: Segmentation, label: int) -> None:
    if not 1 <= label <= len(segmentation.names):
        raise WorldTracingError(
            "WT-SCENE-LABEL",
            f"There is no object number {label}.",
            f"Choose one of the {len(segmentation.names)} objects of this segmentation.",
        )


def _free_name(names: Iterable[str], name: str) -> str:
    taken = {other.casefold() for other in names}
    free, number = name, 2
    while free.casefold() in taken:
        free, number = f"{name} {number}", number + 1
    return free
