"""LayeredWorld, the one result type: everything before it makes one, everything after it reads one.

The file format is documented in `docs/file_format.md`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from .tensors import TensorFormat

FORMAT = TensorFormat(
    name="worldtracing.layered-world",
    version=1,
    noun="a World Tracing result",
    fix="Choose a .safetensors file that a trace has written.",
)
MAX_LAYERS = 6
SCALE_KINDS = ("metric", "relative")
TEXT_METADATA = ("engine", "model", "mode", "image")


@dataclass(frozen=True, eq=False)
class LayeredWorld:
    """For each pixel an ordered stack of up to six points; layer 0 is the visible surface.

    Attributes:
        points: (L, H, W, 3) float32 in the OpenCV camera frame (x right, y down, z forward); metres if
            `scale` is "metric". Zero where not valid.
        valid: (L, H, W) bool.
        rgb: (H, W, 3) uint8 sRGB, the traced picture.
        K: (3, 3) float64 camera matrix in pixels of `rgb`, pixel centres at +0.5.
        scale: "metric" or "relative".
        confidence: (L, H, W) float32 in [0, 1], or None.
        metadata: JSON values: engine, model, seed, steps, crop (x0, y0, x1, y1 in photo pixels), image_sha256, ...
    """

    points: np.ndarray
    valid: np.ndarray
    rgb: np.ndarray
    K: np.ndarray
    scale: str
    confidence: np.ndarray | None = None
    metadata: Mapping = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "metadata", MappingProxyType(FORMAT.json_object(self.metadata)))
        _check(self)
        for array in (self.points, self.valid, self.rgb, self.K, self.confidence):
            if array is not None:
                array.flags.writeable = False

    @property
    def layers(self) -> int:
        return self.points.shape[0]

    @property
    def height(self) -> int:
        return self.points.shape[1]

    @property
    def width(self) -> int:
        return self.points.shape[2]

    def layer_points(self, layer: int) -> np.ndarray:
        """The valid points of one layer in row-major pixel order, (N, 3) float32."""
        return self.points[layer][self.valid[layer]]

    def save(self, path: str | Path) -> Path:
        """Write the versioned .safetensors file; an existing one is replaced only when all is written."""
        tensors = {"points": self.points, "valid": self.valid, "rgb": self.rgb, "K": self.K}
        if self.confidence is not None:
            tensors["confidence"] = self.confidence
        # A leading frame axis: a clip will be the same file with more than one frame.
        tensors = {name: value[None] for name, value in tensors.items()}
        metadata = json.dumps(dict(self.metadata), sort_keys=True)
        return FORMAT.write(path, tensors, {"scale": self.scale, "metadata": metadata})

    @classmethod
    def load(cls, path: str | Path) -> LayeredWorld:
        """Read a file written by `save`.

        Raises:
            WorldTracingError: WT-IO-READ (missing), WT-IO-TRUNCATED, WT-IO-FOREIGN, WT-IO-NEWER,
                WT-IO-INVALID (sizes, dtypes or values that a world cannot have).
        """
        tensors, header = FORMAT.read(path)
        missing = {"points", "valid", "rgb", "K"} - tensors.keys() | {"scale", "metadata"} - header.keys()
        if missing:
            raise FORMAT.invalid(f"{path} lacks {', '.join(sorted(missing))}.")
        frames = {len(tensor) if tensor.ndim else 0 for tensor in tensors.values()}
        if frames != {1}:
            raise FORMAT.invalid(f"{path} holds {sorted(frames)} frames and this version reads single photos.")
        world = {name: tensor[0] for name, tensor in tensors.items()}
        return cls(
            points=world["points"],
            valid=world["valid"],
            rgb=world["rgb"],
            K=world["K"],
            scale=header["scale"],
            confidence=world.get("confidence"),
            metadata=FORMAT.json_object(header["metadata"]),
        )


def read_metadata(path: str | Path) -> dict:
    """The metadata of a saved world, from its file's header alone.

    Raises:
        WorldTracingError: WT-IO-READ, WT-IO-TRUNCATED, WT-IO-FOREIGN, WT-IO-NEWER, WT-IO-INVALID.
    """
    header = FORMAT.read_header(path)
    if "metadata" not in header:
        raise FORMAT.invalid(f"{path} lacks metadata.")
    metadata = FORMAT.json_object(header["metadata"])
    _check_metadata(metadata)
    return metadata


def _check(world: LayeredWorld) -> None:
    points, valid = world.points, world.valid
    if points.ndim != 4 or points.shape[-1] != 3 or not 1 <= points.shape[0] <= MAX_LAYERS or 0 in points.shape:
        raise FORMAT.invalid(f"points have shape {points.shape}; they must be (1 to {MAX_LAYERS}, height, width, 3).")
    layers, height, width = points.shape[:3]
    expected = {
        "points": (points, (layers, height, width, 3), np.float32),
        "valid": (valid, (layers, height, width), np.bool_),
        "rgb": (world.rgb, (height, width, 3), np.uint8),
        "K": (world.K, (3, 3), np.float64),
    }
    if world.confidence is not None:
        expected["confidence"] = (world.confidence, (layers, height, width), np.float32)
    for name, (array, shape, dtype) in expected.items():
        if array.shape != shape or array.dtype != dtype:
            wanted = f"{shape} {np.dtype(dtype)}"
            raise FORMAT.invalid(f"{name} is {array.shape} {array.dtype}; it must be {wanted}.")
    if world.scale not in SCALE_KINDS:
        raise FORMAT.invalid(f"scale is {world.scale!r}; it must be one of {', '.join(SCALE_KINDS)}.")
    (fx, _, cx), (_, fy, cy), _ = K = world.K
    if not np.array_equal(K, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]) or not np.isfinite(K).all() or min(fx, fy) <= 0:
        raise FORMAT.invalid("K must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], finite, with positive focal lengths.")
    # Of all points first, which is quicker than to pick the valid ones.
    if not np.isfinite(points).all() and not np.isfinite(points[valid]).all():
        raise FORMAT.invalid("valid points must be finite.")
    if world.confidence is not None:
        sensible = (world.confidence >= 0) & (world.confidence <= 1)
        if not sensible.all() and not sensible[valid].all():
            raise FORMAT.invalid("the confidence of valid points must lie between 0 and 1.")
    _check_metadata(world.metadata)


def _check_metadata(metadata: Mapping) -> None:
    """The values that readers build on; any may be missing or null."""
    given = {name: value for name, value in metadata.items() if value is not None}
    for name in TEXT_METADATA:
        if not isinstance(given.get(name, ""), str):
            raise FORMAT.invalid(f"its {name} is {given[name]!r}; it must be a text.")
    if not isinstance(given.get("seed", 0), int):
        raise FORMAT.invalid(f"its seed is {given['seed']!r}; it must be a whole number.")
    notes = given.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise FORMAT.invalid(f"its notes are {notes!r}; they must be a list of texts.")
    crop = given.get("crop", [0, 0, 1, 1])
    numbers = isinstance(crop, list) and len(crop) == 4 and all(map(_is_finite, crop))
    if not numbers or crop[0] >= crop[2] or crop[1] >= crop[3]:
        raise FORMAT.invalid(f"its crop is {crop!r}; it must be [x0, y0, x1, y1] with x0 < x1 and y0 < y1.")


def _is_finite(value: object) -> bool:
    """Whether it is a number that a float can be."""
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max
