"""What photos do not show, painted: the registry of painters, and what they say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..progress import OnProgress, silent
from ..registry import Registry

PAINTERS = Registry(
    "painter",
    "worldtracing.painters",
    {
        "patches": ".editing.patch_painter:PatchPainter",
        "diffusion": ".editing.diffusion_painter:DiffusionPainter",
    },
)

SEEDS = 1 << 64
"""How many seeds are different for generators of random numbers, which take neither negative nor larger ones."""


@dataclass(frozen=True)
class PainterInfo:
    """What the panel says of a painter.

    Attributes:
        name: as in `PAINTERS`.
        label: for people.
        description: what it does, and what it needs.
        licence: of its code and weights.
        gated: whether the weights are given only to those who accept the license where they lie.
        generative: whether it invents things that are nowhere in the picture, such as the back of a chair. One that
            does not continues textures, and is asked for each surface alone.
    """

    name: str
    label: str
    description: str
    licence: str = "GPL-3.0-or-later"
    gated: bool = False
    generative: bool = False


class Painter(Protocol):
    """One way to make up what is missing in a picture."""

    info: PainterInfo

    def problem(self) -> str:
        """What it lacks on this machine and how to get it, in one sentence; "" where it can be used. Loads nothing."""
        ...

    def paint(
        self,
        rgb: np.ndarray,
        unknown: np.ndarray,
        text: str = "",
        seed: int = 0,
        on_progress: OnProgress = silent,
        source: np.ndarray | None = None,
    ) -> np.ndarray:
        """(H, W, 3) uint8: the picture with what is unknown painted, and all else unchanged.

        Args:
            rgb: (H, W, 3) uint8 sRGB.
            unknown: (H, W) bool, what to paint.
            text: what is to be seen, for painters that read.
            seed: any integer: another one, another picture; the same one, the same.
            on_progress: called often; what it raises stops the work.
            source: (H, W) bool, what of the picture tells how the missing looks, be it next to it or not; the rest is
                something else, or not known either. Everything that is not unknown, without it.

        Raises:
            WorldTracingError: WT-ENV-PACKAGE, WT-MODEL-MISSING.
        """
        ...


def painter_states() -> list[tuple[PainterInfo, str]]:
    """What each of `PAINTERS` says of itself, and its problem: "" where it can be used."""
    return PAINTERS.states(lambda name: PainterInfo(name, name, "", "unknown"))
