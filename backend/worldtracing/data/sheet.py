"""Contact sheets: rows of pictures to look at what a model sees and what it should answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..extras import need
from ..files import write_atomically
from .scenes import Sample


def depth_picture(depth: np.ndarray, valid: np.ndarray, low: float, high: float) -> np.ndarray:
    """(H, W, 3) uint8: near bright yellow over far dark blue, black where not valid."""
    t = np.clip((depth - low) / max(high - low, 1e-6), 0, 1)[..., None]
    near, middle, far = np.array([253, 231, 37.0]), np.array([33, 145, 140.0]), np.array([68, 1, 84.0])
    color = np.where(t < 0.5, near + (middle - near) * 2 * t, middle + (far - middle) * (2 * t - 1))
    return (color * valid[..., None]).astype(np.uint8)


def sample_row(sample: Sample, layers: int = 4) -> list[np.ndarray]:
    """The picture, its mask over a checkerboard, and the first layers' depths on one scale."""
    size = sample.rgba.shape[0]
    checks = (np.add(*np.mgrid[0:size, 0:size]) // 8 % 2 * 60 + 120)[..., None]
    alpha = sample.rgba[..., 3:] / 255
    masked = (sample.rgba[..., :3] * alpha + checks * (1 - alpha)).astype(np.uint8)
    valid = sample.depth > 0
    low, high = np.percentile(sample.depth[valid], [1, 99])
    depths = [depth_picture(sample.depth[k], valid[k], low, high) for k in range(layers)]
    return [sample.rgba[..., :3], masked, *depths]


def write_sheet(path: str | Path, rows: Iterable[Sequence[np.ndarray]], columns: int = 1) -> Path:
    """Write rows of equally large (H, W, 3) uint8 pictures as a PNG, `columns` rows side by side.

    Raises:
        WorldTracingError: WT-ENV-PACKAGE without Pillow; WT-IO-WRITE, WT-IO-FULL.
    """
    import io

    image = need("PIL.Image", "image", "write a picture sheet")
    strips = [np.concatenate(row, 1) for row in rows]
    strips += [np.zeros_like(strips[0])] * (-len(strips) % columns)
    lines = [np.concatenate(strips[k : k + columns], 1) for k in range(0, len(strips), columns)]
    buffer = io.BytesIO()
    image.fromarray(np.concatenate(lines, 0)).save(buffer, "PNG")
    return write_atomically(path, buffer.getvalue())
