"""`worldtracing evaluate`: an engine's numbers beside the baselines', with goals, and a picture sheet."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..data.pool import SPLITS, mesh_files
from ..data.sheet import depth_picture, write_sheet
from ..engines.base import ENGINES, create_engine
from ..terminal import positive
from .baselines import BASELINES, Predict
from .protocol import VIEWS, engine_predict, evaluate, on_pixels, protocol_views

GOALS = {
    "own_mask/all/cd": ("<=", 0.035),
    "own_mask/all/f@0.1": (">=", 0.92),
    "own_mask/all/f@0.05": (">=", 0.78),
    "r0": ("<=", 0.5),
    "s0": ("<=", 0.6),
    "iou/layer2": (">=", 0.55),
    "iou/layer3": (">=", 0.55),
    "order_violations": ("<=", 0.0),
}
"""What the bundled model is meant to reach on real scans; CD and F-scores clearly beyond a perfect depth estimator."""

UNITS = {"cd": "object size", "f@": "share", "iou": "share", "absrel": "relative", "delta": "share", "order": "share"}

SHEET_VIEWS = 2
"""Views of each mesh on the picture sheet."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommand's arguments."""
    parser.add_argument("--engine", choices=ENGINES.names(), required=True)
    parser.add_argument("--meshes", type=Path, required=True, metavar="FOLDER", help="folder of .npz meshes")
    parser.add_argument("--split", choices=SPLITS, default="all", help="part of the folder (default: %(default)s)")
    parser.add_argument("--views", type=positive, default=VIEWS, help="views of each mesh (default: %(default)s)")
    parser.add_argument("--size", type=positive, default=112, help="pixels a side (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object per value")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="also write a PNG of pictures and layers")


def run(options: argparse.Namespace) -> int:
    """Evaluate, print, and write the sheet; 0 when it ran, whatever the numbers say."""
    files = mesh_files(options.meshes, options.split)
    predict = engine_predict(create_engine(options.engine))
    results = evaluate({options.engine: predict, **BASELINES}, files, options.views, options.size, _progress)
    if options.json:
        for line in json_lines(results, options.engine):
            print(json.dumps(line))
    else:
        print(table(results))
    if options.sheet:
        write_sheet(options.sheet, sheet_rows(predict, files, options.size), columns=2)
    return 0


def json_lines(results: dict[str, dict[str, float]], engine: str) -> list[dict]:
    """One {"name", "value", "unit", "goal", "ok"} per value: the engine's as "own_mask/all/cd", then the baselines' as
    "plane/own_mask/all/cd". goal and ok are None where there is no goal."""
    lines = []
    for method, values in results.items():
        for name, value in values.items():
            sense, bound = GOALS.get(name, (None, None)) if method == engine else (None, None)
            unit = next((unit for key, unit in UNITS.items() if name.split("/")[-1].startswith(key)), None)
            unit = "share" if name.startswith("iou") else unit or "relative to a constant"
            lines.append(
                {
                    "name": name if method == engine else f"{method}/{name}",
                    "value": round(value, 5),
                    "unit": unit,
                    "goal": None if sense is None else f"{sense} {bound:g}",
                    "ok": None if sense is None else bool(value <= bound if sense == "<=" else value >= bound),
                }
            )
    return lines


def table(results: dict[str, dict[str, float]]) -> str:
    """The values as text, a line each and a column for each method."""
    names = list(dict.fromkeys(name for values in results.values() for name in values))
    width = max(map(len, names))
    lines = [" " * width + "".join(f"{method:>19}" for method in results) + "   goal"]
    for name in names:
        cells = "".join(f"{values[name]:19.4f}" if name in values else " " * 18 + "-" for values in results.values())
        sense, bound = GOALS.get(name, ("", None))
        goal = f"   {sense} {bound:g}" if sense else ""
        lines.append(f"{name:<{width}}{cells}{goal}")
    return "\n".join(lines)


def sheet_rows(predict: Predict, files: Sequence[Path], size: int) -> list[list[np.ndarray]]:
    """For the first views of each mesh: the picture, then predicted over true depth of layers 0 to 3, side by side."""
    rows = []
    for view in protocol_views(files, SHEET_VIEWS, size):
        points, valid = on_pixels(predict(view), view)
        true = view.depth > 0
        low, high = np.percentile(view.depth[true], [1, 99])
        # Predicted depth has no scale: show it at the true median of layer 0.
        z, seen = points[..., 2], valid[0] & true[0]
        scale = np.median(view.depth[0][seen]) / np.median(z[0][seen]) if seen.any() else 1.0
        row = [view.rgb]
        for k in range(4):
            row.append(depth_picture(z[k] * scale, valid[k], low, high))
            row.append(depth_picture(view.depth[k], true[k], low, high))
        rows.append(row)
    return rows


def _progress(stage: str, k: int, n: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if k + 1 == n else ""
        print(f"\r{stage} view {k + 1}/{n}", end=end, file=sys.stderr, flush=True)
