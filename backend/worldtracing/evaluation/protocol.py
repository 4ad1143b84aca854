"""The object protocol over any engine: predict each view, align, compare, average.

Following LaRI's object protocol: one scale and one shift along z per view, by least squares over all layer pixels that
both truth and prediction have; then 10,000 predicted points (all, where there are fewer) against 10,000 points uniform
on the mesh. "own mask" takes the points that the prediction itself calls valid, which is what a user gets; "gt mask"
those where truth has a surface, an absent layer repeating the one in front of it. "visible" compares layer 0 with the
surface that the camera sees, "unseen" the layers behind it with the rest of the surface.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..data.pool import load_mesh
from ..engines.base import Engine, TraceOptions
from ..progress import OnProgress, silent
from ..world import MAX_LAYERS, LayeredWorld
from .baselines import Predict
from .metrics import THRESHOLDS, Alignment, align, cloud_scores, depth_scores, order_violations, relief_scores
from .views import POINTS, View, Views

PARTS = {"all": slice(None), "visible": slice(0, 1), "unseen": slice(1, None)}

VIEWS = 6


def engine_predict(engine: Engine, options: TraceOptions | None = None) -> Predict:
    """How an engine answers a view: it gets the picture on white, the mask and the true camera."""

    def predict(view: View) -> LayeredWorld:
        chosen = options or TraceOptions(resolution=max(view.mask.shape))
        return engine.trace(view.rgb, view.mask, view.camera, chosen, silent)

    return predict


def protocol_views(files: Iterable[str | Path], views: int = VIEWS, size: int = 112) -> Iterable[View]:
    """The views of every mesh, mesh after mesh."""
    for path in files:
        of_mesh = Views(Path(path).stem, load_mesh(path), size)
        for index in range(views):
            yield of_mesh.view(index)


def evaluate(
    predictions: dict[str, Predict],
    files: Sequence[str | Path],
    views: int = VIEWS,
    size: int = 112,
    on_progress: OnProgress = silent,
) -> dict[str, dict[str, float]]:
    """The protocol's numbers of several predictions on the same views.

    Args:
        predictions: by name, e.g. {"wt-dit": engine_predict(engine), **BASELINES}.
        files: .npz meshes (see `data.pool`).
        views: views of each mesh.
        size: pictures' side in pixels.
        on_progress: called before each view.

    Returns:
        For each prediction, values by name such as "own_mask/all/cd", means over views; mask IoUs and order violations
        are pooled over all pixels.

    Raises:
        WorldTracingError: WT-IO-READ, WT-IO-INVALID (a mesh), WT-ENV-PACKAGE (embreex), and whatever engines raise.
    """
    tallies = {name: Tally() for name in predictions}
    for k, view in enumerate(protocol_views(files, views, size)):
        on_progress("evaluate", k, len(files) * views)
        for name, predict in predictions.items():
            tallies[name].add(view, predict(view))
    return {name: tally.means() for name, tally in tallies.items()}


class Tally:
    """Collects the numbers of one prediction over views."""

    def __init__(self) -> None:
        self._values: defaultdict[str, list[float]] = defaultdict(list)
        self._pooled: defaultdict[str, np.ndarray] = defaultdict(lambda: np.zeros(2))

    def add(self, view: View, world: LayeredWorld) -> None:
        """Compare one world with the truth of its view."""
        points, valid = on_pixels(world, view)
        true = view.depth > 0
        common = true & valid
        if not common.any():
            return self._add_nothing(view)
        aligned = align(points[common], (view.depth[..., None] * view.camera.rays())[common])
        own = [world.layer_points(k) for k in range(world.layers)]
        filled = _filled(points, valid)
        where_true = true & (filled[..., 2] > 0)
        own_scores = _cloud_scores(view, own, aligned)
        same = world.valid.shape[1:] == valid.shape[1:] and np.array_equal(where_true, valid)
        gt_scores = (
            own_scores
            if same
            else _cloud_scores(view, [p[w] for p, w in zip(filled, where_true, strict=True)], aligned)
        )
        for mask, scores in (("own_mask", own_scores), ("gt_mask", gt_scores)):
            for name, value in scores.items():
                self._values[f"{mask}/{name}"].append(value)
        self._add_depths(view.depth, points[..., 2], common)
        for k in range(MAX_LAYERS):
            self._pooled[f"iou/layer{k}"] += ((true[k] & valid[k]).sum(), (true[k] | valid[k]).sum())
        self._pooled["order_violations"] += order_violations(points[..., 2], valid)
        return None

    def means(self) -> dict[str, float]:
        """The values by name, in reading order."""
        means = {name: float(np.mean(values)) for name, values in self._values.items()}
        pooled = {name: float(part / max(whole, 1)) for name, (part, whole) in self._pooled.items()}
        return means | pooled

    def _add_nothing(self, view: View) -> None:
        """A view without a usable point: no F-score, and the distance of an object's size."""
        for name in [f"{mask}/{part}" for mask in ("own_mask", "gt_mask") for part in view.surface]:
            self._values[f"{name}/cd"].append(1.0)
            for threshold in THRESHOLDS:
                self._values[f"{name}/f@{threshold:g}"].append(0.0)
        for k in range(MAX_LAYERS):
            self._pooled[f"iou/layer{k}"] += (0, (view.depth[k] > 0).sum())

    def _add_depths(self, true: np.ndarray, predicted: np.ndarray, common: np.ndarray) -> None:
        z, g = (depth[0][common[0]].astype(np.float64) for depth in (predicted, true))
        if len(z):
            for name, value in depth_scores(z, g).items():
                self._values[f"layer0/{name}"].append(value)
        for layer in (0, 1):
            z, g = (np.log(depth[layer][common[layer]].astype(np.float64)) for depth in (predicted, true))
            scores = relief_scores(z, g)
            if scores:
                self._values[f"r{layer}"].append(scores[0])
                self._values[f"s{layer}"].append(scores[1])


