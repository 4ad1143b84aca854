"""TRELLIS.2 and Pixal3D through a ComfyUI server, which also runs on Windows and on GPUs of 12 GB."""

from __future__ import annotations

import contextlib
import math
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlencode

import numpy as np

from ...errors import WorldTracingError
from ...export.png import png_bytes
from ...progress import OnProgress
from ...world import LayeredWorld
from ..base import GeneratorInfo, Health, MeshOptions, chosen_points
from ..options import GeneratorOption
from ..textured import TexturedMesh
from .comfyui_check import LEAST_VERSION, check_workflow, read_version, vision_model
from .comfyui_workflow import MARGIN, SAVE, Wish, build_workflow
from .generated import check_with, describe, front_starts, packages_missing, place, require
from .glb import read_glb
from .picture import object_view, visible_pixels
from .pixal3d import projected_start
from .server import Server, server_options

MODEL = GeneratorOption(
    "model",
    "Model",
    "choice",
    "pixal3d",
    "Pixal3D matches the photo pixel by pixel; TRELLIS.2 makes up the whole shape.",
    choices=(("pixal3d", "Pixal3D"), ("trellis2", "TRELLIS.2")),
)
RESOLUTION = GeneratorOption(
    "resolution",
    "Resolution",
    "choice",
    1024,
    "Fineness of the shape; finer takes longer and needs more GPU memory.",
    choices=((512, "512"), (1024, "1024"), (1536, "1536")),
)
CHECKPOINT = GeneratorOption(
    "checkpoint",
    "Model File",
    "text",
    "",
    "Another file of the model in ComfyUI's folder diffusion_models. Empty: that of ComfyUI's own template.",
)
PICTURE_SIZE = 1024
CHECK_SECONDS = 3.0
POLL_SECONDS = 1.0
WITHDRAW_SECONDS = 0.5


class ComfyUIGenerator:
    """One job for ComfyUI's own TRELLIS.2 or Pixal3D nodes; no custom nodes are needed."""

    info = GeneratorInfo(
        name="comfyui",
        label="ComfyUI (Pixal3D, TRELLIS.2)",
        description="Pixal3D or TRELLIS.2 on a ComfyUI server, with PBR texture; the way for Windows and smaller GPUs.",
        licence="ComfyUI: GPL-3.0; Pixal3D, TRELLIS.2 and their weights: MIT",
        memory_gib=12.0,
        needs=("scipy", "PIL"),
        heeds=("faces", "texture_size", "seed"),
        options=(*server_options("http://127.0.0.1:8188", 3600.0), MODEL, RESOLUTION, CHECKPOINT),
    )

    def check(self, extra: Mapping = {}) -> Health:
        """See `MeshGenerator.check`: whether ComfyUI answers at the address, and has the nodes and files."""
        return packages_missing(self.info) or check_with(self.info, extra, _answers)

    def generate(
        self, world: LayeredWorld, mask: np.ndarray | None, options: MeshOptions, on_progress: OnProgress
    ) -> TexturedMesh:
        """See `MeshGenerator.generate`.

        Raises:
            WorldTracingError: WT-MESH-EMPTY, WT-MESH-MASK, WT-MESH-HIDDEN, WT-MESH-OPTION, WT-MESH-SERVER,
                WT-MESH-TIMEOUT, WT-MESH-VERSION, WT-MESH-WEIGHTS, WT-MESH-FAILED, and those of `read_glb`, `place`.
        """
        settings = self.info.settings(options.extra)
        require(self.info)
        chosen = chosen_points(world, mask)
        on_progress("Preparing the picture", 0, 1)
        view = object_view(world, visible_pixels(chosen), PICTURE_SIZE, MARGIN[settings["model"]])
        server = Server("ComfyUI", settings["address"])

        def tick() -> None:
            on_progress("Looking at ComfyUI", 0, 1)

        read_version(server, tick)
        wish = _wish(settings, options, vision_model(server, settings["model"], tick), math.degrees(view.fov))
        check_workflow(server, build_workflow(wish), tick)
        wish = replace(wish, image=_upload(server, png_bytes(view.on_black()), tick))
        content = _run(server, build_workflow(wish), settings["timeout"], on_progress)
        on_progress("Aligning the mesh", 0, 1)
        generated, target = read_glb(content), world.points[chosen]
        if wish.model == "pixal3d":
            starts = [projected_start(generated, target, view)]
        else:
            starts = front_starts(generated, target, view.rotation)
        metadata = describe(self.info.name, world, options, settings)
        return place(generated, target, starts, turn=wish.model == "trellis2", metadata=metadata)


def _answers(settings: Mapping) -> Health:
    server = Server("ComfyUI", settings["address"], CHECK_SECONDS)
    tick = server.deadline(CHECK_SECONDS)
    version = read_version(server, tick)
    wish = _wish(settings, MeshOptions(), vision_model(server, settings["model"], tick))
    check_workflow(server, build_workflow(wish), tick)
    return Health(True, f"ComfyUI {version} answers at {server.address}.")


