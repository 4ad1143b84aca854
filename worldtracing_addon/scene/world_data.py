"""A world as the scene holds it, as the arrays that scene editing computes with, and back."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.srgb import linear_to_srgb, to_bytes
from ...backend.worldtracing.world import LayeredWorld
from .. import compat
from ..core.color import convert, linear_rgba
from ..core.frames import to_opencv
from .attributes import read_attribute, write_attribute
from .points import COLOR, CONFIDENCE, OWNER, PIXEL, POSITION
from .transaction import Transaction
from .worlds import WorldObjects

PHOTO = "wt_photo"
"""Point attribute of layers that were edited: the photo's color as 0xRRGGBB, as `wt_color` may have been changed."""

Window = tuple[slice, slice]
"""Rows and columns of a part of the picture."""

MARGIN_SHARE, MARGIN = 0.25, 8
"""What of the picture around an object tells what is behind it: in sizes of the object, and in pixels at least."""


@dataclass(frozen=True, eq=False)
class WorldData:
    """The layers of a world in the scene.

    Attributes:
        world: everything that was traced, in its places, with the photo's colors.
        owner: (L, H, W) int32, the number of the lifted object that a point belongs to; 0 the world's own, or nothing.
        vertices: per layer the (rows, columns) of its mesh's vertices; None for a layer without a mesh.
    """

    world: LayeredWorld
    owner: np.ndarray
    vertices: tuple[tuple[np.ndarray, np.ndarray] | None, ...]

    @property
    def remaining(self) -> np.ndarray:
        """(L, H, W) bool, the points that no object has taken."""
        return self.world.valid & (self.owner == 0)

    def crop(self, window: Window) -> WorldData:
        """The same in a window of the picture, without vertices."""
        K = self.world.K.copy()
        K[:2, 2] -= window[1].start, window[0].start
        at = (slice(None), *window)
        world = LayeredWorld(
            self.world.points[at], self.world.valid[at], self.world.rgb[window], K, self.world.scale,
            metadata=self.world.metadata,
        )  # fmt: skip
        return WorldData(world, self.owner[at], ())


def read_world(objects: WorldObjects) -> WorldData:
    """Collect a world's layers.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY where its layers, their points or its root have been deleted.
    """
    layers, root = objects.point_layers, objects.root
    if not layers or root is None:
        raise WorldTracingError(
            "WT-SCENE-EMPTY",
            f"The layers of the world {objects.name!r} have been deleted, or their points.",
            "Undo that, or trace the photo again.",
        )
    width, height = root["wt_size"]
    shape = (max(part["wt_layer"] for part in layers) + 1, height, width)
    points, rgb = np.zeros((*shape, 3), np.float32), np.zeros((height, width, 3), np.uint8)
    valid, owner = np.zeros(shape, bool), np.zeros(shape, np.int32)
    confidence = np.ones(shape, np.float32)
    vertices: list[tuple[np.ndarray, np.ndarray] | None] = [None] * shape[0]
    colored = np.zeros((height, width), bool)
    for part in sorted(layers, key=lambda part: part["wt_layer"]):  # a pixel has the color of its first layer
        columns, rows = np.floor(read_attribute(part.data, PIXEL)).astype(int).T
        at = part["wt_layer"], rows, columns
        vertices[at[0]] = rows, columns
        points[at], valid[at] = to_opencv(read_attribute(part.data, POSITION)), True
        confidence[at] = read_attribute(part.data, CONFIDENCE).clip(0, 1)
        owners = read_attribute(part.data, OWNER)
        owner[at] = 0 if owners is None else owners
        fresh = ~colored[rows, columns]
        if fresh.any():
            rgb[rows[fresh], columns[fresh]] = _photo(part.data, fresh)
            colored[rows, columns] = True
    K = np.array(root["wt_K"], np.float64).reshape(3, 3)
    metadata = {"mode": root.get("wt_mode") or "object", "engine": root.get("wt_engine")}
    world = LayeredWorld(points, valid, rgb, K, root.get("wt_scale", "relative"), confidence, metadata)
    return WorldData(world, owner, tuple(vertices))


