"""What an artist may choose for a trace, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...backend.worldtracing.engines.base import DEFAULT_ENGINE
from ...backend.worldtracing.worker.remote.handshake import TOKEN_VARIABLE

OFFLINE = "WORLDTRACING_OFFLINE"
"""Environment variable of a worker whose mesh generators must leave other computers and the hub alone."""


@dataclass(frozen=True)
class TraceSettings:
    """One trace's choices, as the panel and scripts give them.

    Attributes:
        engine: name of a tracing engine; `api.engines()` lists them.
        mode: "object" (the foreground) or "scene" (the whole picture).
        seed: for engines that draw noise.
        resolution: longest side of the traced picture in pixels.
        fov_degrees: horizontal field of view of the photo; None takes the photo's EXIF data or the default.
        match_photo: set the scene's view transform so that renders keep the photo's colors.
        extra: the engine's own options, JSON values.
    """

    engine: str = DEFAULT_ENGINE
    mode: str = "object"
    seed: int = 42
    resolution: int = 504
    fov_degrees: float | None = None
    match_photo: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkerSettings:
    """How the worker runs.

    Attributes:
        python: interpreter of a backend environment; None runs the worker under Blender's own Python.
        in_process: run the worker in a thread of Blender instead of a process of its own. Then the rest, which a
            process gets as environment variables, is that of Blender's; but for `offline`, which counts.
        weights: the folder of models; None leaves it to the backend.
        memory_gb: what a trace may plan with on its device, in 10^9 bytes; None is what is free.
        detailed_log: whether the log tells every message.
        offline: whether mesh generators must leave other computers and the hub alone, and a remote worker as well.
        remote: address of a worker on another computer, which then does the work; `python`, `weights` and `memory_gb`
            are of no matter to it.
        token: of that worker; without one the variable WORLDTRACING_TOKEN or the file of the command line counts.
    """

    python: Path | None = None
    in_process: bool = False
    weights: Path | None = None
    memory_gb: float | None = None
    detailed_log: bool = False
    offline: bool = False
    remote: str = ""
    token: str = field(default="", repr=False)

    @property
    def variables(self) -> dict[str, str]:
        """These choices as environment variables of the worker's process."""
        chosen = {
            "WORLDTRACING_WEIGHTS": self.weights,
            "WORLDTRACING_MEMORY_GB": self.memory_gb,
            "WORLDTRACING_LOG": "detailed" if self.detailed_log else None,
            TOKEN_VARIABLE: self.token if self.remote and self.token else None,
            OFFLINE: "1" if self.offline else None,
            "HF_HUB_OFFLINE": "1" if self.offline else None,  # read by the programs that generators start
        }
        return {name: str(value) for name, value in chosen.items() if value is not None}
