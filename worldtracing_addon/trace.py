"""One photo on its way into the scene: pixels out of Blender, a job for the worker, the world into the file."""

from __future__ import annotations

import shutil
import tempfile
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import bpy

from ..backend.worldtracing.errors import WorldTracingError
from ..backend.worldtracing.image import resize_mask, save_pixels
from ..backend.worldtracing.world import LayeredWorld
from . import preferences
from .client import session
from .client.job import TraceJob
from .core.jobs import JobState
from .core.settings import TraceSettings, WorkerSettings
from .scene import build, render
from .scene.photo import RawPixels, read_pixels, upright_image
from .scene.worlds import WorldObjects

POLL_SECONDS = 0.02

_executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="world-tracing")
_running: Trace | None = None


class Trace:
    """A trace under way. Call `poll` on the main thread until `state.finished`, or `wait`.

    No reference to Blender data is held between polls but session ids, which outlive undo and renaming.

    Attributes:
        name: the photo's name.
        state: what was last known of the job.
        world: the built world, once done.
        warnings: what went wrong on the way and was made good, once done.
        notes: what the engine says of how it went, once done.
    """

    def __init__(
        self,
        image: bpy.types.Image,
        mask: bpy.types.Image | None,
        scene: bpy.types.Scene,
        settings: TraceSettings,
        output: Path | None,
        worker_settings: WorkerSettings,
    ) -> None:
        global _running
        if _running is not None and not _running.state.finished:
            raise WorldTracingError(
                "WT-WORKER-BUSY", "Another trace is still running.", "Wait until it is done, or cancel it."
            )
        self.name = image.name
        self.state = JobState(stage="Reading the photo")
        self.world: WorldObjects | None = None
        self.warnings: list[WorldTracingError] = []
        self.notes: list[str] = []
        self._image_uid, self._scene_uid = image.session_uid, scene.session_uid
        self._settings, self._worker_settings = settings, worker_settings
        self._output = (output or _new_output(image)).absolute()
        pixels, mask_pixels = read_pixels(image), read_pixels(mask) if mask else None
        self._handoff = Path(tempfile.mkdtemp(prefix="world-tracing-", dir=bpy.app.tempdir)) / "photo.safetensors"
        self._prepared: Future = _executor.submit(_write_handoff, self._handoff, pixels, mask_pixels)
        self._job: TraceJob | None = None
        self._cancelled = False
        _running = self

    def poll(self) -> JobState:
        """Move on as far as possible without waiting; builds the world when the worker is done."""
        if self.state.finished:
            return self.state
        try:
            self.state = self._advance()
        except WorldTracingError as error:
            self.state = JobState(status="failed", error=error)
        except Exception as error:  # a defect must neither freeze the panel nor hide
            traceback.print_exc()
            self.state = JobState(status="failed", error=_defect(error))
        if self.state.finished:
            self._finish(self.state)
        return self.state

    def wait(self, on_progress: Callable[[JobState], None] | None = None) -> JobState:
        """Poll until finished; timers do not fire without a window, so this pumps by itself."""
        while not self.poll().finished:
            if on_progress is not None:
                on_progress(self.state)
            time.sleep(POLL_SECONDS)
        return self.state

    def cancel(self) -> None:
        """Ask the worker to stop; keep polling until the state is finished."""
        self._cancelled = True
        if self._job is not None:
            self._job.cancel()

    def abandon(self) -> None:
        """Cancel without ever polling again: the file is being closed, or Blender."""
        if self._job is not None:
            self._job.abandon()
        self._finish(JobState(status="cancelled"))

    def _advance(self) -> JobState:
        if self._job is None:
            if not self._prepared.done():
                return self.state
            self._prepared.result()
            if self._cancelled:
                return JobState(status="cancelled")
            self._job = TraceJob(session.get_worker(self._worker_settings, preferences.worker_log()), self._request())
        state = self._job.poll()
        if state.status == "done":
            self._build()
        return state

    def _finish(self, state: JobState) -> None:
        self.state = state
        shutil.rmtree(self._handoff.parent, ignore_errors=True)

    def _request(self) -> dict:
        settings = self._settings
        return {
            "image": str(self._handoff),
            "name": self.name,
            "output": str(self._output),
            "engine": settings.engine,
            "mode": settings.mode,
            "seed": settings.seed,
            "resolution": settings.resolution,
            "mask": str(self._handoff) if self._prepared.result() else None,
            "fov_degrees": settings.fov_degrees,
            "extra": self._extra(),
        }

    def _extra(self) -> dict:
        """The engine's own options; of several seeds all worlds are kept beside the result."""
        extra = dict(self._settings.extra)
        if "seeds" in extra:
            extra.setdefault("keep_seeds", str(self._output.with_suffix("")))
        return extra

    def _build(self) -> None:
        world = LayeredWorld.load(self._output)
        self.notes = list(world.metadata.get("notes", []))
        scene = _find(bpy.data.scenes, self._scene_uid)
        if scene is None:
            raise WorldTracingError(
                "WT-SCENE-GONE",
                f"The scene was deleted during the trace; the traced world is saved in {self._output}.",
                "Build it in another scene with api.build_from_file.",
            )
        image = _find(bpy.data.images, self._image_uid)
        if image is None:
            self.warnings.append(
                WorldTracingError(
                    "WT-SCENE-IMAGE-GONE",
                    f"The image {self.name!r} was deleted during its trace, so the world carries its own copy.",
                    "Open the photo again where you need it in full size.",
                )
            )
        photo = upright_image(image) if image is not None else None
        self.world = build.build_world(scene, world, name=self.name, photo=photo, source=str(self._output))
        if self._settings.match_photo:
            render.match_photo(scene)


def _write_handoff(path: Path, photo: RawPixels, mask: RawPixels | None) -> bool:
    """Write the pixels for the worker; whether they include a mask."""
    rgb, alpha = photo.to_photo()
    mask_values = None
    if mask is not None:
        mask_rgb, mask_alpha = mask.to_photo()
        grey = mask_alpha if mask_alpha is not None else mask_rgb.max(-1)
        mask_values = resize_mask(grey > 127, rgb.shape[1], rgb.shape[0])
    save_pixels(path, rgb, alpha, mask_values, focal_35mm=photo.exif.focal_35mm)
    return mask is not None


def _new_output(image: bpy.types.Image) -> Path:
    stem = bpy.path.clean_name(Path(image.name).stem)
    return preferences.results_folder() / f"{stem}-{datetime.now():%Y%m%d-%H%M%S}.safetensors"


def _defect(error: Exception) -> WorldTracingError:
    return WorldTracingError(
        "WT-SCENE-FAILED",
        f"The trace could not be finished ({type(error).__name__}: {error}).",
        "Trace again; if it happens again, report it with the text in Blender's system console.",
    )


def _find(blocks, session_uid: int):
    return next((block for block in blocks if block.session_uid == session_uid), None)
