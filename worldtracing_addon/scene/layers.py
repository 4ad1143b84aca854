"""The objects of a world's layers and their node-group inputs."""

from __future__ import annotations

from typing import Any

import bpy

from .. import compat
from .layer_group import NAME as GROUP_NAME
from .layer_group import ensure_group
from .parts import discard_object, new_object
from .transaction import Transaction
from .worlds import WorldObjects, layer_modifier


def update_layers(
    transaction: Transaction,
    objects: WorldObjects,
    root: bpy.types.Object,
    meshes: dict[int, bpy.types.Mesh],
    inputs: dict[str, Any],
    display: str,
) -> None:
    """Give each mesh its object, new or known, and take away objects of layers that are no more.

    Args:
        meshes: by layer.
        inputs: the inputs of the node group that belong to the world; the others are the artist's.
        display: of new layers, unless the world has others already.
    """
    group = ensure_group(transaction)
    known = {layer["wt_layer"]: layer for layer in objects.layers}
    display = _display_in_use(known) or display
    for layer, part in known.items():
        if layer not in meshes:
            discard_object(transaction, part)
    for layer, mesh in meshes.items():
        part = known.get(layer)
        if part is None:
            part = new_object(transaction, objects, "layers", mesh.name, "layer", mesh)
            part["wt_layer"], part.parent = layer, root
        else:
            transaction.discard(part.data)
            transaction.set(part, data=mesh)
        modifier = layer_modifier(part)
        if modifier is None:
            modifier = part.modifiers.new(GROUP_NAME, "NODES")
            transaction.on_rollback(lambda part=part, modifier=modifier: part.modifiers.remove(modifier))
            modifier.node_group = group
            compat.set_modifier_input(modifier, "Display", display)
        for socket, value in inputs.items():
            set_input(transaction, modifier, socket, value)


def _display_in_use(layers: dict[int, bpy.types.Object]) -> str | None:
    modifiers = (layer_modifier(layer) for _, layer in sorted(layers.items()))
    shown = (compat.get_modifier_input(modifier, "Display") for modifier in modifiers if modifier)
    return next(filter(None, shown), None)


def set_input(transaction: Transaction, modifier: bpy.types.NodesModifier, socket: str, value: Any) -> None:
    """Set an input of a layer's node group."""
    old = compat.get_modifier_input(modifier, socket)
    transaction.on_rollback(lambda: compat.set_modifier_input(modifier, socket, old))
    compat.set_modifier_input(modifier, socket, value)
