"""LayeredWorld, the one result type: everything before it makes one, everything after it reads one.

The file format is documented in `docs/file_format.md`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from .errors import WorldTracingError
from .files import write_atomically

FORMAT = "worldtracing.layered-world"
FORMAT_VERSION = 1
MAX_LAYERS = 6
SCALE_KINDS = ("metric", "relative")


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
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))
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
        from safetensors.numpy import save

        tensors = {"points": self.points, "valid": self.valid, "rgb": self.rgb, "K": self.K}
        if self.confidence is not None:
            tensors["confidence"] = self.confidence
        # A leading frame axis: a clip will be the same file with more than one frame.
        tensors = {name: np.ascontiguousarray(value[None]) for name, value in tensors.items()}
        header = {
            "format": FORMAT,
            "version": str(FORMAT_VERSION),
            "scale": self.scale,
            "metadata": json.dumps(dict(self.metadata), sort_keys=True),
        }
        return write_atomically(path, save(tensors, header))

    @classmethod
    def load(cls, path: str | Path) -> LayeredWorld:
        """Read a file written by `save`.

        Raises:
            WorldTracingError: WT-IO-READ (missing), WT-IO-TRUNCATED, WT-IO-FOREIGN, WT-IO-NEWER,
                WT-IO-INVALID (sizes, dtypes or values that a world cannot have).
        """
        tensors, header = _read_safetensors(Path(path))
        _check_header(Path(path), header)
        frames = {len(tensor) if tensor.ndim else 0 for tensor in tensors.values()}
        if frames != {1}:
            raise _invalid(f"{path} holds {sorted(frames)} frames and this version reads single photos.")
        world = {name: tensor[0] for name, tensor in tensors.items()}
        missing = {"points", "valid", "rgb", "K"} - world.keys()
        if missing:
            raise _invalid(f"{path} lacks {', '.join(sorted(missing))}.")
        return cls(
            points=world["points"],
            valid=world["valid"],
            rgb=world["rgb"],
            K=world["K"],
            scale=header["scale"],
            confidence=world.get("confidence"),
            metadata=json.loads(header["metadata"]),
        )


def _check(world: LayeredWorld) -> None:
    points, valid = world.points, world.valid
    if points.ndim != 4 or points.shape[-1] != 3 or not 1 <= points.shape[0] <= MAX_LAYERS or 0 in points.shape:
        raise _invalid(f"points have shape {points.shape}; they must be (1 to {MAX_LAYERS}, height, width, 3).")
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
            raise _invalid(f"{name} is {array.shape} {array.dtype}; it must be {wanted}.")
    if world.scale not in SCALE_KINDS:
        raise _invalid(f"scale is {world.scale!r}; it must be one of {', '.join(SCALE_KINDS)}.")
    if not np.isfinite(world.K).all() or world.K[0, 0] <= 0 or world.K[1, 1] <= 0:
        raise _invalid("K must be finite with positive focal lengths.")
    if not np.isfinite(points[valid]).all():
        raise _invalid("valid points must be finite.")


def _read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise WorldTracingError("WT-IO-READ", f"There is no file {path}.", "Check the path, or trace the photo again.")
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except OSError as error:
        raise WorldTracingError("WT-IO-READ", f"{path} cannot be read: {error}.", "Check its permissions.") from error
    except SafetensorError as error:
        if any(word in str(error) for word in ("incomplete", "too small", "invalid header length")):
            raise WorldTracingError(
                "WT-IO-TRUNCATED", f"{path} is cut short.", "Copy it again, or trace the photo again."
            ) from error
        raise _foreign(path) from error


def _check_header(path: Path, header: dict[str, str]) -> None:
    if header.get("format") != FORMAT or not header.get("version", "").isdigit():
        raise _foreign(path)
    if int(header["version"]) > FORMAT_VERSION:
        raise WorldTracingError(
            "WT-IO-NEWER",
            f"{path} has format {header['version']}, and this World Tracing reads {FORMAT_VERSION} at most.",
            "Update the World Tracing extension.",
        )
    if not {"scale", "metadata"} <= header.keys():
        raise _invalid(f"{path} has an incomplete header.")


def _foreign(path: Path) -> WorldTracingError:
    return WorldTracingError(
        "WT-IO-FOREIGN",
        f"{path} is not a World Tracing result.",
        "Choose a .safetensors file that a trace has written.",
    )


def _invalid(sentence: str) -> WorldTracingError:
    return WorldTracingError("WT-IO-INVALID", f"This is not a usable world: {sentence}", "Trace the photo again.")
