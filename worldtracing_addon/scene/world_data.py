"""A world as the scene holds it, as the arrays that scene editing computes with."""

from __future__ import annotations

from dataclasses import dataclass
from threading import RLock

import bpy
import numpy as np

from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.srgb import linear_to_srgb, to_bytes
from ...backend.worldtracing.world import LayeredWorld
from .. import compat
from ..core.color import convert
from ..core.frames import to_opencv
from ..core.kept import forget, forget_all
from .attributes import read_attribute
from .points import COLOR, CONFIDENCE, OWNER, PIXEL, POSITION
from .worlds import WorldObjects

PHOTO = "wt_photo"
"""Point attribute of layers that were edited: the photo's color as 0xRRGGBB, as `wt_color` may have been changed."""

Window = tuple[slice, slice]
"""Rows and columns of a part of the picture."""

MARGIN_SHARE, MARGIN = 0.25, 8
"""What of the picture around an object tells what is behind it: in sizes of the object, and in pixels at least."""

KEPT = 2
"""Worlds whose arrays are kept; each takes about a hundred bytes per point."""

_known: dict[str, _Known] = {}
_lock = RLock()


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


@dataclass(frozen=True, eq=False)
class StoredLayer:
    """A layer's mesh as Blender stores it.

    Attributes:
        number: of the layer.
        geometry: positions (N, 3), pixels (N, 2) and confidence (N,), float32.
        owner: (N,) int32, or None where no object was ever lifted out of it.
        packed: (N,) int32, the photo's colors as 0xRRGGBB; None where the layer was never edited, and shows them:
        linear: (N, 4) float32, the shown colors in the working space, read where they are the photo's.
    """

    number: int
    geometry: tuple[np.ndarray, np.ndarray, np.ndarray]
    owner: np.ndarray | None
    packed: np.ndarray | None
    linear: np.ndarray | None

    def same_geometry(self, other: StoredLayer) -> bool:
        """Whether all points are where they are in `other`."""
        pairs = zip(self.geometry, other.geometry, strict=True)
        same = (np.array_equal(own.view(np.int32), its.view(np.int32)) for own, its in pairs)  # nan is the same too
        return self.number == other.number and all(same)

    def same_colors(self, other: StoredLayer) -> bool:
        """Whether the photo's colors are told as in `other`."""
        own, its = (layer.linear if layer.packed is None else layer.packed for layer in (self, other))
        return own.dtype == its.dtype and np.array_equal(own, its)

    def photo(self, which: np.ndarray, to_rec709: np.ndarray) -> np.ndarray:
        """(M, 3) uint8 sRGB, the photo's colors at the vertices `which` (N,) bool."""
        if self.packed is None:
            return _to_srgb(self.linear[which, :3], to_rec709)
        return unpacked(self.packed[which])


@dataclass(frozen=True, eq=False)
class StoredWorld:
    """A copy of what Blender holds of a world's layers, made on the main thread; all else is for any thread.

    Attributes:
        id: the world's.
        layers: in their order.
        size: width and height.
        camera: K by rows, the kind of scale, the mode and the engine.
        to_rec709: (3, 3), from the working space to linear Rec.709.
    """

    id: str
    layers: tuple[StoredLayer, ...]
    size: tuple[int, int]
    camera: tuple[tuple[float, ...], str, str, str | None]
    to_rec709: np.ndarray

    def data(self) -> WorldData:
        """The same as arrays over the picture. `WorldData.world` is the same value until something in it changes."""
        with _lock:
            data = self.known_data()
            if data is None:
                _forget(self.id)
                while len(_known) >= KEPT:
                    _forget(next(iter(_known)))  # the oldest
                _known[self.id] = _Known(self)
                data = _known[self.id].data(self)
            return data

    def known_data(self) -> WorldData | None:
        """The same where it takes little time, as all points are where they were the last time; else None."""
        if not _lock.acquire(blocking=False):
            return None  # a thread is reading
        try:
            known = _known.get(self.id)
            return known.data(self) if known is not None and known.has_points_of(self) else None
        finally:
            _lock.release()


