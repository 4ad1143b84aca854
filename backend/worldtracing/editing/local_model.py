"""Models of other people beside this package: through transformers or diffusers, with weights that are on this machine.

Nothing is downloaded here; `weights.assistants` does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from ..errors import WorldTracingError
from ..resample import resize_area

NEEDS = ("torch", "transformers")

IMAGENET = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
"""Mean and deviation of the pictures that many image encoders were trained on, for `pixels`."""


class LocalModel:
    """What segmenters, detectors and painters of this kind share: a name, and loading when they are first used.

    Attributes:
        label: what people call it.
        model: its usual name in the Hugging Face cache.
        version: of the library, the oldest that has it.
        gated: whether its weights are given only to those who accept the license there.
        library: the package that loads it.
        needs: importable modules beyond numpy.
        marker: a file of it that the cache has once it was downloaded.
        download: what follows `hf download` and its name, for those who do not need all of its files.
    """

    label: str
    model: str
    version: str
    gated = False
    library = "transformers"
    needs = NEEDS
    marker = "model.safetensors"
    download = ""

    def __init__(self, model: str = "") -> None:
        """
        Args:
            model: a name in the Hugging Face cache, or a folder; the usual one without it.
        """
        self._name = model or self.model
        self._loaded: tuple[Any, ...] = ()

    def problem(self) -> str:
        """What it lacks on this machine and how to get it, in one sentence; "" where it can be used. Loads nothing."""
        lacking = [module for module in self.needs if find_spec(module) is None]
        if lacking:
            return f"This Python lacks the packages that {self.label} needs: {', '.join(lacking)}."
        if Path(self.source()).is_dir():
            return ""
        name = self._name
        first = f"; accept its license on huggingface.co/{name} first" if self.gated else ""
        then = "The preferences of World Tracing download them." if self._is_listed() else self._command()
        return f"The weights of {name} are neither among the models nor in the Hugging Face cache{first}. {then}"

    def source(self) -> str:
        """Where it is loaded from: its folder among the models that were downloaded, or in the cache; else its name.

        Given a mere name, some versions of transformers ask the hub about it, though told to use local files alone.
        """
        from ..weights.assistants import own_folder

        own = own_folder(self._name)
        if (own / self.marker).is_file():
            return str(own)
        with contextlib.suppress(ImportError):  # the library brings it, and where that is missing, loading says so
            from huggingface_hub import try_to_load_from_cache

            cached = None if Path(self._name).is_dir() else try_to_load_from_cache(self._name, self.marker)
            if isinstance(cached, str):
                return str(Path(cached).parent)
        return self._name

    def load(self, *kinds: str) -> tuple[Any, ...]:
        """Its parts, ready to use, by their classes in the library, e.g. "Sam2Model".

        Raises:
            WorldTracingError: WT-ENV-PACKAGE, WT-MODEL-MISSING.
        """
        if not self._loaded:
            self._loaded = tuple(map(self._load, kinds))
        return self._loaded

    def _load(self, kind: str) -> Any:
        try:
            maker = getattr(import_module(self.library), kind)
        except (ImportError, AttributeError) as error:
            raise WorldTracingError(
                "WT-ENV-PACKAGE",
                f"{self.label} needs the Python package {self.library}, {self.version} or newer ({error}).",
                f"Update the backend in Blender's preferences, or run: pip install '{self.library}>={self.version}'",
            ) from error
        name = self._name
        try:
            loaded = maker.from_pretrained(self.source(), local_files_only=True, **self.options(kind))
        except (OSError, ValueError) as error:
            first = f"Accept the license on huggingface.co/{name}, log in with: hf auth login. " if self.gated else ""
            listed = self._is_listed()
            click = "Download them in Blender's preferences of World Tracing, Models. Or: " if listed else ""
            raise WorldTracingError(
                "WT-MODEL-MISSING",
                f"The weights of {name} are not on this machine.",
                f"{first}{click}{self._command()}",
            ) from error
        return loaded.eval() if hasattr(loaded, "eval") else loaded

    def _command(self) -> str:
        """What puts the weights into the cache, with the `hf` of this Python, which is on nobody's search path."""
        found = shutil.which("hf", path=str(Path(sys.executable).parent))
        if os.name == "nt":
            return f'Run in PowerShell: & "{found or "hf"}" download {self._name}{self.download}'
        return f"Run: {quote(found or 'hf')} download {self._name}{self.download}"

    def _is_listed(self) -> bool:
        """Whether it is one of the models that can be downloaded with a click."""
        from ..weights.assistants import ASSISTANT_MODELS

        return any(model.repo == self._name for model in ASSISTANT_MODELS.values())

    def options(self, kind: str) -> dict[str, Any]:
        """What `from_pretrained` of a class is told beside the name; weights are never read from pickle."""
        return {} if "Tokenizer" in kind else {"use_safetensors": True}


def pixels(rgb: np.ndarray, width: int, height: int, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """(1, 3, height, width) float32, a picture (H, W, 3) uint8 as an image encoder wants it.

    Args:
        mean, deviation: (3,) float32, of the pictures that it was trained on, in 0..1.
    """
    small = resize_area(rgb, width, height).astype(np.float32) / 255
    return np.ascontiguousarray(((small - mean) / deviation).transpose(2, 0, 1)[None])
