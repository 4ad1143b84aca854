"""TRELLIS.2 and Pixal3D through a ComfyUI server, which also runs on Windows and on GPUs of 12 GB."""

from __future__ import annotations

import contextlib
import math
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import quote, urlencode

import numpy as np

from ...errors import WorldTracingError
from ...export.png import png_bytes
from ...progress import OnProgress
from ...world import LayeredWorld
from ..base import GeneratorInfo, Health, MeshOptions, chosen_points
from ..options import GeneratorOption
from ..textured import TexturedMesh
from .comfyui_workflow import MARGIN, SAVE, VISION_MODELS, Wish, build_workflow
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
LEAST_VERSION = "0.35"


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

        _version(server, tick)
        wish = _wish(settings, options, _vision_model(server, settings["model"], tick), math.degrees(view.fov))
        _check_workflow(server, build_workflow(wish), tick)
        wish = replace(wish, image=_upload(server, png_bytes(view.on_black())))
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
    version = _version(server, tick)
    wish = _wish(settings, MeshOptions(), _vision_model(server, settings["model"], tick))
    _check_workflow(server, build_workflow(wish), tick)
    return Health(True, f"ComfyUI {version} answers at {server.address}.")


def _wish(settings: Mapping, options: MeshOptions, vision: str, fov: float = 49.0) -> Wish:
    """What is to be made, as far as it is known before the picture is there."""
    chosen = {name: settings[name] for name in ("model", "checkpoint", "resolution")}
    size = {name: getattr(options, name) for name in ("seed", "faces", "texture_size")}
    return Wish(**chosen, **size, vision=vision, image="", fov=fov)


def _version(server: Server, tick: Callable[[], object]) -> str:
    """ComfyUI's version; raises WT-MESH-VERSION where something else answers."""
    answer = server.request("GET", "/system_stats", tick=tick)
    stats = answer.json()
    if answer.status != 200 or not isinstance(stats, dict) or "system" not in stats:
        raise server.wrong_version("answers, but is not ComfyUI", "Give ComfyUI's address; it shows it when it starts.")
    return str(stats["system"].get("comfyui_version", "of unknown version"))


def _vision_model(server: Server, model: str, tick: Callable[[], object]) -> str:
    """The file of the image encoder that ComfyUI has, or else the one to ask for."""
    answer = server.request("GET", "/object_info/CLIPVisionLoader", tick=tick).json()
    known = answer.get("CLIPVisionLoader") if isinstance(answer, dict) else None
    offered = _offered(known["input"]["required"]["clip_name"]) if known else []
    return next((name for name in VISION_MODELS[model] if name in offered), VISION_MODELS[model][-1])


def _check_workflow(server: Server, workflow: Mapping, tick: Callable[[], object]) -> None:
    """Find out before the job, not in it, that a node, an input or a file is not there.

    Raises:
        WorldTracingError: WT-MESH-VERSION, WT-MESH-WEIGHTS.
    """
    missing = []
    for kind in sorted({node["class_type"] for node in workflow.values()}):
        answer = server.request("GET", f"/object_info/{quote(kind)}", tick=tick).json()
        known = answer.get(kind) if isinstance(answer, dict) else None
        inputs = {} if known is None else {**known["input"].get("required", {}), **known["input"].get("optional", {})}
        for node in (node for node in workflow.values() if node["class_type"] == kind):
            if known is None or {name for name in node["inputs"] if "." not in name} - set(inputs):
                missing.append(kind)
                break
            _check_files(server, kind, node["inputs"], inputs)
    if missing:
        raise server.wrong_version(
            f"lacks the nodes {', '.join(missing)}", f"Update ComfyUI to {LEAST_VERSION} or newer."
        )


LOADERS = {"UNETLoader": ("unet_name", "diffusion_models"), "VAELoader": ("vae_name", "vae")}
LOADERS["CLIPVisionLoader"] = ("clip_name", "clip_vision")


def _check_files(server: Server, kind: str, given: Mapping, inputs: Mapping) -> None:
    """Raise WT-MESH-WEIGHTS where a loader does not offer the file that it is to load."""
    name, folder = LOADERS.get(kind, (None, None))
    if name is None:
        return
    files = _offered(inputs[name])
    if given[name] not in files:
        raise WorldTracingError(
            "WT-MESH-WEIGHTS",
            f"{server.label} at {server.address} lacks the model file {given[name]}.",
            f"Download it from the Comfy-Org models on the Hugging Face hub into models/{folder} of ComfyUI; "
            f"docs/generators.md lists the files. Known are: {', '.join(files[:10]) or 'none'}.",
        )


def _offered(choice: list) -> list[str]:
    """What an input can be: [[values], ...] in older nodes, ["COMBO", {"options": [values]}] in newer ones."""
    kind, *details = choice
    return kind if isinstance(kind, list) else (details[0] if details else {}).get("options", [])


def _upload(server: Server, png: bytes) -> str:
    """Put a picture into ComfyUI's input folder; its name for LoadImage."""
    boundary, name = uuid.uuid4().hex, f"worldtracing-{uuid.uuid4().hex[:12]}.png"
    parts = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    body = parts.encode() + png + f"\r\n--{boundary}--\r\n".encode()
    answer = server.request("POST", "/upload/image", body, f"multipart/form-data; boundary={boundary}", 60.0)
    stored = answer.json()
    if answer.status != 200 or not isinstance(stored, dict) or "name" not in stored:
        raise server.failed(f"it did not take the picture (HTTP status {answer.status})")
    return "/".join(filter(None, [stored.get("subfolder"), stored["name"]]))


def _run(server: Server, workflow: Mapping, seconds: float, on_progress: OnProgress) -> bytes:
    """Queue a workflow, wait for it and fetch its file; a job that is not waited for any more is taken back."""
    answer = server.request("POST", "/prompt", {"prompt": dict(workflow), "client_id": uuid.uuid4().hex})
    queued = answer.json()
    if answer.status != 200 or not isinstance(queued, dict) or "prompt_id" not in queued:
        raise server.wrong_version(
            f"refuses the workflow ({_refusal(queued)})", f"Update ComfyUI to {LEAST_VERSION} or newer."
        )
    job = queued["prompt_id"]
    try:
        file = _wait(server, job, time.monotonic() + seconds, on_progress)
    except BaseException:
        with contextlib.suppress(WorldTracingError):
            server.request("POST", "/queue", {"delete": [job]})
            server.request("POST", "/interrupt", {"prompt_id": job})
        raise
    where = {name: file.get(name, "") for name in ("filename", "subfolder", "type")}
    path = f"/view?{urlencode(where)}"
    content = server.request("GET", path, seconds=60.0, tick=lambda: on_progress("Fetching the mesh", 0, 1))
    if content.status != 200:
        raise server.failed(f"it does not hand out its result (HTTP status {content.status})")
    return content.body


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
