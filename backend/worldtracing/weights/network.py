"""What tensors a configuration's network has, from an instance that takes no memory."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..errors import WorldTracingError
from ..extras import need
from ..model.config import ModelConfig
from .catalogue import RELEASED

if TYPE_CHECKING:
    from ..model.wt_dit import WTDiT

NAMED_KEYS = 4  # how many differing keys a message names of each kind


def build_on_meta(config: ModelConfig) -> WTDiT:
    """The network without memory for its tensors, which are to be assigned.

    Raises:
        WorldTracingError: WT-ENV-PACKAGE without torch.
    """
    torch = need("torch", "torch", "build the network")
    from ..model.conv_wt_dit import build_model

    with torch.device("meta"):
        return build_model(config)


@lru_cache
def expected_shapes(config: ModelConfig) -> Mapping[str, tuple[int, ...]]:
    """Name and shape of every tensor of the network's state dict."""
    shapes = {key: tuple(tensor.shape) for key, tensor in build_on_meta(config).state_dict().items()}
    return MappingProxyType(shapes)


def check_keys(shapes: Mapping[str, tuple[int, ...]], config: ModelConfig, source: str) -> None:
    """Raises WT-MODEL-KEYS, naming what differs, unless names and shapes are exactly those of the network.

    Args:
        shapes: of the tensors that were found.
        config: the network that they are meant for.
        source: where they come from, for the message.
    """
    expected = expected_shapes(config)
    missing = [key for key in expected if key not in shapes]
    unexpected = [key for key in shapes if key not in expected]
    differing = [
        f"{key} {shapes[key]} instead of {expected[key]}"
        for key in expected
        if key in shapes and shapes[key] != expected[key]
    ]
    if not (missing or unexpected or differing):
        return
    kinds = (("missing", missing), ("unexpected", unexpected), ("of another shape", differing))
    parts = [f"{len(keys)} {kind}: {_shorten(keys)}" for kind, keys in kinds if keys]
    likeness = _resembles(shapes)
    raise WorldTracingError(
        "WT-MODEL-KEYS",
        f"{source} is not a {config.name} checkpoint ({'; '.join(parts)}).",
        f"It has the tensors of {' or '.join(likeness)}: choose that model." if likeness else "Choose another file.",
    )


def _shorten(keys: list[str]) -> str:
    return ", ".join(keys[:NAMED_KEYS]) + (", …" if len(keys) > NAMED_KEYS else "")


def _resembles(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """The released models with exactly these tensors."""
    return [name for name, model in RELEASED.items() if expected_shapes(model.config) == dict(shapes)]
