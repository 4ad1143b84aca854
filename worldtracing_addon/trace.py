"""One photo on its way into the scene: pixels out of Blender, a job for the worker, the world into the file."""

from __future__ import annotations

import shutil
import tempfile
import traceback
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import bpy

from ..backend.worldtracing.errors import WorldTracingError
from ..backend.worldtracing.files import write_error
from ..backend.worldtracing.worker.protocol import busy
from ..backend.worldtracing.world import LayeredWorld
from . import preferences, saved, state
from .client import errands, session
from .client.job import TraceJob
from .core.jobs import JobState
from .core.settings import TraceSettings, WorkerSettings
from .handoff import Handoff, in_background, write_handoff, write_upright
from .scene import build, render
from .scene.lifted_retrace import Retrace, size_of_lifted
from .scene.photo import find_upright, load_upright, read_pixels, remove_unused_upright
from .scene.worlds import WorldObjects, find_traced
from .work import Work, defect, obstacle

_running: weakref.ref[Trace] | None = None
"""The trace that was started last, while somebody holds it."""


class Trace(Work):
    """A trace under way.

    No reference to Blender data is held between polls but session ids, which outlive undo and renaming. One that
    nobody holds any more, or that another file is opened under, is abandoned.

    Attributes:
        name: the photo's name.
        world: the built world, once done.
        uses_camera: whether the world's camera is the scene's, once done; a retrace leaves another camera there.
        warnings: what went wrong on the way and was made good, once done.
        mask_method: how the foreground was found, as the world's metadata says it, once done.
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
        before_build: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            before_build: called when the world is about to be built.

        Raises:
            WorldTracingError: those of `api.start_trace`.
        """
        global _running
        if is_tracing():
            raise busy()
        self.name = image.name
        self.world: WorldObjects | None = None
        self.uses_camera = True
        self.warnings: list[WorldTracingError] = []
        self.mask_method = ""
        self.notes: list[str] = []
        self._image_uid, self._scene_uid = image.session_uid, scene.session_uid
        self._settings, self._worker_settings = settings, worker_settings
        self._output = (output or preferences.new_result(preferences.results_folder(), image.name)).absolute()
        self._output_existed = self._output.exists()
        pixels, mask_pixels = read_pixels(image), read_pixels(mask) if mask else None
        self._folder = _new_folder()
        self._handoff: Future = in_background(write_handoff, self._folder / "photo.safetensors", pixels, mask_pixels)
        self._before_build = before_build
        self._job: TraceJob | None = None
        self._upright: Future | None = None
        self._loaded: Future | None = None
        self._cancelled = False
        self.state = JobState(stage="Reading the photo")
        _running = weakref.ref(self)

    def __del__(self) -> None:
        self.abandon()

    def poll(self, wait_for_user: bool = True) -> JobState:
        """See `Work.poll`; builds the world when the worker is done."""
        return self._poll(obstacle() if wait_for_user else None)

    def cancel(self) -> None:
        """See `Work.cancel`."""
        self._cancelled = True
        if self._job is not None:
            self._job.cancel()

    def abandon(self) -> None:
        """See `Work.abandon`."""
        if self.state.finished:
            return
        if self._job is not None:
            self._job.abandon()
        self._finish(JobState(status="cancelled"))

    def _poll(self, obstacle: str | None) -> JobState:
        if self.state.finished:
            return self.state
        try:
            self.state = self._advance(obstacle)
        except WorldTracingError as error:
            self.state = JobState(status="failed", error=error)
        except Exception as error:  # a defect must neither freeze the panel nor hide
            traceback.print_exc()
            self.state = JobState(status="failed", error=defect(error))
        if self.state.finished:
            self._finish(self.state)
        return self.state

    def _advance(self, obstacle: str | None) -> JobState:
        if self._job is None:
            if not self._handoff.done():
                return self.state
            handoff: Handoff = self._handoff.result()
            if self._cancelled:
                return JobState(status="cancelled")
            if errands.under_way():
                return JobState(stage=errands.WAITING)
            worker = session.get_worker(self._worker_settings, preferences.worker_log())
            self._job = TraceJob(worker, self._request(handoff))
            self._upright = in_background(write_upright, handoff)
        state = self._job.poll()
        if state.status != "done":
            return state
        if self._cancelled:  # after the worker was done
            self._job.discard_result()
            return JobState(status="cancelled")
        if self._loaded is None:
            size = self._size_of_lifted()
            self._loaded = in_background(lambda: Retrace.prepared(LayeredWorld.load(self._output), size))
        if obstacle or not (self._loaded.done() and self._upright.done()):
            return replace(state, status="running", stage=obstacle or "Building the scene", k=1, n=1)
        self._build(self._loaded.result())
        return state

    def _finish(self, state: JobState) -> None:
        self.state = state
        if state.status == "cancelled" and not self._output_existed:
            saved.discard_seeds(self._output, self._settings)
        for task in (self._handoff, self._upright):
            if task is not None:  # at once if it is done, else when it has written its file
                task.add_done_callback(lambda _, folder=self._folder: shutil.rmtree(folder, ignore_errors=True))

    def _request(self, handoff: Handoff) -> dict:
        settings = self._settings
        return {
            "image": str(handoff.path),
            "name": self.name,
            "output": str(self._output),
            "engine": settings.engine,
            "mode": settings.mode,
            "seed": settings.seed,
            "resolution": settings.resolution,
            "mask": str(handoff.path) if handoff.has_mask else None,
            "fov_degrees": settings.fov_degrees,
            "extra": self._extra(),
        }

    def _extra(self) -> dict:
        """The engine's own options; of several seeds all worlds are kept beside the result."""
        extra = dict(self._settings.extra)
        if "seeds" in extra:
            extra.setdefault("keep_seeds", str(self._output.with_suffix("")))
        return extra

    def _size_of_lifted(self) -> tuple[int, int] | None:
        """As `lifted_retrace` has it, of the world that is to be replaced."""
        scene = _find(bpy.data.scenes, self._scene_uid)
        before = scene and find_traced(scene, self.name, _find(bpy.data.images, self._image_uid))
        return size_of_lifted(before) if before else None

    def _build(self, retrace: Retrace) -> None:
        world = retrace.world
        self.mask_method = world.metadata.get("mask_method", "")
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
        self._before_build()
        before = find_traced(scene, self.name, image)
        self.uses_camera = before is None or scene.camera is None or scene.camera == before.camera
        self.world = self._build_with(scene, retrace, image)
        if self._settings.match_photo and self.uses_camera:
            try:
                render.match_photo(scene)
            except WorldTracingError as error:  # the world is built all the same
                self.warnings.append(error)

    def _build_with(self, scene: bpy.types.Scene, retrace: Retrace, image: bpy.types.Image | None) -> WorldObjects:
        """Build the world; of a photo that Blender shows lying, its upright copy stands behind the camera."""
        photo, copy = image, None
        if image is not None and (file := self._upright.result()) is not None:
            sha256 = self._handoff.result().sha256
            photo = find_upright(image, sha256) or (copy := load_upright(image, file, sha256))
        options = build.BuildOptions(use_camera=self.uses_camera, division=retrace.division)
        try:
            built = build.build_world(
                scene,
                retrace.world,
                name=self.name,
                photo=photo,
                source=str(self._output),
                options=options,
                warn=self.warnings.append,
            )
        except BaseException:
            if copy is not None:
                bpy.data.images.remove(copy)
            raise
        saved.finish(built, retrace.world.metadata, self._output)
        if image is not None:
            remove_unused_upright(image)
        return built


def is_tracing() -> bool:
    """Whether a trace is under way."""
    running = _running and _running()
    return running is not None and not running.state.finished


def abandon_running() -> None:
    """Abandon the trace under way, if there is one: the add-on is switched off, or another file was opened."""
    trace = _running and _running()
    if trace is not None:
        trace.abandon()


def _new_folder() -> Path:
    """For the files that are handed to the worker, inside Blender's own temporary folder."""
    try:
        return Path(tempfile.mkdtemp(prefix="world-tracing-", dir=bpy.app.tempdir))
    except OSError as error:
        raise write_error(bpy.app.tempdir, error) from error


def _find(blocks, session_uid: int):
    return next((block for block in blocks if block.session_uid == session_uid), None)


@bpy.app.handlers.persistent
def _on_file_opened(*_) -> None:
    abandon_running()
    state.reset()


def register() -> None:
    bpy.app.handlers.load_post.append(_on_file_opened)


def unregister() -> None:
    abandon_running()
    bpy.app.handlers.load_post.remove(_on_file_opened)