def _wish(settings: Mapping, options: MeshOptions, vision: str, fov: float = 49.0) -> Wish:
    """What is to be made, as far as it is known before the picture is there."""
    chosen = {name: settings[name] for name in ("model", "checkpoint", "resolution")}
    size = {name: getattr(options, name) for name in ("seed", "faces", "texture_size")}
    return Wish(**chosen, **size, vision=vision, image="", fov=fov)


def _upload(server: Server, png: bytes, tick: Callable[[], object]) -> str:
    """Put a picture into ComfyUI's input folder; its name for LoadImage."""
    boundary, name = uuid.uuid4().hex, f"worldtracing-{uuid.uuid4().hex[:12]}.png"
    parts = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    body = parts.encode() + png + f"\r\n--{boundary}--\r\n".encode()
    answer = server.request("POST", "/upload/image", body, f"multipart/form-data; boundary={boundary}", 60.0, tick)
    stored = answer.json()
    if answer.status != 200 or not isinstance(stored, dict) or "name" not in stored:
        raise server.failed(f"it did not take the picture (HTTP status {answer.status})")
    return "/".join(filter(None, [stored.get("subfolder"), stored["name"]]))


def _run(server: Server, workflow: Mapping, seconds: float, on_progress: OnProgress) -> bytes:
    """Queue a workflow, wait for it and fetch its file; a job that is not waited for any more is taken back."""
    job = str(uuid.uuid4())  # ours, to be known however soon it must be taken back
    request = {"prompt": dict(workflow), "client_id": uuid.uuid4().hex, "prompt_id": job}
    try:
        answer = server.request("POST", "/prompt", request, tick=lambda: on_progress("Asking ComfyUI", 0, 1))
        queued = answer.json()
        if answer.status != 200 or not isinstance(queued, dict) or "prompt_id" not in queued:
            raise server.wrong_version(
                f"refuses the workflow ({_refusal(queued)})", f"Update ComfyUI to {LEAST_VERSION} or newer."
            )
        job = queued["prompt_id"]
        file = _wait(server, job, time.monotonic() + seconds, on_progress)
    except BaseException:
        _withdraw(server, job)
        raise
    where = {name: file.get(name, "") for name in ("filename", "subfolder", "type")}
    path = f"/view?{urlencode(where)}"
    content = server.request("GET", path, seconds=60.0, tick=lambda: on_progress("Fetching the mesh", 0, 1))
    if content.status != 200:
        raise server.failed(f"it does not hand out its result (HTTP status {content.status})")
    return content.body


def _withdraw(server: Server, job: str) -> None:
    """Take a job back. Whoever cancels does not wait for a server that hangs; it is asked all the same."""

    def ask() -> None:
        with contextlib.suppress(WorldTracingError):
            server.request("POST", "/queue", {"delete": [job]})
            server.request("POST", "/interrupt", {"prompt_id": job})

    asking = threading.Thread(target=ask, name="worldtracing withdrawal", daemon=True)
    asking.start()
    asking.join(WITHDRAW_SECONDS)


def _wait(server: Server, job: str, deadline: float, on_progress: OnProgress) -> dict:
    """The file that a job has saved, as ComfyUI names it."""
    stage = "Waiting in ComfyUI's queue"

    def tick() -> None:
        on_progress(stage, 0, 1)

    def ask(path: str) -> dict:
        return server.request("GET", path, tick=tick).json() or {}

    while time.monotonic() < deadline:
        queue = ask("/queue")
        history = ask(f"/history/{job}")  # after the queue: a job that has left it is in the history
        if job in history:
            return _saved(server, history[job])
        waiting, running = ([item[1] for item in queue.get(f"queue_{kind}", [])] for kind in ("pending", "running"))
        if job in running:
            stage = "ComfyUI makes the mesh"
        elif job not in waiting:
            raise server.failed("it has forgotten the job, as after a restart")
        pause = time.monotonic() + POLL_SECONDS
        while time.monotonic() < pause:
            tick()
            time.sleep(POLL_SECONDS / 5)
    raise WorldTracingError(
        "WT-MESH-TIMEOUT",
        f"{server.label} at {server.address} has not finished the mesh in the time allowed for it.",
        "Choose a lower resolution, or allow more time.",
    )


def _saved(server: Server, entry: Mapping) -> dict:
    status = entry.get("status") or {}
    if status.get("status_str") == "error":
        raise server.failed(_reason(status))
    files = entry.get("outputs", {}).get(SAVE, {}).get("3d", [])
    if not files:
        raise server.failed("it has saved no mesh")
    return files[0]


def _reason(status: Mapping) -> str:
    """Why a job failed, out of ComfyUI's messages."""
    for name, details in reversed(status.get("messages", [])):
        if name == "execution_error":
            return f"{details.get('node_type')}: {str(details.get('exception_message')).strip()}"[:300]
        if name == "execution_interrupted":
            return "the job was interrupted there"
    return "it does not say why"


def _refusal(answer) -> str:
    if not isinstance(answer, dict):
        return "no reason given"
    faults = [fault for node in (answer.get("node_errors") or {}).values() for fault in node.get("errors", [])]
    texts = [f"{fault.get('message')}: {fault.get('details')}" for fault in faults]
    return "; ".join(texts[:3] or [str((answer.get("error") or {}).get("message"))])[:300]
