"""The released models as the preferences list them, and what can be done with their weights, as tasks."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.weights.assistants import ASSISTANT_MODELS, remove
from ...backend.worldtracing.weights.catalogue import RELEASED, ReleasedModel, released_model
from ...backend.worldtracing.weights.store import StoredFile, WeightStore, default_folder
from ...backend.worldtracing.worker.protocol import to_error
from .tasks import Task

DOWNLOAD_GB = {"r75b": 6.8, "r69l": 6.2, "r76": 8.4, "r69e": 6.2, "r69g": 6.2, "r69g_mix": 6.2}
"""Computed from the published numbers of parameters in float32 (docs/models.md)."""


@dataclass(frozen=True)
class ModelState:
    """A released model and what is on disk of it.

    Attributes:
        model: its entry in the catalogue.
        accepted: whether its licence was.
        ready: bytes of converted weights; 0 where there are none.
        other: bytes of downloads, finished or not.
    """

    model: ReleasedModel
    accepted: bool
    ready: int = 0
    other: int = 0

    @property
    def text(self) -> str:
        """What is on disk, in a few words."""
        if self.ready:
            return f"ready, {self.ready / 1e9:.1f} GB"
        return f"unfinished, {self.other / 1e9:.1f} GB" if self.other else "not downloaded"


def weights_folder(chosen: Path | None, own: Path) -> Path:
    """Where weights are kept: what was chosen, what WORLDTRACING_WEIGHTS names, what the command line has made,
    else the extension's own folder."""
    if chosen is not None:
        return chosen
    usual = default_folder()
    return usual if os.environ.get("WORLDTRACING_WEIGHTS") or usual.is_dir() else own


class Listing(Task):
    """Reads the weights folder; `state.result` is a tuple of `ModelState`, in the catalogue's order."""

    brief = True

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._store = WeightStore(folder)

    def _work(self) -> tuple[ModelState, ...]:
        files = self._store.files()
        return tuple(_model_state(self._store, model, files) for model in RELEASED.values())


def _model_state(store: WeightStore, model: ReleasedModel, files: Sequence[StoredFile]) -> ModelState:
    own = [file for file in files if model.name in file.models]
    ready = sum(file.size for file in own if file.kind == "weights")
    return ModelState(model, store.licence_accepted(model), ready, sum(file.size for file in own) - ready)


class Removal(Task):
    """Deletes all files of a model."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__()
        self._store, self._name = WeightStore(folder), name

    def _work(self) -> None:
        self._progress(f"Deleting {self._name}")
        if self._name in ASSISTANT_MODELS:
            remove(self._store.folder, self._name)
        else:
            self._store.remove(self._name)


class WeightsCommand(Task):
    """A command of `worldtracing weights`, in the backend's Python: downloading and converting need its packages."""

    def __init__(self, command: Sequence[str], log_path: Path | None = None) -> None:
        """command: from `download_arguments` or `convert_arguments`, behind what starts the command line."""
        super().__init__(log_path)
        self._arguments = list(command)

    def _work(self) -> None:
        self._progress("Starting")
        error: Mapping[str, Any] | None = None

        def on_line(line: str) -> bool:
            nonlocal error
            message = _message(line)
            if "progress" in message:
                stage, k, n = message["progress"]
                self._progress(stage, k, n, f"{k} of {n} MB" if stage.startswith("Downloading") and n else "")
            error = message.get("error", error)
            return bool(message)

        code, said = self._command(self._arguments, on_line)
        if error is not None:
            raise to_error(error)
        if code != 0:
            last = next((line for line in reversed(said) if line.strip()), "no message")
            raise WorldTracingError(
                "WT-ENV-FAILED",
                f'The backend\'s program ended with an error: "{last.strip()[:200]}".',
                "Repair the backend; if it happens again, report it with the diagnostics.",
            )


def download_arguments(name: str, folder: Path, release: str = "", endpoint: str = "") -> list[str]:
    """Download and convert a model; the licence counts as accepted.

    The hub has the latest release of a model of which there are several.
    """
    releases = released_model(name).releases
    release = release or max(releases, default="")
    return [
        *("weights", "--folder", str(folder), "download", name, "--json", "--accept-licence"),
        *(["--release", release] if release else []),
        *(["--endpoint", endpoint] if endpoint else []),
    ]


def fetch_arguments(name: str, folder: Path, endpoint: str = "") -> list[str]:
    """Download a model that selects or finds; its license counts as accepted."""
    mirror = ["--endpoint", endpoint] if endpoint else []
    return ["weights", "--folder", str(folder), "fetch", name, "--json", "--accept-licence", *mirror]


def convert_arguments(name: str, folder: Path, source: Path, release: str = "") -> list[str]:
    """Convert a checkpoint that is on this machine."""
    return [
        *("weights", "--folder", str(folder), "convert", name, "--json", "--from", str(source)),
        *(["--release", release] if release else []),
    ]


def _message(line: str) -> Mapping[str, Any]:
    """The object on a line; empty for what a library printed."""
    if not line.startswith("{"):
        return {}
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
