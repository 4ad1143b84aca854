"""The pixels hand-off: a picture from a host that decodes it itself (Blender) to a backend without Pillow.

The file format is documented in `docs/file_format.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..tensors import TensorFormat

FORMAT = TensorFormat(
    name="worldtracing.pixels",
    version=1,
    noun="a World Tracing pixels file",
    fix="Choose a picture file such as PNG or JPEG.",
)
SUFFIX = ".safetensors"


def save_pixels(
    path: str | Path,
    rgb: np.ndarray,
    alpha: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    focal_35mm: float | None = None,
    source_sha256: str | None = None,
) -> Path:
    """Write the hand-off file, whose name must end in .safetensors.

    Args:
        rgb: (H, W, 3) uint8 sRGB, upright.
        alpha: (H, W) uint8, straight.
        mask: (H, W) bool, True on the foreground.
        focal_35mm: 35 mm equivalent focal length in millimetres, from the photo's EXIF data.
        source_sha256: of the photo's own file, hexadecimal.

    Raises:
        WorldTracingError: WT-IO-INVALID, and those of `write_atomically`.
    """
    tensors = {"rgb": rgb, "alpha": alpha, "mask": mask}
    tensors = {name: value for name, value in tensors.items() if value is not None}
    _check(tensors)
    if Path(path).suffix != SUFFIX:
        raise FORMAT.invalid(f"{path} must end in {SUFFIX}.")
    header = {} if focal_35mm is None else {"focal_35mm": repr(float(focal_35mm))}
    if source_sha256 is not None:
        header["source_sha256"] = source_sha256
    return FORMAT.write(path, tensors, header)


@dataclass(frozen=True, eq=False)
class Pixels:
    """What `save_pixels` was given."""

    rgb: np.ndarray
    alpha: np.ndarray | None
    mask: np.ndarray | None
    focal_35mm: float | None
    source_sha256: str | None


def read_pixels(path: Path) -> Pixels:
    """The content of a hand-off file (errors: `TensorFormat.read`)."""
    tensors, header = FORMAT.read(path)
    _check(tensors)
    try:
        focal_35mm = float(header["focal_35mm"]) if "focal_35mm" in header else None
    except ValueError as error:
        raise FORMAT.invalid(f"{path} has the focal length {header['focal_35mm']!r}.") from error
    return Pixels(tensors["rgb"], tensors.get("alpha"), tensors.get("mask"), focal_35mm, header.get("source_sha256"))


def _check(tensors: dict[str, np.ndarray]) -> None:
    rgb = tensors.get("rgb")
    if rgb is None or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or 0 in rgb.shape:
        raise FORMAT.invalid("rgb must be (height, width, 3) uint8.")
    for name, dtype in (("alpha", np.uint8), ("mask", np.bool_)):
        value = tensors.get(name)
        if value is not None and (value.shape != rgb.shape[:2] or value.dtype != dtype):
            raise FORMAT.invalid(
                f"{name} is {value.shape} {value.dtype}; it must be {rgb.shape[:2]} {np.dtype(dtype)}."
            )
