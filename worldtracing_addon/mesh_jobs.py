"""Meshes on their way into the scene: points out of Blender, jobs for the worker, meshes into the file."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np

from ..backend.worldtracing.errors import WorldTracingError
from ..backend.worldtracing.export.png import png_bytes
from ..backend.worldtracing.meshing.textured import TexturedMesh
from ..backend.worldtracing.worker import protocol
from ..backend.worldtracing.worker.protocol import busy
from . import preferences
from .client import errands, session
from .client.job import TraceJob
from .core import jobs
from .core.generators import MeshSettings, known_generators
from .core.jobs import WORKER_GONE, JobState
from .core.settings import WorkerSettings
from .handoff import in_background, new_folder
from .mesh_properties import declare_options
from .scene.meshes import build_mesh, read_points
from .scene.objects import lifted_objects
from .scene.textured_material import TRANSPARENT
from .scene.worlds import ITEM, WorldObjects
from .trace import is_tracing
from .work import Work, defect, obstacle

ONE_OBJECT = ("WT-MESH-EMPTY", "WT-MESH-THIN", "WT-MESH-HIDDEN", "WT-MESH-FAILED", "WT-MESH-RESULT", "WT-MEM-MESH",
              "WT-SCENE-", "WT-WORKER-FAILED", "WT-WORKER-DIED")  # fmt: skip
"""Starts of the codes of what may be one object's trouble. All else would befall every object, and ends the work."""

CANCEL_SECONDS = 1.5
"""A worker that goes on for so long after a cancel is killed: large meshes have steps that take longer."""


@dataclass(frozen=True)
class MeshFailure:
    """An object of which no mesh could be made, and why."""

    name: str
    error: WorldTracingError


class MeshWork(Work):
    """Meshes under way, one after the other; no reference to Blender data is held between polls.

    Attributes:
        state: of the mesh under way; of several, its stage is told as that of "Object k of n".
        failures: of several objects, those that failed so far; a single one's failure is the work's.
    """

    def __init__(
        self,
        world: WorldObjects,
        items: Sequence[bpy.types.Object | None],
        settings: MeshSettings,
        worker_settings: WorkerSettings,
    ) -> None:
        """
        Args:
            items: lifted objects, or None for the world itself.

        Raises:
            WorldTracingError: WT-WORKER-BUSY.
        """
        if is_tracing() or session.is_busy():
            raise busy()
        self.failures: list[MeshFailure] = []
        self._world, self._settings, self._worker_settings = world, settings, worker_settings
        self._targets = [(None, world.name) if item is None else (item[ITEM], item.name) for item in items]
        self._index = 0
        self._made: list[int] = []  # session ids, which outlive undo
        self._folder: Path | None = None
        self._points: Future | None = None
        self._job: TraceJob | None = None
        self._loaded: Future | None = None
        self._cancelled = False
        self.state = JobState(stage="Reading the points")

    def __del__(self) -> None:
        self.abandon()

    @property
    def meshes(self) -> list[bpy.types.Object]:
        """What was made so far, without what the artist has undone or deleted."""
        found = {part.session_uid: part for part in bpy.data.objects}
        return [found[uid] for uid in self._made if uid in found]

    def poll(self, wait_for_user: bool = True) -> JobState:
        """See `Work.poll`; builds each mesh when the worker has made it."""
        if self.state.finished:
            return self.state
        try:
            inner = self._advance(obstacle() if wait_for_user else None)
        except WorldTracingError as error:
            inner = JobState(status="failed", error=error)
        except Exception as error:  # a defect must neither freeze the panel nor hide
            traceback.print_exc()
            inner = JobState(status="failed", error=defect(error, "mesh"))
        if inner.finished:
            self._end_one(inner)
        else:
            self.state = replace(inner, stage=self._say(inner.stage))
        return self.state

    def cancel(self) -> None:
        """See `Work.cancel`."""
        self._cancelled = True
        if self._job is not None:
            self._job.cancel()

    def abandon(self) -> None:
        if self.state.finished:
            return
        if self._job is not None:
            self._job.abandon()
        self._discard_folder()
        self.state = JobState(status="cancelled")

    def _advance(self, waits_for: str | None) -> JobState:
        """The state of the mesh whose turn it is."""
        if self._points is None:
            if self._cancelled:
                return JobState(status="cancelled")
            if waits_for:
                return JobState(stage=waits_for)
            points = read_points(self._world, self._item())
            self._folder = new_folder(preferences.own_folder("meshes"))
            self._points = in_background(points.save, self._folder / "points.safetensors")
        if self._job is None:
            if not self._points.done():
                return JobState(stage="Reading the points")
            if self._cancelled:
                return JobState(status="cancelled")
            if errands.under_way():
                return JobState(stage=errands.WAITING)
            worker = session.get_worker(self._worker_settings, preferences.worker_log())
            request = {"world": str(self._points.result()), "output": str(self._folder / "mesh.safetensors")}
            self._job = TraceJob(worker, request | self._settings.request(), protocol.mesh, CANCEL_SECONDS)
        state = self._job.poll()
        if state.status != "done":
            return state
        if self._cancelled:
            return JobState(status="cancelled")
        if self._loaded is None:
            self._loaded = in_background(_load, state.result.path)
        if waits_for or not self._loaded.done():
            return replace(state, status="running", stage=waits_for or "Reading the mesh", k=1, n=1)
        self._build(*self._loaded.result())
        return state

    def _build(self, mesh: TexturedMesh, pictures: dict[str, bytes]) -> None:
        name = self._settings.generator
        known = known_generators(session.worker_generators())
        label = next((one.info.label for one in known if one.info.name == name), name)
        made = build_mesh(self._world, self._item(), mesh, pictures, name, label, self._settings.replace)
        self._made.append(made.session_uid)

    def _end_one(self, state: JobState) -> None:
        self._discard_folder()
        self._points = self._job = self._loaded = None
        if state.status == "failed" and len(self._targets) > 1:
            self.failures.append(MeshFailure(self._targets[self._index][1], state.error))
            if not state.error.code.startswith(ONE_OBJECT):
                self.state = state
                return
        elif state.status != "done":
            self.state = state
            return
        self._index += 1
        done = self._index == len(self._targets)
        self.state = JobState(status="done") if done else JobState(stage=self._say("Reading the points"))

    def _item(self) -> bpy.types.Object | None:
        """The lifted object whose turn it is."""
        identity, name = self._targets[self._index]
        found = {item[ITEM]: item for item in lifted_objects(self._world)}
        if self._world.root is None or (identity is not None and identity not in found):
            raise WorldTracingError(
                "WT-SCENE-EMPTY", f"{name} was deleted before its mesh was made.", "Undo that, and make the mesh again."
            )
        return found.get(identity)

    def _discard_folder(self) -> None:
        folder, self._folder = self._folder, None
        if folder is None:
            return
        for task in (self._points, self._loaded):  # at once where it is done, else when it has read or written
            if task is not None:
                task.add_done_callback(lambda _: shutil.rmtree(folder, ignore_errors=True))

    def _say(self, stage: str) -> str:
        stage = stage or "Starting the worker"
        return stage if len(self._targets) == 1 else f"Object {self._index + 1} of {len(self._targets)}: {stage}"


