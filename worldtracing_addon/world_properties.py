"""Object.world_tracing of a world's root: how its layers are shown, as the panel edits it.

The values are those of the layers' node groups. Reading tells the first layer's, writing sets all of them.
"""

from __future__ import annotations

from typing import Any

import bpy

from . import compat
from .scene.layer_group import COLOR_SOURCES, DISPLAYS
from .scene.worlds import WORLD, WorldObjects, layer_modifier, set_layer_inputs


def _world(root: bpy.types.Object) -> WorldObjects | None:
    scenes = root.users_scene
    return WorldObjects(scenes[0].session_uid, root[WORLD]) if scenes and WORLD in root else None


def _read(socket: str, default: Any):
    def get(owner: WT_World) -> Any:
        world = _world(owner.id_data)
        modifiers = map(layer_modifier, world.layers if world else ())
        modifier = next(filter(None, modifiers), None)
        value = None if modifier is None else compat.get_modifier_input(modifier, socket)
        return default if value is None else value

    return get


def _write(socket: str):
    def set_value(owner: WT_World, value: Any) -> None:
        world = _world(owner.id_data)
        if world is not None:
            set_layer_inputs(world, **{socket: value})

    return set_value


def _input(kind: Any, socket: str, default: Any, description: str, **options: Any) -> Any:
    """A property that stands for one input of all layers."""
    return kind(name=socket, description=description, get=_read(socket, default), set=_write(socket), **options)


def _menu(socket: str, items: tuple[str, ...], descriptions: tuple[str, ...], description: str) -> Any:
    read, write = _read(socket, items[0]), _write(socket)
    return bpy.props.EnumProperty(
        name=socket,
        description=description,
        items=[(item, item, text) for item, text in zip(items, descriptions, strict=True)],
        get=lambda owner: items.index(value) if (value := read(owner)) in items else 0,
        set=lambda owner, index: write(owner, items[index]),
    )


class WT_World(bpy.types.PropertyGroup):
    """How a world's layers are shown."""

    display: _menu(
        "Display",
        DISPLAYS,
        ("Round points, one per pixel", "A surface of one face per pixel, torn at depth jumps"),
        "Show all layers as points or as surfaces",
    )
    color_source: _menu(
        "Color Source",
        COLOR_SOURCES,
        ("The photo's own colors", "One color for each layer", "By depth, near is red"),
        "What gives the points and surfaces their color",
    )
    point_radius: _input(
        bpy.props.FloatProperty,
        "Point Radius",
        0.75,
        "Radius of a point in pixels of the traced picture. From 0.71 on, points close up as seen from the photo",
        min=0,
        soft_max=4,
        max=100,
    )
    depth_scaling: _input(
        bpy.props.BoolProperty,
        "Depth Scaling",
        True,
        "Farther points are larger, so that all look alike from the photo's camera",
    )
    density: _input(bpy.props.FloatProperty, "Density", 1.0, "Share of the points that is shown", min=0, max=1)
    cut_off: _input(
        bpy.props.IntProperty,
        "Layer Cut-Off",
        6,
        "Layers after this number are not shown; 1 leaves the visible surface alone",
        min=0,
        soft_max=6,
        max=64,
    )
    depth_jump: _input(
        bpy.props.FloatProperty,
        "Depth Jump",
        0.04,
        "Surfaces are torn where neighboring pixels differ in depth by more than this share of the nearer one's",
        min=0,
        soft_max=0.5,
        max=10,
    )
    lit: _input(
        bpy.props.BoolProperty, "Lit", False, "Let the scene's lights shine on the world. Off: the photo's own colors"
    )


_register_classes, _unregister_classes = bpy.utils.register_classes_factory((WT_World,))


def register() -> None:
    _register_classes()
    bpy.types.Object.world_tracing = bpy.props.PointerProperty(
        type=WT_World, name="World Tracing", description="How the layers of a traced world are shown"
    )


def unregister() -> None:
    del bpy.types.Object.world_tracing
    _unregister_classes()
