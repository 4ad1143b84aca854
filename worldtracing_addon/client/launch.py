"""The command line that starts a worker under a Python in which nothing needs to be installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.worker import launcher
from ..core.platforms import clean_environment, this_platform

LAUNCHER = Path(launcher.__file__)


def worker_command(python: Path | None = None) -> list[str]:
    """The worker under `python`, or under the Python that runs this (Blender's own) without one.

    Blender's Python is isolated from the user's packages and uses the numpy that Blender uses. A given Python keeps
    its own packages, and gets ours only for what it lacks; the backend itself is always this extension's.

    Raises:
        WorldTracingError: WT-WORKER-NO-PYTHON.
    """
    executable = find_python(python if python is not None else sys.executable)
    options = ["-I"] if python is None else []
    launch = [str(LAUNCHER)] if python is None else [str(LAUNCHER), "--fallback"]
    return [executable, *options, "-X", "utf8", *launch, *map(str, package_folders())]


def cli_command(python: Path | None, *arguments: str) -> list[str]:
    """A command of the `worldtracing` command line, as the worker would run under `python`.

    Raises:
        WorldTracingError: WT-WORKER-NO-PYTHON.
    """
    return [*worker_command(python), "--", *arguments]


def package_folders() -> list[Path]:
    """The folders that hold the backend, numpy and safetensors, each once; the launcher tells what is missing."""
    specs = [find_spec(name) for name in ("numpy", "safetensors")]
    libraries = [Path(spec.origin).parent.parent for spec in specs if spec is not None]
    return list(dict.fromkeys([LAUNCHER.parents[2], *libraries]))


def find_python(python: str | Path) -> str:
    """The executable's path.

    Raises:
        WorldTracingError: WT-WORKER-NO-PYTHON when there is none, or it cannot be executed.
    """
    found = shutil.which(os.path.expandvars(Path(python).expanduser())) if str(python) else None
    if found is None:
        raise no_python(python)
    return found


def open_process(command: Sequence[str], variables: Mapping[str, str] | None = None) -> subprocess.Popen:
    """Start the worker with its three streams as pipes, and with `variables` added to the environment.

    Raises:
        WorldTracingError: WT-WORKER-NO-PYTHON.
    """
    try:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(variables),
            **this_platform().process_options(),
        )
    except OSError as error:
        raise no_python(command[0]) from error


def no_python(python: str | Path) -> WorldTracingError:
    return WorldTracingError(
        "WT-WORKER-NO-PYTHON",
        f"The worker's Python cannot be started: {python or '(empty)'}.",
        "Choose an existing Python in the preferences, or clear the field to use Blender's own.",
    )
