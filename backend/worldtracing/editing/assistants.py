"""Segmenters, detectors and painters by kind, as the worker runs them for an add-on whose Python cannot: from file to
file.

An assistant of kind "segmenter" selects, one of kind "detector" finds, one of kind "painter" paints. What they are
given and what they answer are versioned .safetensors files, which `docs/protocol.md` describes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..decoding.pixels import read_pixels, save_pixels
from ..errors import WorldTracingError
from ..files import check_writable
from ..progress import OnProgress, silent
from ..registry import Registry
from ..tensors import TensorFormat
from ..world import LayeredWorld
from .base import SEGMENTERS, Box, Click, Prompt, SegmenterInfo, Stroke, segmenter_states
from .detectors import DETECTORS, Detection, DetectorInfo, detector_states
from .painters import PAINTERS, PainterInfo, painter_states

ANSWER = TensorFormat(
    name="worldtracing.answer",
    version=1,
    noun="an answer of a segmenter, detector or painter",
    fix="Try again.",
)

PAINTING = TensorFormat(
    name="worldtracing.painting",
    version=1,
    noun="a picture with a part to paint",
    fix="Try again.",
)

PROMPTS: dict[str, type] = {"click": Click, "box": Box, "stroke": Stroke}


@dataclass(frozen=True)
class AssistRequest:
    """
    Attributes:
        kind: of `KINDS`.
        plugin: its name in the registry.
        input: a world's file for a segmenter, a pixels hand-off for a detector, `save_painting` for a painter.
        output: the .safetensors file to write.
        prompts: for a segmenter, from `prompts_to_json`.
        text: for a detector, what to find; for a painter, what is to be seen.
    """

    kind: str
    plugin: str
    input: Path
    output: Path
    prompts: Sequence[Mapping[str, Any]] = ()
    text: str = ""


class Assistants:
    """Instances by kind and name, kept between requests so that their weights are loaded once."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Any] = {}

    def get(self, kind: str, name: str) -> Any:
        """
        Raises:
            WorldTracingError: WT-MODEL-UNKNOWN, WT-MODEL-BROKEN.
        """
        if (kind, name) not in self._kept:
            self._kept[kind, name] = _kind(kind).registry.load(name)()
        return self._kept[kind, name]

    def free_memory(self) -> None:
        """Forget all of them, and so their weights."""
        self._kept.clear()

    def answer(self, request: AssistRequest, on_progress: OnProgress = silent) -> None:
        """Read the input, ask the assistant, write its answer.

        Raises:
            WorldTracingError: WT-MODEL-UNKNOWN, WT-MODEL-BROKEN, WT-IO-..., and those of the assistant.
        """
        kind = _kind(request.kind)
        check_writable(request.output)
        assistant = self.get(request.kind, request.plugin)
        on_progress(f"{kind.doing} with {getattr(assistant.info, 'label', request.plugin)}", 0, 1)
        tensors = kind.ask(assistant, request, on_progress)
        on_progress("Saving the answer", 0, 1)  # where a cancel that came meanwhile is heeded
        ANSWER.write(request.output, tensors, {})


def assistant_entries() -> list[dict]:
    """What each assistant says of itself with its `kind` and its `problem`, "" where it can be used; JSON values."""
    entries = []
    for kind, about in KINDS.items():
        for info, problem in about.states():
            try:
                entry = asdict(info) | {"kind": kind, "problem": str(problem)}
                entries.append(json.loads(json.dumps(entry, allow_nan=False)))
            except (TypeError, ValueError) as error:  # an `info` that is none
                name = str(getattr(info, "name", kind))
                entries.append({"kind": kind, "name": name, "problem": f"Its description cannot be read ({error})."})
    return entries


def prompts_to_json(prompts: Sequence[Prompt]) -> list[dict]:
    """Prompts as a request has them: objects with the fields of each, and its `type`."""
    names = {kind: name for name, kind in PROMPTS.items()}
    return [asdict(prompt) | {"type": names[type(prompt)]} for prompt in prompts]


def prompts_from_json(prompts: Sequence[Mapping[str, Any]]) -> list[Prompt]:
    """
    Raises:
        WorldTracingError: WT-SCENE-PROMPT for what is no prompt.
    """
    try:
        return [_prompt(**prompt) for prompt in prompts]
    except (TypeError, ValueError, KeyError) as error:
        raise WorldTracingError(
            "WT-SCENE-PROMPT",
            f"A mark in the picture cannot be read ({error}).",
            "Give clicks, boxes and strokes with finite numbers.",
        ) from error


def _prompt(type: str, **fields: Any) -> Prompt:
    if "points" in fields:
        fields["points"] = tuple((_number(x), _number(y)) for x, y in fields["points"])
        if not fields["points"]:
            raise ValueError("a stroke without points")
    numbers = {name: _number(value) for name, value in fields.items() if name not in ("points", "positive")}
    return PROMPTS[type](**fields | numbers)


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a number that is not finite")
    return number


# Each kind ---------------------------------------------------------------------------------------------------------


def _select(segmenter: Any, request: AssistRequest, _on_progress: OnProgress) -> dict[str, np.ndarray]:
    world = LayeredWorld.load(request.input)
    mask = segmenter.select(world, prompts_from_json(request.prompts))
    return {"mask": np.asarray(mask, bool)}