def window_around(pixels: np.ndarray) -> Window:
    """The part of the picture that decides about what is behind the pixels (H, W) bool, of which there is one."""
    window = []
    for axis, length in ((1, pixels.shape[0]), (0, pixels.shape[1])):
        used = np.flatnonzero(pixels.any(axis))
        margin = MARGIN + round(MARGIN_SHARE * (used[-1] - used[0]))
        window.append(slice(max(0, used[0] - margin), min(length, used[-1] + 1 + margin)))
    return tuple(window)


def window_with_neighbors(pixels: np.ndarray, owner: np.ndarray) -> Window:
    """`window_around` the pixels and all objects that reach into it: what they uncover must be colored in one piece.

    Args:
        pixels: (H, W) bool.
        owner: (L, H, W), as in `WorldData`.
    """
    outlines = {number: (owner == number).any(0) for number in np.unique(owner) if number > 0}
    while True:
        window = window_around(pixels)
        reaching = [number for number, outline in outlines.items() if outline[window].any()]
        if not reaching:
            return window
        for number in reaching:
            pixels = pixels | outlines.pop(number)


def write_owner(transaction: Transaction, objects: WorldObjects, data: WorldData, owner: np.ndarray) -> None:
    """Tell the layers which points objects have taken; layers then leave them out."""
    for part in objects.point_layers:
        rows_columns = data.vertices[part["wt_layer"]]
        _write(transaction, part.data, OWNER, "INT", owner[part["wt_layer"]][rows_columns])


def write_colors(
    transaction: Transaction, objects: WorldObjects, data: WorldData, rgb: np.ndarray, window: Window
) -> None:
    """Give the layers' points in a window colors, (L, h, w, 3) uint8 sRGB; the photo's stay known."""
    to_working = compat.rec709_to_working()
    first, last = ((window[0].start, window[1].start), (window[0].stop, window[1].stop))
    for part in objects.point_layers:
        rows, columns = data.vertices[part["wt_layer"]]
        inside = (rows >= first[0]) & (rows < last[0]) & (columns >= first[1]) & (columns < last[1])
        if part.data.attributes.get(PHOTO) is None:
            _write(transaction, part.data, PHOTO, "INT", _packed(data.world.rgb[rows, columns]))
        colors = read_attribute(part.data, COLOR)
        near = rgb[part["wt_layer"], rows[inside] - first[0], columns[inside] - first[1]]
        colors[inside] = linear_rgba(near, to_working)
        _write(transaction, part.data, COLOR, "FLOAT_COLOR", colors)
        part.data.update()


def _write(transaction: Transaction, mesh: bpy.types.Mesh, name: str, kind: str, values: np.ndarray) -> None:
    before = read_attribute(mesh, name)
    if before is None:
        transaction.on_rollback(lambda: mesh.attributes.remove(mesh.attributes[name]))
    elif np.array_equal(before, values):
        return
    else:
        transaction.on_rollback(lambda: write_attribute(mesh, name, kind, before))
    write_attribute(mesh, name, kind, values)
    mesh.update_tag()


def _photo(mesh: bpy.types.Mesh, which: np.ndarray) -> np.ndarray:
    """(M, 3) uint8 sRGB, the photo's colors at the vertices `which` (N,) bool of a layer."""
    packed = read_attribute(mesh, PHOTO)
    if packed is None:
        return shown_colors(mesh, which)
    packed = packed[which]
    return np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], -1).astype(np.uint8)


def shown_colors(mesh: bpy.types.Mesh, which: np.ndarray | slice = slice(None)) -> np.ndarray:
    """(M, 3) uint8 sRGB, the colors with which the vertices `which` of a mesh of points are shown."""
    linear = read_attribute(mesh, COLOR)[which, :3]
    return to_bytes(linear_to_srgb(convert(linear, np.linalg.inv(compat.rec709_to_working()))).clip(0, 1))


def _packed(rgb: np.ndarray) -> np.ndarray:
    red, green, blue = rgb.astype(np.int32).T
    return red << 16 | green << 8 | blue
