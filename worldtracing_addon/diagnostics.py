"""What can be told of this Blender and its backend when something goes wrong."""

from __future__ import annotations

import platform
import sys

import bpy

from ..backend.worldtracing.version import __version__
from . import background, preferences
from .core.diagnostics import report
from .core.platforms import this_platform

__all__ = ["diagnostics"]


def diagnostics() -> str:
    """Versions, the backend's state, the last error and the ends of the logs, without names and passwords."""
    folder, chosen = preferences.backend_folder(), preferences.get_preferences()
    state, error = folder.state(), background.error()
    job = bpy.context.window_manager.world_tracing_job
    facts = {
        "World Tracing": __version__,
        "Blender": f"{bpy.app.version_string}, Python {platform.python_version()}, {sys.executable}",
        "System": f"{this_platform().name}, {platform.platform()}",
        "GPU of Blender": _gpu(),
        "Online access": str(bpy.app.online_access),
        "Backend": f"{state.status} {state.build} in {folder.folder}",
        "Backend Python": (chosen.python or "the backend's, or Blender's own") if chosen else "Blender's own",
        "Remote worker": preferences.remote_worker() or "none",
        "Last error of the backend": str(error or "none"),
        "Last error of the panel": f"{job.error_message} [{job.error_code}]" if job.error_code else "none",
    }
    logs = preferences.log_folder()
    text = report(facts, state.checks, (folder.log, logs / "models.log", logs / "worker.log"))
    token = chosen.remote_token.strip() if chosen else ""
    return text.replace(token, "<token>") if token else text


def _gpu() -> str:
    if bpy.app.background:
        return "not asked without a window"
    import gpu

    return f"{gpu.platform.vendor_get()} {gpu.platform.renderer_get()}, {gpu.platform.version_get()}"
