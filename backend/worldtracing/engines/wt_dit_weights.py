"""Which weights a trace with `wt-dit` uses, and whether this Python can run them. Imports no torch."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from ..errors import WorldTracingError
from ..extras import need
from ..weights.catalogue import RELEASED
from ..weights.store import PRECISIONS, WeightStore
from ..weights.tensorfile import WeightsHeader, read_header

NEEDS = {"torch": "torch", "einops": "torch", "cv2": "image", "scipy": "image"}
"""Modules that a trace imports, and the extra of the package that brings each."""

MODES = {"object": "object", "scene": "scene", "dynamic": "clip"}
"""What is traced with a model of each kind."""


def models_of(mode: str) -> list[str]:
    """The released models for "object", "scene" or "clip", the recommended one first."""
    return [name for name, model in RELEASED.items() if MODES[model.config.mode] == mode]


def find_weights(model: str | Path | None, mode: str) -> tuple[Path, WeightsHeader]:
    """The file of converted weights for a trace, and what it says of itself.

    Args:
        model: a released model's name, or the path of a `.safetensors` file; None for the first of the mode's models
            that is in the weights folder.
        mode: "object", "scene" or "clip".

    Raises:
        WorldTracingError: WT-MODEL-MISSING, WT-MODEL-UNKNOWN, WT-MODEL-OPTION for a model of another mode, and those of
            `read_header`.
    """
    store = WeightStore()
    if model is None:
        ready = [name for name in models_of(mode) if any(store.weights_path(name, p).is_file() for p in PRECISIONS)]
        path = store.find((ready or models_of(mode))[0])
    else:
        is_file = isinstance(model, Path) or model.endswith(".safetensors")
        path = Path(model) if is_file else store.find(model)
    header = read_header(path)
    config = header.config
    if config.conv or MODES[config.mode] != mode:
        raise WorldTracingError(
            "WT-MODEL-OPTION",
            f"The model {config.name} is not one that traces {_NOUNS[mode]} with the engine wt-dit.",
            f"Choose one of: {', '.join(models_of(mode))}; or trace what {config.name} is for.",
        )
    return path, header


_NOUNS = {"object": "objects", "scene": "scenes", "clip": "clips"}


def check_packages() -> None:
    """Raises WT-ENV-TORCH where packages are missing, WT-ENV-PACKAGE where one does not import."""
    missing = [module for module in NEEDS if find_spec(module) is None]
    if missing:
        extras = ",".join(sorted({NEEDS[module] for module in missing}))
        raise WorldTracingError(
            "WT-ENV-TORCH",
            f"WT-DiT needs {', '.join(missing)}, which this Python ({sys.executable}) does not have.",
            "In Blender, choose a Python environment that has them in the extension's preferences; "
            f"in an environment of your own, run: pip install 'worldtracing[{extras}]'.",
        )
    for module, extra in NEEDS.items():
        need(module, extra, "trace with WT-DiT")
