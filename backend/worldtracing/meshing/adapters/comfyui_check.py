"""What a ComfyUI server has: its version, its nodes and the files of its models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

from ...errors import WorldTracingError
from .comfyui_workflow import VISION_MODELS
from .server import Server

LEAST_VERSION = "0.35"


def read_version(server: Server, tick: Callable[[], object]) -> str:
    """ComfyUI's version; raises WT-MESH-VERSION where something else answers."""
    answer = server.request("GET", "/system_stats", tick=tick)
    stats = answer.json()
    if answer.status != 200 or not isinstance(stats, dict) or "system" not in stats:
        raise server.wrong_version("answers, but is not ComfyUI", "Give ComfyUI's address; it shows it when it starts.")
    return str(stats["system"].get("comfyui_version", "of unknown version"))


def vision_model(server: Server, model: str, tick: Callable[[], object]) -> str:
    """The file of the image encoder that ComfyUI has, or else the one to ask for."""
    answer = server.request("GET", "/object_info/CLIPVisionLoader", tick=tick).json()
    known = answer.get("CLIPVisionLoader") if isinstance(answer, dict) else None
    offered = _offered(known["input"]["required"]["clip_name"]) if known else []
    return next((name for name in VISION_MODELS[model] if name in offered), VISION_MODELS[model][-1])


def check_workflow(server: Server, workflow: Mapping, tick: Callable[[], object]) -> None:
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
