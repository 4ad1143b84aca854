"""Changes to Blender's data that happen wholly or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from ...backend.worldtracing.errors import WorldTracingError


class Transaction:
    """A context manager that takes back every change made through it when an exception leaves its block.

    Data-blocks that are discarded are removed only at the end, so that taking back is always possible.
    """

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []
        self._made: list[bpy.types.ID] = []
        self._discarded: list[bpy.types.ID] = []

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_) -> None:
        if kind is None:
            _remove(self._discarded)
            return
        for undo in reversed(self._undo):
            undo()
        bpy.data.batch_remove(self._made)

    def made(self, block: Any) -> Any:
        """Register the new data-block `block`, and return it."""
        self._made.append(block)
        return block

    def discard(self, block: bpy.types.ID) -> None:
        """Remove `block` at the end, if nobody uses it then. Objects and collections are always removed."""
        self._discarded.append(block)

    def on_rollback(self, undo: Callable[[], None]) -> None:
        """Call `undo` if the block fails; the latest is called first."""
        self._undo.append(undo)

    def set(self, owner: Any, **values: Any) -> None:
        """Set attributes of a Blender structure."""
        for name, value in values.items():
            old = getattr(owner, name)
            old = tuple(old) if hasattr(old, "__len__") and not isinstance(old, (str, set)) else old
            self._undo.append(lambda name=name, old=old: setattr(owner, name, old))
            setattr(owner, name, value)

    def set_properties(self, block: bpy.types.ID, **values: Any) -> None:
        """Set custom properties; None removes one."""
        for name, value in values.items():
            old = block.get(name)
            old = old.to_list() if hasattr(old, "to_list") else old
            self._undo.append(lambda name=name, old=old: _set_property(block, name, old))
            _set_property(block, name, value)

    def link(self, collection: bpy.types.Collection, child: bpy.types.Object | bpy.types.Collection) -> None:
        """Link an object or a collection into `collection`.

        Raises:
            WorldTracingError: WT-SCENE-LINKED where it is another file's, and Blender lets nothing be added to it.
        """
        children = collection.objects if isinstance(child, bpy.types.Object) else collection.children
        if collection.library or collection.override_library:
            raise WorldTracingError(
                "WT-SCENE-LINKED",
                f"Nothing can be added to {collection.name}, which is linked from another file.",
                "Change the world in its own file, or append it instead of linking it.",
            )
        children.link(child)
        self._undo.append(lambda: children.unlink(child))


def _set_property(block: bpy.types.ID, name: str, value: Any) -> None:
    if value is None:
        block.pop(name, None)
    else:
        block[name] = value


def _remove(blocks: list[bpy.types.ID]) -> None:
    owned = (bpy.types.Object, bpy.types.Collection)
    bpy.data.batch_remove([block for block in blocks if isinstance(block, owned)])
    rest = [block for block in blocks if not isinstance(block, owned)]
    while unused := [block for block in rest if block.users == 0]:  # removing one can free what it used
        rest = [block for block in rest if block not in unused]
        bpy.data.batch_remove(unused)
