"""What a tracing engine is, and the registry in which it is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..camera import Camera
from ..progress import OnProgress
from ..registry import Registry
from ..world import LayeredWorld

ENGINES = Registry(
    "engine",
    "worldtracing.engines",
    {
        "wt-bundled": ".engines.wt_bundled:BundledEngine",
        "wt-dit": ".engines.wt_dit:WTDiTEngine",
        "silhouette": ".engines.silhouette:SilhouetteEngine",
    },
)

DEFAULT_ENGINE = "wt-bundled"

MODES = ("object", "scene")


@dataclass(frozen=True)
class EngineInfo:
    """What the panel, `doctor` and the worker's hello say of an engine."""

    name: str
    label: str
    description: str
    modes: tuple[str, ...] = MODES
    licence: str = "GPL-3.0-or-later"
    needs: tuple[str, ...] = ()  # importable modules beyond numpy and safetensors
    draws_noise: bool = False  # whether another seed gives another world
    options: tuple[str, ...] = ()  # those of its `extra` that a panel offers: "model", "steps", "seeds", "precision"


@dataclass(frozen=True)
class TraceOptions:
    """What a user may choose for one trace.

    Attributes:
        mode: "object" (the masked foreground) or "scene" (the whole picture).
        seed: for engines that draw noise.
        resolution: longest side of the traced picture in pixels; engines with a fixed input size ignore it.
        extra: the engine's own options, each documented by the engine.
    """

    mode: str = "object"
    seed: int = 42
    resolution: int = 504
    extra: Mapping = field(default_factory=dict)


class Engine(Protocol):
    """One way to turn a picture into layers. Engines keep no state between traces except loaded weights."""

    info: EngineInfo

    def trace(
        self,
        image: np.ndarray,
        mask: np.ndarray,
        camera: Camera,
        options: TraceOptions,
        on_progress: OnProgress,
    ) -> LayeredWorld:
        """Trace one picture.

        Args:
            image: (H, W, 3) uint8 sRGB.
            mask: (H, W) bool, True on the foreground; in scene mode on everything that is not cut out.
            camera: its size is the picture's.
            options: the user's choices.
            on_progress: called before each step; whatever it raises must pass through.

        Returns:
            A world whose rgb and K are those of the traced picture, which may be smaller than `image`.
        """
        ...

    def free_memory(self) -> None:
        """Drop loaded weights and cached memory; the next trace loads them again."""
        ...


def create_engine(name: str) -> Engine:
    """A new instance of the engine called `name`."""
    return ENGINES.load(name)()
