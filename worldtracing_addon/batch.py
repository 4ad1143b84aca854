"""A folder of photos, traced one after the other."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from ..backend.worldtracing.errors import WorldTracingError
from ..backend.worldtracing.worker.protocol import busy
from . import preferences
from .core.jobs import JobState
from .core.settings import TraceSettings
from .scene.photo import load_image
from .scene.visibility import set_shown
from .scene.worlds import WorldObjects
from .trace import Trace, is_tracing
from .work import Work, defect

PICTURES = {".bmp", ".exr", ".hdr", ".jpeg", ".jpg", ".png", ".tga", ".tif", ".tiff", ".webp"}

ONE_PHOTO = ("WT-IMG-", "WT-SCENE-", "WT-MEM-", "WT-MODEL-NO-POINTS", "WT-MODEL-NAN", "WT-WORKER-DIED",
             "WT-WORKER-FAILED", "WT-IO-READ")  # fmt: skip
"""Starts of the codes of what may be one photo's trouble. All else would befall every photo, and ends the batch."""


@dataclass(frozen=True)
class Failure:
    """A photo that could not be traced, and why."""

    path: Path
    error: WorldTracingError


def find_pictures(folder: str | Path) -> list[Path]:
    """The pictures in a folder, without those in folders below it, by name.

    Raises:
        WorldTracingError: WT-IMG-NO-PICTURES where there are none.
    """
    folder = Path(folder)
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.is_file())
    except OSError:
        found = []
    if not found:
        raise _no_pictures(f"There are no pictures in the folder {folder}.")
    return found


def _no_pictures(sentence: str) -> WorldTracingError:
    return WorldTracingError("WT-IMG-NO-PICTURES", sentence, "Choose a folder with PNG, JPEG, WebP, TIFF or EXR files.")


class Batch(Work):
    """A batch under way.

    Of several photos only the world traced last is shown; the others are there, their collections excluded.

    Attributes:
        state: of the trace under way, its stage told as that of "Photo k of n". Done when every photo has had its turn.
        worlds: built so far.
        failures: so far.
    """

    def __init__(self, paths: Sequence[str | Path], scene: bpy.types.Scene, settings: TraceSettings) -> None:
        if not paths:
            raise _no_pictures("No photos were given.")
        if is_tracing():
            raise busy()
        self.state = JobState(stage="Starting")
        self.worlds: list[WorldObjects] = []
        self.failures: list[Failure] = []
        self._paths = [Path(path) for path in paths]
        self._index = 0
        self._scene_uid = scene.session_uid
        self._settings = settings
        self._trace: Trace | None = None
        self._image_uid: int | None = None
        self._cancelled = False
        self._start()

    def poll(self, wait_for_user: bool = True) -> JobState:
        """See `Work.poll`."""
        if self.state.finished:
            return self.state
        if self._trace is None:
            if self._cancelled:
                self.state = JobState(status="cancelled")
            else:
                self._start()
            return self.state
        inner = self._trace.poll(wait_for_user)
        if not inner.finished:
            self.state = replace(inner, stage=self._say(inner.stage or "starting"))
        elif inner.status == "cancelled":
            self.state = inner
        elif inner.status == "failed":
            self._fail(inner.error)
        else:
            self.worlds.append(self._trace.world)
            set_shown(self._trace.world, True)  # it may have been hidden by an earlier batch
            self._free_pixels()
            self._next()
        return self.state

    def cancel(self) -> None:
        """See `Work.cancel`."""
        self._cancelled = True
        if self._trace is not None:
            self._trace.cancel()

    def abandon(self) -> None:
        """See `Work.abandon`."""
        if self._trace is not None:
            self._trace.abandon()
        if not self.state.finished:
            self.state = JobState(status="cancelled")

    def _start(self) -> None:
        """Begin the trace whose turn it is."""
        path = self._paths[self._index]
        known = set(bpy.data.images)
        image = None
        self.state = JobState(status="running", stage=self._say("reading"))
        try:
            image = load_image(path)
            self._image_uid = image.session_uid
            self._trace = Trace(
                image=image,
                mask=None,
                scene=_scene(self._scene_uid),
                settings=self._settings,
                output=None,
                worker_settings=preferences.worker_settings(),
                before_build=self._hide_last,
            )
        except Exception as error:
            if image is not None and image not in known:
                bpy.data.images.remove(image)
            if not isinstance(error, WorldTracingError):  # a defect must neither end the batch nor hide
                traceback.print_exc()
                error = defect(error)
            self._fail(error)

    def _fail(self, error: WorldTracingError) -> None:
        self.failures.append(Failure(self._paths[self._index], error))
        if self.worlds:
            set_shown(self.worlds[-1], True)
        if error.code.startswith(ONE_PHOTO):
            self._next()
        else:
            self.state = JobState(status="failed", error=error)

    def _next(self) -> None:
        self._trace = None
        self._index += 1
        if self._index == len(self._paths):
            self.state = JobState(status="done")

    def _free_pixels(self) -> None:
        """Let Blender forget the photo's pixels until it shows them: those of a whole folder would fill the memory."""
        for image in bpy.data.images:
            if image.session_uid == self._image_uid and not image.is_dirty:
                image.buffers_free()

    def _hide_last(self) -> None:
        if self.worlds:
            set_shown(self.worlds[-1], False)

    def _say(self, stage: str) -> str:
        return f"Photo {self._index + 1} of {len(self._paths)}: {stage}"


def _scene(session_uid: int) -> bpy.types.Scene:
    for scene in bpy.data.scenes:
        if scene.session_uid == session_uid:
            return scene
    raise WorldTracingError(
        "WT-SCENE-GONE", "The scene was deleted during the batch.", "Trace the folder in another scene."
    )
