"""Segmenters, detectors and painters, wherever they can run: in Blender's Python, or in the backend's by the worker.

The functions are for the main thread. What they return may be used in any thread, which waits for the answer; a main
thread that does so waits as well, and needs no timers.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..backend.worldtracing.editing.assistants import (
    KINDS,
    prompts_to_json,
    read_detections,
    read_mask,
    read_painted,
    save_painting,
    save_picture,
)
from ..backend.worldtracing.editing.base import Prompt, Segmentation, Segmenter
from ..backend.worldtracing.editing.detectors import Detection, Detector
from ..backend.worldtracing.editing.graph_segmenter import GraphSegmenter
from ..backend.worldtracing.editing.painters import Painter
from ..backend.worldtracing.progress import OnProgress, silent
from ..backend.worldtracing.worker import protocol
from ..backend.worldtracing.world import LayeredWorld
from . import backend, background, preferences
from .client import errands, session
from .core.assistants import KnownAssistant, known_assistants
from .handoff import new_folder

_doubted: list[protocol.Message] | None = None
"""A reply of the worker of which only the good half counts."""


def known(kind: str) -> list[KnownAssistant]:
    """The assistants of a kind, "segmenter", "detector" or "painter", as far as is known without starting a worker."""
    told = session.worker_assistants()
    return known_assistants(kind, told, _worker_has_other_python(), told is not None and told is _doubted)


def inquiry(kind: str) -> Callable[[], None] | None:
    """What finds out which assistants the worker has, for any thread; None where that is known, it is busy, or its
    environment may be changing."""
    busy = (session.is_busy() and not errands.under_way()) or background.task() is not None
    if busy or not any(one.place == "unasked" for one in known(kind)):
        return None
    return partial(errands.ask, preferences.worker_settings(), preferences.worker_log())


def doubt() -> None:
    """Have the worker asked again about what it has lacked: the user was just told of it, and may change it."""
    global _doubted
    _doubted = session.worker_assistants()


def segmenter(name: str) -> Segmenter:
    """The segmenter called `name`.

    Raises:
        WorldTracingError: WT-MODEL-UNKNOWN, WT-MODEL-BROKEN.
    """
    return _assistant("segmenter", name, WorkerSegmenter)


def detector(name: str) -> Detector:
    """The detector called `name`.

    Raises:
        WorldTracingError: WT-MODEL-UNKNOWN, WT-MODEL-BROKEN.
    """
    return _assistant("detector", name, WorkerDetector)


def painter(name: str) -> Painter:
    """The painter called `name`.

    Raises:
        WorldTracingError: WT-MODEL-UNKNOWN, WT-MODEL-BROKEN.
    """
    return _assistant("painter", name, WorkerPainter)


def _assistant(kind: str, name: str, in_worker: Callable[[KnownAssistant], Any]) -> Any:
    one = next((one for one in known(kind) if one.info.name == name), None)
    # What the worker lacks is told best by itself: it may have got it since it was asked.
    if one is not None and one.place != "here" and _worker_has_other_python():
        return in_worker(one)
    return KINDS[kind].registry.load(name)()


def _worker_has_other_python() -> bool:
    """Whether the worker runs on another computer, or in a backend; without looking at the disk each time."""
    chosen = preferences.get_preferences()
    if chosen is None:
        return False
    own = not chosen.in_process and bool(chosen.python or backend.shown_state().python)
    return own or bool(preferences.remote_worker())


class _InWorker:
    """What assistants have in common that the worker runs."""

    kind: str

    def __init__(self, known: KnownAssistant) -> None:
        self.info = known.info
        self._problem = known.problem
        self._settings, self._log = preferences.worker_settings(), preferences.worker_log()
        self._folder = preferences.own_folder("questions")

    def problem(self) -> str:
        """See `Segmenter.problem`; as far as was known when this was made."""
        return self._problem

    def _ask(
        self,
        write: Callable[[Path], Path],
        read: Callable[[Path], Any],
        on_progress: OnProgress = silent,
        **fields: Any,
    ) -> Any:
        """What the worker's assistant answers to a file and further fields of the request."""
        folder = new_folder(self._folder)
        given = {name: value for name, value in fields.items() if value}  # the protocol knows no empty texts
        try:
            answer = folder / "answer.safetensors"
            question = {"kind": self.kind, "plugin": self.info.name, "input": str(write(folder / "input.safetensors"))}
            errands.run(self._settings, self._log, {**question, "output": str(answer), **given}, on_progress)
            return read(answer)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class WorkerSegmenter(_InWorker):
    """A segmenter that the worker asks about marks; all objects at once are those of the geometry, found here."""

    kind = "segmenter"

    def segment(self, world: LayeredWorld, on_progress: OnProgress = silent) -> Segmentation:
        """See `Segmenter.segment`; as `GraphSegmenter` does it."""
        return GraphSegmenter().segment(world, on_progress)

    def select(
        self, world: LayeredWorld, prompts: Sequence[Prompt], segmentation: Segmentation | None = None
    ) -> np.ndarray:
        """See `Segmenter.select`.

        Raises:
            WorldTracingError: those of the segmenter, WT-WORKER-BUSY and other codes of the worker.
            Cancelled: see `errands.cancel`.
        """
        read = partial(read_mask, width=world.width, height=world.height)
        return self._ask(world.save, read, prompts=prompts_to_json(prompts))


class WorkerDetector(_InWorker):
    """A detector that the worker asks."""

    kind = "detector"

    def find(self, rgb: np.ndarray, text: str) -> list[Detection]:
        """See `Detector.find`.

        Raises:
            WorldTracingError: those of the detector, WT-WORKER-BUSY and other codes of the worker.
            Cancelled: see `errands.cancel`.
        """
        read = partial(read_detections, width=rgb.shape[1], height=rgb.shape[0])
        return self._ask(partial(save_picture, rgb), read, text=text)


class WorkerPainter(_InWorker):
    """A painter that the worker asks."""

    kind = "painter"

    def paint(
        self,
        rgb: np.ndarray,
        unknown: np.ndarray,
        text: str = "",
        seed: int = 0,
        on_progress: OnProgress = silent,
        source: np.ndarray | None = None,
    ) -> np.ndarray:
        """See `Painter.paint`.

        Raises:
            WorldTracingError: those of the painter, WT-WORKER-BUSY and other codes of the worker.
            Cancelled: see `errands.cancel`.
        """
        write = partial(save_painting, rgb, unknown, source, seed)
        read = partial(read_painted, width=rgb.shape[1], height=rgb.shape[0])
        return self._ask(write, read, on_progress, text=text)
