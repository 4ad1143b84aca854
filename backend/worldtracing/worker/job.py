"""One trace, mesh or assist request inside the worker: progress out, cancel in, every failure an error message."""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from ..editing.assistants import Assistants, AssistRequest
from ..engines.base import Engine, create_engine
from ..errors import Cancelled, WorldTracingError, last_line
from ..files import check_writable, temporary_path
from ..meshing.making import MeshRequest, make_mesh
from ..tracing import TraceRequest, trace_photo
from . import protocol

PROGRESS_INTERVAL_SECONDS = 1 / 30


class Engines:
    """Engine instances by name, kept between jobs so that weights are loaded once."""

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}

    def get(self, name: str) -> Engine:
        if name not in self._engines:
            self._engines[name] = create_engine(name)
        return self._engines[name]

    def names(self) -> list[str]:
        return list(self._engines)

    def free_memory(self) -> None:
        for engine in self._engines.values():
            engine.free_memory()


class Job:
    """A request for a file that runs once. `run` belongs to one thread, all else may be called from another."""

    def __init__(self, request: protocol.Request, send: Callable[[protocol.Message], None]) -> None:
        values = dict(request.values)
        self.id = request.id
        self._type = request.type
        self.output = Path(values.pop("output"))
        self._values = values
        self._send = send
        self._cancelled = threading.Event()
        self._started = time.monotonic()
        self._sent_at = 0.0
        self._step = ("", 0, 0)

    def cancel(self) -> None:
        """Stop before the next step."""
        self._cancelled.set()

    def remove_temporary(self) -> None:
        """Remove the half-written result, for a worker that must leave in the middle."""
        with contextlib.suppress(OSError):
            temporary_path(self.output).unlink(missing_ok=True)

    def facts(self) -> protocol.Message:
        """What `status` says of this job."""
        stage, k, n = self._step
        return {"id": self.id, "stage": stage, "k": k, "n": n, "seconds": round(time.monotonic() - self._started, 3)}

    def run(self, engines: Engines, assistants: Assistants) -> protocol.Message:
        """Do it and return the last message about it: result, cancelled or error."""
        try:
            if self._type == "mesh":
                return self._mesh()
            return self._assist(assistants) if self._type == "assist" else self._trace(engines)
        except Cancelled:
            return protocol.cancelled(self.id)
        except WorldTracingError as error:
            return protocol.error(self.id, error)
        except MemoryError as error:
            return self._failed(error, out_of_memory(self._type))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an engine may raise anything, SystemExit included, and the worker lives on
            return self._failed(error, unexpected(error))

    def _trace(self, engines: Engines) -> protocol.Message:
        self._on_progress("Loading the engine", 0, 1)
        request = TraceRequest(**_typed(self._values))
        check_writable(self.output)
        world = trace_photo(request, engines.get(request.engine), self._on_progress)
        self._on_progress("Saving the result", 0, 1)
        world.save(self.output)
        summary = {
            "layers": world.layers,
            "width": world.width,
            "height": world.height,
            "valid_points": int(world.valid.sum()),
            "engine": request.engine,
            "seconds": round(time.monotonic() - self._started, 3),
        }
        return protocol.result(self.id, str(self.output), summary)

    def _mesh(self) -> protocol.Message:
        request = MeshRequest(output=self.output, **_typed(self._values))
        mesh = make_mesh(request, self._on_progress)
        summary = {
            "vertices": len(mesh.vertices),
            "faces": len(mesh.faces),
            "generator": request.generator,
            "seconds": round(time.monotonic() - self._started, 3),
            "metadata": dict(mesh.metadata),
        }
        return protocol.result(self.id, str(self.output), summary)

    def _assist(self, assistants: Assistants) -> protocol.Message:
        request = AssistRequest(output=self.output, **_typed(self._values))
        assistants.answer(request, self._on_progress)
        return protocol.result(self.id, str(self.output), {"seconds": round(time.monotonic() - self._started, 3)})

    def _on_progress(self, stage: str, k: int, n: int) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        step = (str(stage), int(k), int(n))
        if step == self._step:  # an engine may only want to know whether to go on
            return
        now = time.monotonic()
        first_or_last = stage != self._step[0] or k >= n - 1
        self._step = step
        if first_or_last or now - self._sent_at >= PROGRESS_INTERVAL_SECONDS:
            self._sent_at = now
            self._send(protocol.progress(self.id, *step))

    def _failed(self, error: BaseException, shown: WorldTracingError) -> protocol.Message:
        traceback.print_exception(error)  # to stderr, which the client keeps as the log
        return protocol.error(self.id, shown)


def _typed(values: Mapping) -> dict:
    """JSON knows neither paths nor tuples."""
    convert = {"image": Path, "mask": Path, "world": Path, "input": Path, "intrinsics": tuple}
    return {name: convert.get(name, lambda value: value)(value) for name, value in values.items()}


def out_of_memory(type: str) -> WorldTracingError:
    if type == "mesh":
        return WorldTracingError(
            "WT-MEM-MESH",
            "There is not enough memory to make this mesh.",
            "Choose a smaller volume resolution or texture, or close other programs and try again.",
        )
    if type == "assist":
        return WorldTracingError(
            "WT-MEM-ASSIST",
            "There is not enough memory to look at this photo with that model.",
            "Close other programs, or choose the built-in selection.",
        )
    return WorldTracingError(
        "WT-MEM-TRACE",
        "There is not enough memory to trace this photo.",
        "Choose a smaller resolution, or close other programs and trace again.",
    )


def unexpected(error: BaseException) -> WorldTracingError:
    """The error for a defect: the exception's last line for the user, its traceback is in the log."""
    return WorldTracingError(
        "WT-WORKER-FAILED",
        f"The worker failed: {last_line(error)}.",
        "Try again; if it happens again, report it with the worker's log.",
    )