class GeneratorCheck(Work):
    """A look at the health of the worker's generators; done when `session.worker_generators` tells of it."""

    def __init__(self, worker_settings: WorkerSettings, options: Mapping[str, Mapping]) -> None:
        """
        Args:
            options: by generator, its own to check it with.

        Raises:
            WorldTracingError: WT-WORKER-BUSY, WT-WORKER-NO-PYTHON.
        """
        if is_tracing():
            raise busy()
        self._worker = session.get_worker(worker_settings, preferences.worker_log())
        self._worker.claim()
        self._worker.generators, self._sent = None, False
        self._options = options
        self.state = JobState(stage="Looking for mesh generators")

    def __del__(self) -> None:
        self.abandon()

    def poll(self, wait_for_user: bool = True) -> JobState:
        if self.state.finished:
            return self.state
        for message in self._worker.poll():
            if message["type"] == WORKER_GONE:
                self._finish(jobs.fold(self.state, "", message, time.monotonic()))
        if self._worker.hello is not None and not self._sent:
            self._sent = True
            self._worker.send(protocol.generators_request("generators", self._options))
        if self._worker.generators is not None:
            self._finish(JobState(status="done"))
            declare_options()
        return self.state

    def cancel(self) -> None:
        """Stop listening; the worker answers for nobody."""
        self.abandon()

    def abandon(self) -> None:
        if not self.state.finished:
            self._finish(JobState(status="cancelled"))

    def _finish(self, state: JobState) -> None:
        self._worker.busy = False
        self.state = state


def _load(path: Path) -> tuple[TexturedMesh, dict[str, bytes]]:
    """A mesh, and PNG files of its maps as `textured_material` wants them; runs in a thread."""
    mesh = TexturedMesh.load(path)
    opaque = bool((mesh.base_color[..., 3] == 255).all())
    pictures = {"base_color" if opaque else TRANSPARENT: png_bytes(mesh.base_color[..., : 3 if opaque else 4])}
    for name in ("metallic", "roughness", "normal"):
        values = getattr(mesh, name)
        if values is not None:
            pictures[name] = png_bytes(values if values.ndim == 3 else np.repeat(values[..., None], 3, -1))
    return mesh, pictures
