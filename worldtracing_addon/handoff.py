"""The heavy work around a trace that needs no Blender: what stands here runs in a thread beside the main one."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..backend.worldtracing.decoding.common import upright
from ..backend.worldtracing.errors import WorldTracingError
from ..backend.worldtracing.export.png import write_png
from ..backend.worldtracing.files import write_error
from ..backend.worldtracing.image import picture_mask, save_pixels
from .core.platforms import keep_broken_pipes_harmless
from .scene.photo import RawPixels

LEFT_SECONDS = 24 * 3600.0
"""Age from which a folder of the worker's files is nobody's any more."""


def in_background(work: Callable[..., Any], *args: Any) -> Future:
    """Run `work(*args)` in a thread of its own, for which neither Blender nor Python waits when it quits."""
    future: Future = Future()

    def run() -> None:
        keep_broken_pipes_harmless()
        try:
            future.set_result(work(*args))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="world-tracing", daemon=True).start()
    return future


def new_folder(parent: Path) -> Path:
    """A folder in `parent`, one of the extension's own, for files that go to and come from the worker.

    Raises:
        WorldTracingError: WT-IO-WRITE, WT-IO-FULL.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.iterdir():  # by a Blender that has crashed; another one may be at work now
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > LEFT_SECONDS:
                    shutil.rmtree(left)
        return Path(tempfile.mkdtemp(dir=parent))
    except OSError as error:
        raise write_error(parent, error) from error


@dataclass(frozen=True, eq=False)
class Handoff:
    """What the worker is given, and what the scene needs later.

    Attributes:
        path: the pixels file.
        has_mask: whether it includes a mask.
        sha256: of the photo's own file; None where there is none, or it was painted on.
        turned: (H, W, 3 or 4) uint8 sRGB, where Blender shows the photo lying and so needs an upright copy.
    """

    path: Path
    has_mask: bool
    sha256: str | None
    turned: np.ndarray | None


def write_handoff(path: Path, photo: RawPixels, mask: RawPixels | None) -> Handoff:
    """Write the pixels for the worker.

    Raises:
        WorldTracingError: WT-IMG-NAN, WT-IMG-MASK-SIZE, WT-MEM-PHOTO, WT-IO-WRITE, WT-IO-FULL.
    """
    try:
        rgb, alpha = photo.to_photo()
        height, width = rgb.shape[:2]
        mask_values = None if mask is None else picture_mask(*_upright_mask(mask, photo), width, height)
        sha256 = photo.sha256()
        save_pixels(path, rgb, alpha, mask_values, focal_35mm=photo.exif.focal_35mm, source_sha256=sha256)
    except MemoryError as error:
        raise WorldTracingError(
            "WT-MEM-PHOTO",
            f"There is not enough memory to read {photo.name}.",
            "Close other programs, or scale the picture down in an image editor.",
        ) from error
    turned = None
    if photo.exif.orientation != 1:
        turned = rgb if alpha is None else np.dstack([rgb, alpha])
    return Handoff(path, mask is not None, sha256, turned)


def _upright_mask(mask: RawPixels, photo: RawPixels) -> tuple[np.ndarray, np.ndarray | None]:
    """`mask.to_photo()`, turned with the photo where it was painted over one that Blender shows lying."""
    rgb, alpha = mask.to_photo()
    orientation = photo.exif.orientation
    if orientation == 1 or mask.exif.orientation != 1 or mask.values.shape[:2] != photo.values.shape[:2]:
        return rgb, alpha
    painted = mask.content is None or mask.is_edited
    turns_to_another_shape = orientation >= 5 and rgb.shape[0] != rgb.shape[1]
    if not (painted or turns_to_another_shape):
        return rgb, alpha
    return upright(rgb, orientation), None if alpha is None else upright(alpha, orientation)


def write_upright(handoff: Handoff) -> Path | None:
    """The upright copy as a PNG beside the hand-off, or None where the photo needs none.

    Raises:
        WorldTracingError: WT-IO-WRITE, WT-IO-FULL.
    """
    return None if handoff.turned is None else write_png(handoff.path.with_name("upright.png"), handoff.turned)
