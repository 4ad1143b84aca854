"""Painting what photos do not show: the part of the Python API that `api` passes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bpy

from ..backend.worldtracing.editing.painters import PainterInfo
from ..backend.worldtracing.progress import OnProgress, silent
from .scene import repainting
from .scene.worlds import WorldObjects

__all__ = ["painters", "prepare_repaint", "repaint"]


def painters() -> list[tuple[PainterInfo, str]]:
    """What each painter says of itself, license included, and why it cannot be used here; "" where it can."""
    return repainting.known_painters()


def repaint(
    world: WorldObjects, items: Sequence[bpy.types.Object] = (), painter: str = "patches", seed: int = 0
) -> int:
    """Paint what lifted objects hid instead of continuing colors smoothly; returns how many points were painted.

    A generative painter also paints the objects' backs. What is painted stays marked as invented, and goes when the
    object is put back.

    Args:
        items: lifted objects of this world; without any, all of them.
        painter: the name of one of `painters`.
        seed: another one, another picture.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY, WT-SCENE-SELECT where no object was lifted, WT-MODEL-UNKNOWN,
            WT-MODEL-MISSING, WT-MODEL-REFUSED, WT-ENV-PACKAGE, WT-MEM-ASSIST.
    """
    return repainting.repaint(world, items, painter, seed)


def prepare_repaint(
    world: WorldObjects,
    items: Sequence[bpy.types.Object] = (),
    painter: str = "patches",
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> Callable[[], object] | None:
    """What `repaint` would compute, as a function for a thread; None where it is known.

    Once it has run, repainting only writes colors. The function raises what stops the painter.

    Args:
        on_progress: called in the thread; what it raises stops the painter.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY, WT-SCENE-SELECT, WT-MODEL-UNKNOWN.
    """
    return repainting.prepare(world, items, painter, seed, on_progress)
