"""Models that users have installed beside this package: through transformers, with weights from the local cache alone.

Nothing is downloaded here.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WorldTracingError
from ..resample import resize_area

NEEDS = ("torch", "transformers")

IMAGENET = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
"""Mean and deviation of the pictures that many image encoders were trained on, for `pixels`."""


class LocalModel:
    """What segmenters and detectors of this kind share: a name, and loading when they are first used.

    Attributes:
        label: what people call it.
        model: its usual name in the Hugging Face cache.
        version: of transformers, the oldest that has it.
        gated: whether its weights are given only to those who accept the license there.
    """

    label: str
    model: str
    version: str
    gated = False

    def __init__(self, model: str = "") -> None:
        """
        Args:
            model: a name in the Hugging Face cache, or a folder; the usual one without it.
        """
        self._name = model or self.model
        self._loaded: tuple[Any, ...] = ()

    def problem(self) -> str:
        """What it lacks on this machine and how to get it, in one sentence; "" where it can be used. Loads nothing."""
        lacking = [module for module in NEEDS if find_spec(module) is None]
        if lacking:
            return f"This Python lacks the packages that {self.label} needs: {', '.join(lacking)}."
        from huggingface_hub import try_to_load_from_cache  # transformers brings it

        name = self._name
        if Path(name).is_dir() or isinstance(try_to_load_from_cache(name, "model.safetensors"), str):
            return ""
        first = f"; accept its license on huggingface.co/{name} first" if self.gated else ""
        return f"The weights of {name} are not in the Hugging Face cache{first}."

    def load(self, *kinds: str) -> tuple[Any, ...]:
        """Its parts, ready to use, by their classes in transformers, e.g. "Sam2Model".

        Raises:
            WorldTracingError: WT-ENV-PACKAGE, WT-MODEL-MISSING.
        """
        if not self._loaded:
            self._loaded = tuple(map(self._load, kinds))
        return self._loaded

    def _load(self, kind: str) -> Any:
        try:
            import transformers

            maker = getattr(transformers, kind)
        except (ImportError, AttributeError) as error:
            raise WorldTracingError(
                "WT-ENV-PACKAGE",
                f"{self.label} needs the Python package transformers, {self.version} or newer ({error}).",
                f"Run: pip install 'transformers>={self.version}'",
            ) from error
        options = {} if "Tokenizer" in kind else {"use_safetensors": True}
        name = self._name
        try:
            loaded = maker.from_pretrained(name, local_files_only=True, **options)
        except (OSError, ValueError) as error:
            first = f"Accept the license on huggingface.co/{name}, log in with: hf auth login. " if self.gated else ""
            raise WorldTracingError(
                "WT-MODEL-MISSING",
                f"The weights of {name} are not on this machine.",
                f"{first}Run: hf download {name}",
            ) from error
        return loaded.eval() if hasattr(loaded, "eval") else loaded


def pixels(rgb: np.ndarray, width: int, height: int, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """(1, 3, height, width) float32, a picture (H, W, 3) uint8 as an image encoder wants it.

    Args:
        mean, deviation: (3,) float32, of the pictures that it was trained on, in 0..1.
    """
    small = resize_area(rgb, width, height).astype(np.float32) / 255
    return np.ascontiguousarray(((small - mean) / deviation).transpose(2, 0, 1)[None])
