"""The worker on another computer: does it answer, and the command that lets this computer be one for others.

It is chosen in the preferences (`remote_worker`, `remote_token`); traces and meshes then run there.
"""

from __future__ import annotations

from dataclasses import replace

import bpy

from ..backend.worldtracing.worker.remote.client import RemoteWorker
from . import background, preferences
from .client.launch import cli_command
from .core.platforms import this_platform
from .core.remote import ConnectionTest, Meeting
from .core.settings import WorkerSettings
from .core.tasks import Task

__all__ = ["RemoteWorker", "check_remote_worker", "server_command"]

_meeting: Meeting | None = None


def check_remote_worker() -> RemoteWorker:
    """Ask the worker on the other computer that the preferences name what it is; nothing is started there.

    Raises:
        WorldTracingError: WT-ENV-OFFLINE, WT-ENV-BUSY, WT-WORKER-PROTOCOL, and WT-WORKER-REMOTE-ADDRESS,
            -UNREACHABLE, -STRANGER or -TOKEN.
    """
    found = background.finish(start_check()).result
    if found.error is not None:
        raise found.error
    return found.worker


def start_check() -> Task:
    """Begin what `check_remote_worker` does; `last_check` has the outcome afterwards."""
    return background.start(ConnectionTest(_settings()), _set_meeting)


def last_check() -> Meeting | None:
    """How the last test went, if it was made with what the preferences say now."""
    return _meeting if _meeting is not None and _meeting.settings == _settings() else None


def server_command(listen: str | None = None) -> str:
    """What starts a worker on this computer for others, to be typed into a terminal.

    It runs under the backend's Python, or Blender's own without one, with the models of the preferences.

    Args:
        listen: HOST:PORT to listen at, e.g. "0.0.0.0"; without it only this computer is listened to, for tunnels.

    Raises:
        WorldTracingError: WT-WORKER-NO-PYTHON.
    """
    settings = preferences.worker_settings()
    variables = replace(settings, offline=False, detailed_log=False, remote="").variables
    command = cli_command(settings.python, "serve", "--listen", *([listen] if listen else []))
    return this_platform().shell_command(command, variables)


def _settings() -> WorkerSettings:
    """What matters to a connection; unlike all of the settings, it is had without looking at the disk."""
    chosen = preferences.get_preferences()
    token = chosen.remote_token.strip() if chosen else ""
    return WorkerSettings(offline=not bpy.app.online_access, remote=preferences.remote_worker(), token=token)


def _set_meeting(meeting: Meeting) -> None:
    global _meeting
    _meeting = meeting
