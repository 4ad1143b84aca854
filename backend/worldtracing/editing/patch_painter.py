"""What is missing in a picture, put together from patches of the rest in numpy alone: wood, fabric and tiles go on.

Matches and colors are improved in turn, from coarse to fine (Wexler et al. 2007), by colors and by how rough the
picture is, which keeps calm and lively parts apart at coarse scales (Newson et al. 2014). Light that changes slowly is
taken off before and continued smoothly, so that patches fit whether they lie in light or shade.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..progress import OnProgress, silent
from ..regions import dilate, erode
from .colors import box_sum, to_bytes
from .painters import SEEDS, PainterInfo
from .patch_match import RADIUS, PatchMatch
from .pull_push import pull_push

LIGHT_SHARE = 0.06
"""Reach of the mean that is taken for the light, in longer sides of the photo; stripes wider than twice that blur."""

ROUGHNESS, ROUGH_SIZE = 2.0, 15
"""How much a difference in roughness counts relative to one in color, and the width in pixels it is measured over."""

THINNEST = 14
"""Thickness of the gap in pixels down to which scales are halved: patches there see what is known around it."""

FEWEST = 30
"""Patches to take from that a coarser scale must have."""

ROUNDS, COARSE_ROUNDS = 3, 8
"""Searches and votes at the finest scale, and at each other one."""

FINAL_SPREAD = 0.7
"""Of a patch's votes in pixels in the end: little, as means of several patches lose the grain."""

MARGIN_SHARE, MARGIN = 1.0, 48
"""What of the picture around the gap is looked at: in sizes of the gap, and in pixels at least."""

ENOUGH = 2.0
"""Patches to take from per pixel that is unknown; where the margin holds fewer, the whole picture is looked at."""


class PatchPainter:
    """Continues the textures around a gap; needs no model."""

    info = PainterInfo(
        "patches",
        "Patches of the Photo",
        "Continues the wood, fabric or tiles around with pieces of them. Needs nothing more",
    )

    def problem(self) -> str:
        """See `Painter.problem`."""
        return ""

    def paint(
        self,
        rgb: np.ndarray,
        unknown: np.ndarray,
        text: str = "",
        seed: int = 0,
        on_progress: OnProgress = silent,
        source: np.ndarray | None = None,
    ) -> np.ndarray:
        """See `Painter.paint`; it cannot read the text. Where there is no whole patch to take, colors go on smoothly.

        A gap of 150 x 150 pixels takes about a second of one core, larger ones in proportion to their area.
        """
        source = ~unknown if source is None else source & ~unknown
        result = rgb.copy()
        if unknown.any() and source.any():
            window = _window(unknown, source)
            reach = max(1, round(LIGHT_SHARE * max(unknown.shape)))
            rng = np.random.default_rng(seed % SEEDS)
            painted = _completed(rgb[window], unknown[window], source[window], reach, rng, on_progress)
            result[window][unknown[window]] = painted[unknown[window]]
        return result


@dataclass(frozen=True, eq=False)
class _Scale:
    """A picture at one scale: (H, W, C) float32, and bool (H, W) what is wanted, and what may be taken from."""

    image: np.ndarray
    unknown: np.ndarray
    source: np.ndarray

    def halved(self) -> _Scale:
        height, width = (size // 2 * 2 for size in self.unknown.shape)
        parts = [(slice(row, height, 2), slice(column, width, 2)) for row in (0, 1) for column in (0, 1)]
        return _Scale(
            np.mean([self.image[part] for part in parts], 0, np.float32),
            np.any([self.unknown[part] for part in parts], 0),
            np.all([self.source[part] for part in parts], 0),
        )

    def patches(self) -> int:
        """How many whole patches there are to take from."""
        return int(np.count_nonzero(erode(np.pad(self.source, RADIUS), RADIUS)))


def _window(unknown: np.ndarray, source: np.ndarray) -> tuple[slice, slice]:
    """The gap with what is around it, or the whole picture where too little of that may be taken."""
    window = []
    for axis, length in ((1, unknown.shape[0]), (0, unknown.shape[1])):
        used = np.flatnonzero(unknown.any(axis))
        margin = max(MARGIN, round(MARGIN_SHARE * (used[-1] - used[0])))
        window.append(slice(max(0, used[0] - margin), min(length, used[-1] + 1 + margin)))
    near = erode(source, RADIUS)[tuple(window)]
    if np.count_nonzero(near) >= ENOUGH * np.count_nonzero(unknown):
        return tuple(window)
    return slice(0, unknown.shape[0]), slice(0, unknown.shape[1])


def _completed(
    rgb: np.ndarray,
    unknown: np.ndarray,
    source: np.ndarray,
    reach: int,
    rng: np.random.Generator,
    on_progress: OnProgress,
) -> np.ndarray:
    """(H, W, 3) uint8, the picture with its gap filled; whatever is not source may have changed."""
    light = _light(rgb, source, reach)
    detail = rgb - light
    finest = _Scale(np.concatenate([detail, ROUGHNESS * _roughness(detail, source)], -1), unknown, source)
    if finest.patches() == 0:
        return to_bytes(pull_push(rgb, source))
    scales = [finest]
    while not dilate(~scales[-1].unknown, THINNEST // 2).all() and scales[-1].halved().patches() >= FEWEST:
        scales.append(scales[-1].halved())
    rounds, done = COARSE_ROUNDS * (len(scales) - 1) + ROUNDS, 0
    match = None
    for scale in reversed(scales):
        coarse, match = match, PatchMatch(scale.image, scale.unknown, scale.source, rng)
        if coarse is None:
            match.begin()
        else:
            match.begin_from(coarse)
        for _ in range(ROUNDS if scale is finest else COARSE_ROUNDS):
            on_progress("painting", done, rounds)
            match.search()
            match.vote()
            done += 1
    match.vote(FINAL_SPREAD)
    return to_bytes((match.image[..., :3] + light).clip(0, 255))


def _light(rgb: np.ndarray, source: np.ndarray, reach: int) -> np.ndarray:
    """(H, W, 3) float32, means of what is around each pixel of the source, and their smooth continuation elsewhere."""
    total, weight = np.where(source[..., None], rgb, 0).astype(np.float32), source[..., None].astype(np.float32)
    for _ in range(2):  # two boxes make a tent
        total, weight = box_sum(total, 2 * reach + 1), box_sum(weight, 2 * reach + 1)
    light = total / np.maximum(weight, 1e-6)
    return np.where(source[..., None], light, pull_push(light, source))


def _roughness(detail: np.ndarray, source: np.ndarray) -> np.ndarray:
    """(H, W, 2) float32, mean steps of gray from pixel to pixel, down and right, where both are known."""
    gray, result = detail.mean(-1), []
    for axis in (0, 1):
        both = source & np.roll(source, 1, axis)
        step = np.where(both, np.abs(gray - np.roll(gray, 1, axis)), 0).astype(np.float32)
        count = box_sum(both[..., None].astype(np.float32), ROUGH_SIZE)
        result.append(box_sum(step[..., None], ROUGH_SIZE) / np.maximum(count, 1))
    return np.concatenate(result, -1)