def read_mask(path: Path, width: int, height: int) -> np.ndarray:
    """(H, W) bool, a segmenter's answer about a world of this size.

    Raises:
        WorldTracingError: WT-IO-READ, WT-IO-TRUNCATED, WT-IO-FOREIGN, WT-IO-NEWER, WT-IO-INVALID.
    """
    mask = _tensors(path, "mask")["mask"]
    if mask.shape != (height, width) or mask.dtype != bool:
        raise ANSWER.invalid(f"the mask is {mask.shape} {mask.dtype}.")
    return mask


def save_picture(rgb: np.ndarray, path: Path) -> Path:
    """Write what a detector is given: (H, W, 3) uint8."""
    return save_pixels(path, np.ascontiguousarray(rgb))


def _find(detector: Any, request: AssistRequest, _on_progress: OnProgress) -> dict[str, np.ndarray]:
    rgb = read_pixels(request.input).rgb
    found = detector.find(rgb, request.text)
    empty = np.zeros((0, *rgb.shape[:2]), bool)
    return {
        "boxes": np.array([(d.box.x0, d.box.y0, d.box.x1, d.box.y1) for d in found], np.float64).reshape(-1, 4),
        "scores": np.array([d.score for d in found], np.float64),
        "masked": np.array([d.mask is not None for d in found], bool),
        "masks": np.concatenate([empty, *(np.asarray(d.mask, bool)[None] for d in found if d.mask is not None)]),
    }


def read_detections(path: Path, width: int, height: int) -> list[Detection]:
    """A detector's answer about a picture of this size.

    Raises:
        WorldTracingError: as `read_mask`.
    """
    boxes, scores, masked, masks = _tensors(path, "boxes", "scores", "masked", "masks").values()
    count = len(scores) if scores.ndim == 1 else -1
    fits = boxes.shape == (count, 4) and masked.shape == (count,) and masked.dtype == bool and masks.dtype == bool
    finite = fits and np.isfinite(boxes).all() and np.isfinite(scores).all()
    if not finite or masks.shape != (np.count_nonzero(masked), height, width):
        raise ANSWER.invalid("its boxes, scores and masks do not belong together.")
    left = iter(masks)
    return [
        Detection(Box(*map(float, box)), float(score), next(left) if has_mask else None)
        for box, score, has_mask in zip(boxes, scores, masked, strict=True)
    ]


def save_painting(rgb: np.ndarray, unknown: np.ndarray, source: np.ndarray | None, seed: int, path: Path) -> Path:
    """Write what a painter is given; the arguments are those of `Painter.paint`."""
    tensors = {"rgb": rgb, "unknown": unknown} | ({} if source is None else {"source": source})
    return PAINTING.write(path, tensors, {"seed": str(seed)})


def _paint(painter: Any, request: AssistRequest, on_progress: OnProgress) -> dict[str, np.ndarray]:
    tensors, header = PAINTING.read(request.input)
    try:
        seed, rgb, unknown = int(header["seed"]), tensors["rgb"], tensors["unknown"]
    except (KeyError, ValueError) as error:
        raise PAINTING.invalid(f"{request.input} lacks {error}.") from error
    return {"rgb": painter.paint(rgb, unknown, request.text, seed, on_progress, tensors.get("source"))}


def read_painted(path: Path, width: int, height: int) -> np.ndarray:
    """(H, W, 3) uint8, a painter's answer about a picture of this size.

    Raises:
        WorldTracingError: as `read_mask`.
    """
    rgb = _tensors(path, "rgb")["rgb"]
    if rgb.shape != (height, width, 3) or rgb.dtype != np.uint8:
        raise ANSWER.invalid(f"the picture is {rgb.shape} {rgb.dtype}.")
    return rgb


def _tensors(path: Path, *names: str) -> dict[str, np.ndarray]:
    tensors, _ = ANSWER.read(path)
    if missing := set(names) - tensors.keys():
        raise ANSWER.invalid(f"{path} lacks {', '.join(sorted(missing))}.")
    return {name: tensors[name] for name in names}


@dataclass(frozen=True)
class Kind:
    """What assistants of one kind have in common.

    Attributes:
        registry: that they are in.
        info: the class of what they say of themselves.
        states: what each says of itself, and its problem.
        doing: what one does, for people.
        ask: has one answer a request, as the arrays of its answer.
    """

    registry: Registry
    info: type
    states: Callable[[], list[tuple[Any, str]]]
    doing: str
    ask: Callable[[Any, AssistRequest, OnProgress], dict[str, np.ndarray]]


KINDS = {
    "segmenter": Kind(SEGMENTERS, SegmenterInfo, segmenter_states, "Selecting", _select),
    "detector": Kind(DETECTORS, DetectorInfo, detector_states, "Looking for it", _find),
    "painter": Kind(PAINTERS, PainterInfo, painter_states, "Painting", _paint),
}


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise WorldTracingError(
            "WT-MODEL-UNKNOWN",
            f"There are no assistants of the kind {name!r}.",
            f"Choose one of: {', '.join(KINDS)}.",
        )
    return KINDS[name]