def on_pixels(world: LayeredWorld, view: View) -> tuple[np.ndarray, np.ndarray]:
    """A world's layers at the view's pixels, wherever its own picture lies: points (6, H, W, 3), valid (6, H, W).

    Each view pixel takes the world's pixel that its ray falls into.
    """
    rays = view.camera.rays().astype(np.float64)
    pixels = rays @ world.K.T
    column, row = (np.floor(pixels[..., k]).astype(int) for k in (0, 1))
    inside = (column >= 0) & (column < world.width) & (row >= 0) & (row < world.height)
    column, row = column.clip(0, world.width - 1), row.clip(0, world.height - 1)
    height, width = view.mask.shape
    points = np.zeros((MAX_LAYERS, height, width, 3), np.float32)
    valid = np.zeros((MAX_LAYERS, height, width), bool)
    points[: world.layers] = world.points[:, row, column]
    valid[: world.layers] = world.valid[:, row, column] & inside & (points[: world.layers, ..., 2] > 0)
    return points, valid


def _cloud_scores(view: View, layers: list[np.ndarray], aligned: Alignment) -> dict[str, float]:
    """Chamfer distances and F-scores by "part/score" of the points (N, 3) of each layer."""
    rng = np.random.default_rng(view.seed)
    scores = {}
    for part, surface in view.surface.items():
        chosen = np.concatenate([np.zeros((0, 3), np.float32), *layers[PARTS[part]]])
        if not len(chosen):  # nothing predicted behind the visible layer, or no visible layer: what there is must do
            chosen = np.concatenate(layers)
        picked = chosen if len(chosen) <= POINTS else chosen[rng.choice(len(chosen), POINTS, replace=False)]
        scores |= {f"{part}/{name}": value for name, value in cloud_scores(aligned(picked), surface).items()}
    return scores


def _filled(points: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Points (L, H, W, 3) where every absent layer repeats the one in front of it; zero where none is."""
    filled = points * valid[..., None]
    for k in range(1, len(filled)):
        filled[k] = np.where(valid[k][..., None], filled[k], filled[k - 1])
    return filled
