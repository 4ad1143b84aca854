"""The options of the engine `wt-dit`, as they come in `TraceOptions.extra`, checked. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import WorldTracingError
from ..seeds import read_seeds

PRECISIONS = ("fp32", "fast")

ONLY_PHOTOS = ("pad", "mask_sky", "keep_seeds", "preview", "preview_every")
FROM_TRACING = ("foreground", "alpha")  # what `trace_photo` adds for engines that use it


@dataclass(frozen=True)
class WTDiTOptions:
    """What a user may choose.

    Attributes:
        seeds: a count n, for the trace's seed and the n − 1 after it, or a list. One world is sampled per seed, all
            in one batch if they fit, and the one that suits best is the result.
        model: a released model, or the path of a converted file; by default the first one of the mode that is there.
        steps: of the sampler, 1 to 20; by default as many as the weights are meant for.
        precision: "fp32" or "fast" (bf16); by default "fast" on CUDA from compute capability 8 on, "fp32" elsewhere.
        device: "cuda", "cuda:1", "mps", "cpu", or "auto" for the first of them that is there.
        offload: keep the blocks in main memory from the start; otherwise only where memory demands it.
        official_noise: draw noise as the released sampler does, whose seeds then give the same worlds on the same
            device; otherwise a seed gives the same noise on every device.
        flyers: drop points strung between surfaces; by default in object mode and clips (see `wt_dit_world`).
        pad: in scene mode, keep the photo's aspect by padding it to a square, instead of stretching it as released.
        mask_sky: in scene mode, leave out what `sky.guess_sky` takes for clear sky.
        keep_seeds: with several seeds, write the world of each to `<keep_seeds>_seed<seed>.safetensors`.
        preview, preview_every: write the first seed's current estimate to the file `preview` every so many steps.
    """

    seeds: tuple[int, ...]
    model: str | None = None
    steps: int | None = None
    precision: str | None = None
    device: str = "auto"
    offload: bool = False
    official_noise: bool = False
    flyers: bool = True
    pad: bool = False
    mask_sky: bool = False
    keep_seeds: Path | None = None
    preview: Path | None = None
    preview_every: int = 5


def read_options(extra: Mapping[str, Any], seed: int, mode: str) -> WTDiTOptions:
    """The options in `extra`; None counts as not given.

    Args:
        extra: by name, as JSON or Python values.
        seed: the trace's seed.
        mode: "object", "scene" or "clip".

    Raises:
        WorldTracingError: WT-MODEL-OPTION, WT-MODEL-SEEDS, WT-MODEL-STEPS.
    """
    names = [f.name for f in fields(WTDiTOptions) if mode != "clip" or f.name not in ONLY_PHOTOS]
    values = {name: value for name, value in extra.items() if value is not None and name not in FROM_TRACING}
    for name, value in values.items():
        if name not in names:
            raise _bad(f"The engine wt-dit has no option {name!r} here.", f"Its options are: {', '.join(names)}.")
        check, wanted = _CHECKS[name]
        if not check(value):
            raise _bad(f"The option {name} cannot be {value!r}.", f"It must be {wanted}.")
    for name in ("keep_seeds", "preview"):
        if name in values:
            values[name] = Path(values[name])
    values.setdefault("flyers", mode != "scene")
    return WTDiTOptions(**{**values, "seeds": read_seeds(values.get("seeds", 1), seed)})


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_path(value: Any) -> bool:
    return isinstance(value, str | Path) and bool(str(value))


_FLAG = (_is_flag, "true or false")
_CHECKS = {
    "seeds": (lambda value: _is_whole(value) or isinstance(value, list | tuple), "a count or a list of numbers"),
    "model": (_is_path, "the name of a model or the path of its weights"),
    "steps": (_is_whole, "a whole number"),
    "precision": (lambda value: value in PRECISIONS, " or ".join(PRECISIONS)),
    "device": (_is_path, "auto, cuda, cuda:1, mps or cpu"),
    "offload": _FLAG,
    "official_noise": _FLAG,
    "flyers": _FLAG,
    "pad": _FLAG,
    "mask_sky": _FLAG,
    "keep_seeds": (_is_path, "a path without an ending"),
    "preview": (_is_path, "the path of a .safetensors file"),
    "preview_every": (lambda value: _is_whole(value) and value >= 1, "a whole number of steps"),
}


def _bad(message: str, fix: str) -> WorldTracingError:
    return WorldTracingError("WT-MODEL-OPTION", message, fix)
