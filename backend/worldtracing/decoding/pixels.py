"""The pixels hand-off: a picture from a host that decodes it itself (Blender) to a backend without Pillow.

The file format is documented in `docs/file_format.md`.
"""

from __future__ import annotations

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
    path: str | Path, rgb: np.ndarray, alpha: np.ndarray | None = None, mask: np.ndarray | None = None
) -> Path:
    """Write the hand-off file, whose name must end in .safetensors.

    Args:
        rgb: (H, W, 3) uint8 sRGB, upright.
        alpha: (H, W) uint8, straight.
        mask: (H, W) bool, True on the foreground.

    Raises:
        WorldTracingError: WT-IO-INVALID, and those of `write_atomically`.
    """
    tensors = {"rgb": rgb, "alpha": alpha, "mask": mask}
    tensors = {name: value for name, value in tensors.items() if value is not None}
    _check(tensors)
    if Path(path).suffix != SUFFIX:
        raise FORMAT.invalid(f"{path} must end in {SUFFIX}.")
    return FORMAT.write(path, tensors, {})


def read_pixels(path: Path) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """rgb, alpha and mask, as given to `save_pixels` (errors: `TensorFormat.read`)."""
    tensors, _ = FORMAT.read(path)
    _check(tensors)
    return tensors["rgb"], tensors.get("alpha"), tensors.get("mask")


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
