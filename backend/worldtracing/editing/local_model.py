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


def problem(label: str, model: str, gated: bool = False) -> str:
    """What a model lacks on this machine and how to get it, "" where it can be used; one sentence, loads nothing.

    Args:
        label: what people call it.
        model: a name in the Hugging Face cache, or a folder.
        gated: whether its weights are given only to those who accept the license there.
    """
    lacking = [module for module in NEEDS if find_spec(module) is None]
    if lacking:
        return f"This Python lacks the packages that {label} needs: {', '.join(lacking)}."
    from huggingface_hub import try_to_load_from_cache  # transformers brings it

    if Path(model).is_dir() or isinstance(try_to_load_from_cache(model, "model.safetensors"), str):
        return ""
    first = f"; accept its license on huggingface.co/{model} first" if gated else ""
    return f"The weights of {model} are not in the Hugging Face cache{first}."


def load(kind: str, model: str, label: str, version: str, gated: bool = False) -> Any:
    """A model or tokenizer by its class in transformers, ready to use.

    Args:
        kind: e.g. "Sam2Model".
        version: of transformers, the oldest that has this class.

    Raises:
        WorldTracingError: WT-ENV-PACKAGE, WT-MODEL-MISSING.
    """
    try:
        import transformers

        maker = getattr(transformers, kind)
    except (ImportError, AttributeError) as error:
        raise WorldTracingError(
            "WT-ENV-PACKAGE",
            f"{label} needs the Python package transformers, {version} or newer ({error}).",
            f"Run: pip install 'transformers>={version}'",
        ) from error
    options = {} if "Tokenizer" in kind else {"use_safetensors": True}
    try:
        loaded = maker.from_pretrained(model, local_files_only=True, **options)
    except (OSError, ValueError) as error:
        first = f"Accept the license on huggingface.co/{model}, log in with: hf auth login. " if gated else ""
        raise WorldTracingError(
            "WT-MODEL-MISSING",
            f"The weights of {model} are not on this machine.",
            f"{first}Run: hf download {model}",
        ) from error
    return loaded.eval() if hasattr(loaded, "eval") else loaded


def pixels(rgb: np.ndarray, width: int, height: int, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """(1, 3, height, width) float32, a picture (H, W, 3) uint8 as an image encoder wants it.

    Args:
        mean, deviation: (3,) float32, of the pictures that it was trained on, in 0..1.
    """
    small = resize_area(rgb, width, height).astype(np.float32) / 255
    return np.ascontiguousarray(((small - mean) / deviation).transpose(2, 0, 1)[None])