class _Known:
    """The arrays of a world that was read before."""

    def __init__(self, stored: StoredWorld) -> None:
        self._stored = stored
        width, height = stored.size
        shape = (stored.layers[-1].number + 1, height, width)
        self._points, self._valid = np.zeros((*shape, 3), np.float32), np.zeros(shape, bool)
        self._confidence = np.ones(shape, np.float32)
        self._vertices: list[tuple[np.ndarray, np.ndarray] | None] = [None] * shape[0]
        self._first: list[np.ndarray] = []  # per layer (N,) bool, the vertices that give their pixels their color
        colored = np.zeros((height, width), bool)
        for layer in stored.layers:
            positions, pixels, confidence = layer.geometry
            columns, rows = np.floor(pixels).astype(int).T
            at = layer.number, rows, columns
            self._points[at], self._valid[at] = to_opencv(positions), True
            self._confidence[at] = confidence.clip(0, 1)
            self._vertices[layer.number] = rows, columns
            self._first.append(~colored[rows, columns])
            colored[rows, columns] = True
        self._world: LayeredWorld | None = None

    def has_points_of(self, stored: StoredWorld) -> bool:
        """Whether all points are where they are in `stored`."""
        own, others = self._stored, stored.layers
        same = own.size == stored.size and own.camera == stored.camera and len(own.layers) == len(others)
        return same and all(one.same_geometry(other) for one, other in zip(own.layers, others, strict=True))

    def data(self, stored: StoredWorld) -> WorldData:
        """With the colors and owners of `stored`, which has the same points."""
        pairs = zip(stored.layers, self._stored.layers, strict=True)
        if self._world is None or not all(layer.same_colors(before) for layer, before in pairs):
            self._color(stored)
        self._stored = stored
        owner = np.zeros(self._valid.shape, np.int32)
        for layer in stored.layers:
            if layer.owner is not None:
                owner[(layer.number, *self._vertices[layer.number])] = layer.owner
        return WorldData(self._world, owner, tuple(self._vertices))

    def forget(self) -> None:
        """Free what was computed from it; the same points read again would be another value."""
        if self._world is not None:
            forget(self._world)

    def _color(self, stored: StoredWorld) -> None:
        rgb = np.zeros((*self._valid.shape[1:], 3), np.uint8)
        for layer, first in zip(stored.layers, self._first, strict=True):
            if first.any():
                rows, columns = self._vertices[layer.number]
                rgb[rows[first], columns[first]] = layer.photo(first, stored.to_rec709)
        if self._world is None or not np.array_equal(self._world.rgb, rgb):
            self.forget()
            K, scale, mode, engine = stored.camera
            K, metadata = np.array(K, np.float64).reshape(3, 3), {"mode": mode, "engine": engine}
            self._world = LayeredWorld(self._points, self._valid, rgb, K, scale, self._confidence, metadata)


def read_layers(objects: WorldObjects) -> StoredWorld:
    """Copy a world's layers out of Blender.

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
    stored = []
    for part in sorted(layers, key=lambda part: part["wt_layer"]):
        geometry = tuple(read_attribute(part.data, name) for name in (POSITION, PIXEL, CONFIDENCE))
        packed = read_attribute(part.data, PHOTO)
        linear = read_attribute(part.data, COLOR) if packed is None else None
        stored.append(StoredLayer(part["wt_layer"], geometry, read_attribute(part.data, OWNER), packed, linear))
    camera = (
        tuple(root["wt_K"]),
        root.get("wt_scale", "relative"),
        root.get("wt_mode") or "object",
        root.get("wt_engine"),
    )
    to_rec709 = np.linalg.inv(compat.rec709_to_working())
    return StoredWorld(objects.id, tuple(stored), tuple(root["wt_size"]), camera, to_rec709)


def read_world(objects: WorldObjects) -> WorldData:
    """Collect a world's layers.

    Raises:
        WorldTracingError: as `read_layers`.
    """
    return read_layers(objects).data()


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


def shown_colors(mesh: bpy.types.Mesh, which: np.ndarray | slice = slice(None)) -> np.ndarray:
    """(M, 3) uint8 sRGB, the colors with which the vertices `which` of a mesh of points are shown."""
    return _to_srgb(read_attribute(mesh, COLOR)[which, :3], np.linalg.inv(compat.rec709_to_working()))


def unpacked(packed: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 of colors as 0xRRGGBB."""
    return np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], -1).astype(np.uint8)


def _forget(world_id: str) -> None:
    if world_id in _known:
        _known.pop(world_id).forget()


def _forget_everything() -> None:
    with _lock:
        for world_id in list(_known):
            _forget(world_id)
    forget_all()


@bpy.app.handlers.persistent
def _on_file_opened(*_) -> None:
    _forget_everything()


def register() -> None:
    bpy.app.handlers.load_post.append(_on_file_opened)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(_on_file_opened)
    _forget_everything()


def _to_srgb(linear: np.ndarray, to_rec709: np.ndarray) -> np.ndarray:
    return to_bytes(linear_to_srgb(convert(linear, to_rec709)).clip(0, 1))
