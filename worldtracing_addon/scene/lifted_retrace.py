"""What becomes of lifted objects when their photo is traced again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...backend.worldtracing.editing.base import Segmentation
from ...backend.worldtracing.world import LayeredWorld
from .attributes import read_attribute
from .lifting import discard_fill, write_ownership
from .objects import COPY, FILLED, LIFTED, NUMBER, lifted_objects, shown_objects
from .parts import discard_object
from .points import LAYER, PIXEL, holds_points
from .segmentation import adopt, divided
from .transaction import Transaction
from .world_data import read_world
from .worlds import ITEM, KIND, WorldObjects


def size_of_lifted(objects: WorldObjects) -> tuple[int, int] | None:
    """(width, height) of the trace that a world's objects were lifted from; None where there are none."""
    known = objects.root is not None and "wt_size" in objects.root
    return tuple(objects.root["wt_size"]) if known and lifted_objects(objects) else None


@dataclass(frozen=True, eq=False)
class Retrace:
    """A world that is to take another one's place.

    Attributes:
        world: the world.
        division: into objects and supports; None where nothing is lifted in the other, or it has another size.
    """

    world: LayeredWorld
    division: Segmentation | None

    @classmethod
    def prepared(cls, world: LayeredWorld, size: tuple[int, int] | None) -> Retrace:
        """With what takes long, in any thread; `size` is `size_of_lifted` of the other."""
        return cls(world, divided(world) if size == (world.width, world.height) else None)


def keep_lifted(
    transaction: Transaction, objects: WorldObjects, size_before: Sequence[int], division: Segmentation | None = None
) -> None:
    """After the layers were built anew: lifted objects stay as they are, and the new layers leave out their pixels.

    In a trace of another size no point is where it was: objects then become copies, and the layers are whole again.

    Args:
        size_before: (width, height) of the trace that objects were lifted from.
        division: of the new layers, as `Retrace` has it; it is computed without.
    """
    lifted = lifted_objects(objects)
    if not lifted:
        return
    if list(size_before) != list(objects.root["wt_size"]):
        for item in shown_objects(objects):
            if item[KIND] == FILLED:
                discard_object(transaction, item)
            elif item[KIND] == LIFTED:
                transaction.set_properties(item, **{KIND: COPY})
        return
    data = read_world(objects)
    if division is not None:
        adopt(data.world, division)
    owner = np.zeros_like(data.owner)
    for item in lifted:
        if not holds_points(item):  # the artist has converted it, and with it goes what it was made of
            discard_fill(transaction, objects, item[ITEM])
            transaction.set_properties(item, **{KIND: COPY})
            continue
        layer, pixels = read_attribute(item.data, LAYER), np.floor(read_attribute(item.data, PIXEL)).astype(int)
        known = layer < len(owner)
        owner[layer[known], pixels[known, 1], pixels[known, 0]] = item[NUMBER]
    owner[~data.world.valid] = 0
    if owner.any():
        write_ownership(transaction, objects, replace(data, owner=owner), (owner > 0).any(0))
