"""The released models, and those that select and find, on this machine: what is there, download, conversion, deletion.

`start_…` functions return at once, the others wait; all are called on the main thread.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy

from ..backend.worldtracing.errors import WorldTracingError
from ..backend.worldtracing.weights.assistants import ASSISTANT_MODELS, is_fetched, unfinished_bytes
from ..backend.worldtracing.weights.catalogue import released_model
from ..backend.worldtracing.weights.store import WeightStore
from . import assistants, backend, background, preferences
from .client import session
from .client.launch import cli_command
from .core.models import (
    Listing,
    ModelState,
    Removal,
    WeightsCommand,
    convert_arguments,
    download_arguments,
    fetch_arguments,
)
from .core.tasks import Task, TaskState
from .handoff import in_background

__all__ = ["convert_model", "delete_model", "download_model", "fetch_model", "models"]

_models: tuple[ModelState, ...] = ()
_fetched: frozenset[str] = frozenset()
_unfinished: dict[str, int] = {}


def models() -> tuple[ModelState, ...]:
    """The released models and what is on disk of each."""
    background.finish(start_listing())
    return _models


def folder() -> Path:
    """Where models are kept."""
    return preferences.weights_folder()


def listed_models() -> tuple[ModelState, ...]:
    """`models` as of the last look, for drawing."""
    return _models


def fetched() -> frozenset[str]:
    """Names of the models that select and find which were downloaded, as of the last look."""
    return _fetched


def unfinished(name: str) -> int:
    """Bytes on disk of a model that selects or finds of which not all was downloaded, as of the last look."""
    return _unfinished.get(name, 0)


def can_fetch(name: str) -> bool:
    """Whether a segmenter or detector has a model that could be downloaded for the worker on this computer."""
    here = not preferences.remote_worker() and bool(backend.own_python() or backend.shown_state().python)
    return here and name in ASSISTANT_MODELS and name not in _fetched


def start_listing() -> Task:
    """Look into the weights folder; `listed_models` has it afterwards."""
    return background.start(Listing(preferences.weights_folder()), _set_models)


def start_download(name: str, accept_licence: bool) -> Task:
    """Begin what `download_model` does."""
    background.require_online()
    if not accept_licence:
        WeightStore(preferences.weights_folder()).require_licence(released_model(name))
    arguments = download_arguments(name, preferences.weights_folder(), endpoint=preferences.hub_mirror())
    return _start_weights(arguments)


def start_fetch(name: str, accept_licence: bool) -> Task:
    """Begin what `fetch_model` does."""
    background.require_online()
    ASSISTANT_MODELS[name].require_licence(accept_licence)
    return _start_weights(fetch_arguments(name, preferences.weights_folder(), preferences.hub_mirror()))


def start_conversion(name: str, source: str | Path, release: str = "") -> Task:
    """Begin what `convert_model` does."""
    folder = preferences.weights_folder()
    return _start_weights(convert_arguments(name, folder, Path(source), release))


def start_deletion(name: str) -> Task:
    """Begin what `delete_model` does."""
    return background.start(Removal(preferences.weights_folder(), name), lambda _: start_listing())


def download_model(name: str, *, accept_licence: bool, on_progress: Callable[[TaskState], None] | None = None) -> None:
    """Download a released model's weights and convert them; a download that was interrupted goes on.

    Args:
        name: of a model of `models`.
        accept_licence: that you have read the terms on the model's page and accept them.
        on_progress: as in `set_up_backend`.

    Raises:
        WorldTracingError: WT-ENV-OFFLINE, WT-ENV-NO-BACKEND, WT-MODEL-LICENCE unless it is accepted, and those of
            docs/troubleshooting.md, Network.
    """
    background.finish(start_download(name, accept_licence), on_progress)


def fetch_model(name: str, *, accept_licence: bool, on_progress: Callable[[TaskState], None] | None = None) -> None:
    """Download a model that selects or finds, as its authors publish it; the worker uses it from then on.

    Args:
        name: "sam2", "sam3" or "grounding-dino".
        accept_licence: that you have read the license on the model's page and accept it.
        on_progress: as in `set_up_backend`.

    Raises:
        WorldTracingError: as `download_model`.
    """
    background.finish(start_fetch(name, accept_licence), on_progress)


def convert_model(
    name: str,
    source: str | Path,
    *,
    release: str = "",
    on_progress: Callable[[TaskState], None] | None = None,
) -> None:
    """Convert a checkpoint that is on this machine, without a network.

    Args:
        name: of the model that it is.
        source: the `.pt` file.
        release: of a model with several, e.g. "2026-09".
        on_progress: as in `set_up_backend`.

    Raises:
        WorldTracingError: WT-ENV-NO-BACKEND, and those of docs/troubleshooting.md, Engines and models.
    """
    background.finish(start_conversion(name, source, release), on_progress)


def delete_model(name: str) -> None:
    """Delete the weights and downloads of a model, be it released or one that selects or finds.

    Raises:
        WorldTracingError: WT-MODEL-UNKNOWN, WT-IO-WRITE.
    """
    background.finish(start_deletion(name))


def _start_weights(arguments: list[str]) -> Task:
    python = preferences.backend_python()
    if python is None:
        raise WorldTracingError(
            "WT-ENV-NO-BACKEND",
            "Models are downloaded and converted with PyTorch, which is not set up.",
            "Click Set Up Backend first.",
        )
    log = preferences.log_folder() / "models.log"
    return background.start(WeightsCommand(cli_command(python, *arguments), log), lambda _: start_listing())


def _set_models(found: tuple[ModelState, ...]) -> None:
    global _models, _fetched, _unfinished
    before, folder = _fetched, preferences.weights_folder()
    _models, _fetched = found, frozenset(name for name in ASSISTANT_MODELS if is_fetched(folder, name))
    _unfinished = {name: unfinished_bytes(folder, name) for name in ASSISTANT_MODELS}
    if before != _fetched and session.worker_assistants() is not None:  # the panel is to tell what it can do now
        assistants.doubt()
        if (work := assistants.inquiry("segmenter")) is not None:
            in_background(work)


def look_again() -> None:
    """Look into the models folder, when nothing else is under way."""
    if background.task() is None:
        start_listing()


def register() -> None:
    bpy.app.timers.register(look_again, first_interval=1.0)


def unregister() -> None:
    if bpy.app.timers.is_registered(look_again):
        bpy.app.timers.unregister(look_again)
