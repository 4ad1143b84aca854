"""How well objects are lifted and removed, on furnished rooms whose layers and objects are known, and how fast.

    python benchmarks/editing.py                    needs the extra "train" (embreex, scipy)
    python benchmarks/editing.py --json             one JSON object per line: name, value, unit, goal, ok
    python benchmarks/editing.py --pictures DIR     also writes a picture per scene

Every object of every scene is clicked once, on a random pixel of it. Removed is one object per scene; the camera then
moves around the room's middle by 8 degrees, and what is seen is compared with a picture of the room without the object.
The photo has the object's shadow, which nothing here removes; so has the picture, and one without is compared as well.
The same is done with what the painter "patches" makes of the hidden parts. Texture is the mean step from pixel to pixel
in gray, relative to that of the picture with shadow.
Times are those of the process, in seconds of one core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from report import Report

from worldtracing.data.editing_scenes import EditingScene, editing_scene
from worldtracing.editing import PAINTERS, Click, fill, lift, repaint_hidden, segment, select, surface_colors
from worldtracing.editing.base import Segmentation
from worldtracing.world import LayeredWorld

TURN_DEGREES = 8.0
LEAST_SHARE = 0.1  # of a point's color, below which a pixel does not show it
SPEED_SIZE = 504  # six full layers: 1,524,096 points
GAP = 150  # side in pixels of what is painted for speed


def lifted_scores(scene: EditingScene, segmentation: Segmentation, rng: np.random.Generator) -> list[dict[str, float]]:
    """For each object the overlap of its pixels, and how its true points were shared out."""
    scores = []
    for owner in scene.objects:
        seen, true = scene.owners[0] == owner, scene.owners == owner
        row, column = rng.choice(np.argwhere(seen))
        mask = select(scene.world, [Click(column + 0.5, row + 0.5)], segmentation)
        points = lift(scene.world, mask, segmentation.planes).points
        hidden = true.copy()
        hidden[0] = False
        scores.append(
            {
                "overlap": np.count_nonzero(mask & seen) / np.count_nonzero(mask | seen),
                "found": np.count_nonzero(points & true) / np.count_nonzero(true),
                "found_hidden": np.count_nonzero(points & hidden) / max(np.count_nonzero(hidden), 1),
                "foreign": np.count_nonzero(points & ~true) / max(np.count_nonzero(points), 1),
            }
        )
    return scores


def removal(scene: EditingScene, segmentation: Segmentation, owner: int) -> tuple[dict[str, float], list[np.ndarray]]:
    """Quality of the view without one object (selected by its true pixels, so that this judges what is behind it)."""
    world, planes = scene.world, segmentation.planes
    rest = world.valid & ~lift(world, scene.owners[0] == owner, planes, segmentation.surfaces).points
    colors = surface_colors(world, rest, planes, segmentation.surfaces)
    filled = fill(world, rest, planes)
    middle = np.array([0, 0, np.median(world.points[0, ..., 2])])
    move = turned(middle, TURN_DEGREES)
    photographed = rest.copy()
    photographed[1:] = False
    covered = [splat(scene, move, world.points[which], colors.rgb[which]) for which in (rest, photographed)]
    points = np.concatenate([world.points[rest], filled.points[filled.valid]])
    view, depth = splat(scene, move, points, np.concatenate([colors.rgb[rest], filled.rgb[filled.valid]]))
    painted = repaint_hidden(
        world, rest, planes, PAINTERS.load("patches")(), filled=filled, surfaces=segmentation.surfaces
    )
    of_rest = colors.rgb.copy()
    rows, columns = np.nonzero(painted.layer >= 0)
    of_rest[painted.layer[rows, columns], rows, columns] = painted.rgb[rows, columns]
    of_fill = np.where(painted.of_fill[..., None], painted.rgb, filled.rgb)
    repainted = splat(scene, move, points, np.concatenate([of_rest[rest], of_fill[filled.valid]]))[0]
    true, unshaded = (scene.without(owner, move @ scene.pose, shadow) for shadow in (True, False))
    by_layer = np.isfinite(covered[0][1])
    behind = by_layer & (covered[1][1] > 1.02 * covered[0][1])  # what only a hidden layer shows
    scores = {
        "psnr": psnr(covered[0][0], true, by_layer),
        "psnr_behind": psnr(covered[0][0], true, behind),
        "psnr_unshaded": psnr(covered[0][0], unshaded, by_layer),
        "behind_unshaded": psnr(covered[0][0], unshaded, behind),
        "behind_painted": psnr(repainted, true, behind),
        "behind_painted_unshaded": psnr(repainted, unshaded, behind),
        "texture": texture(covered[0][0], behind) / texture(true, behind),
        "texture_painted": texture(repainted, behind) / texture(true, behind),
        "psnr_filled": psnr(view, true, np.isfinite(depth)),
        "covered": by_layer.mean(),
        "covered_filled": np.isfinite(depth).mean(),
    }
    return scores, [world.rgb, *(np.rint(one).astype(np.uint8) for one in (view, repainted)), true]


def turned(center: np.ndarray, degrees: float) -> np.ndarray:
    """(4, 4) from the photo's camera frame to that of a camera moved around `center` (3,)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    move = np.eye(4)
    move[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    move[:3, 3] = center - move[:3, :3] @ center
    return move


def splat(scene: EditingScene, move: np.ndarray, points: np.ndarray, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points seen from the moved camera, each spread bilinearly over 2 x 2 pixels; the nearest 2 % of depth mix.

    Returns:
        (H, W, 3) float64 colors in 0..255, and (H, W) depth, inf where no point falls.
    """
    camera = scene.camera
    moved = points @ move[:3, :3].T + move[:3, 3]
    front = moved[:, 2] > 0.05
    moved, rgb = moved[front], rgb[front]
    at = camera.project(moved) - 0.5
    corner = np.floor(at).astype(np.int64)
    share = at - corner
    depth = np.full(camera.height * camera.width, np.inf)
    parts = []
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column, row = corner[:, 0] + right, corner[:, 1] + down
        weight = np.abs(1 - right - share[:, 0]) * np.abs(1 - down - share[:, 1])
        inside = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
        inside = np.flatnonzero(inside & (weight > LEAST_SHARE))
        pixel = row[inside] * camera.width + column[inside]
        np.minimum.at(depth, pixel, moved[inside, 2])
        parts.append((pixel, inside, weight[inside]))
    total, picture = np.full(depth.size, 1e-9), np.zeros((depth.size, 3))
    for pixel, which, weight in parts:
        near = moved[which, 2] <= 1.02 * depth[pixel]
        np.add.at(total, pixel[near], weight[near])
        np.add.at(picture, pixel[near], weight[near, None] * rgb[which[near]])
    shape = camera.height, camera.width
    return (picture / total[:, None]).reshape(*shape, 3), depth.reshape(shape)


def psnr(picture: np.ndarray, true: np.ndarray, where: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB over the pixels `where`; nan where there are none."""
    if not where.any():
        return float("nan")
    return float(-10 * np.log10(max(np.mean((picture[where] / 255 - true[where] / 255) ** 2), 1e-10)))


def texture(picture: np.ndarray, where: np.ndarray) -> float:
    """Mean step of gray from a pixel to its right neighbor, both of them `where`; nan where there are none."""
    both = where[:, 1:] & where[:, :-1]
    return float(np.abs(np.diff(picture.astype(float).mean(-1), axis=1))[both].mean()) if both.any() else float("nan")


def full_world(size: int) -> LayeredWorld:
    """A room in which every ray has six points: the missing ones repeat the last surface, as released models do."""
    world = editing_scene(8, size).world
    points = world.points.copy()
    for layer in range(1, len(points)):
        missing = ~world.valid[layer]
        points[layer][missing] = points[layer - 1][missing] * np.float32(1.0005)
    return replace(world, points=points, valid=np.broadcast_to(world.valid[0], world.valid.shape).copy())


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """The median of the process's time for `work`."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return sorted(times)[repeats // 2]


def speed_part(report: Report) -> None:
    world = full_world(SPEED_SIZE)
    segmentation = segment(world)
    planes = segmentation.planes
    largest = segmentation.mask(1)
    report.add("speed: points", np.count_nonzero(world.valid), "")
    report.add("speed: segmentation", seconds(lambda: segment(world)), "s", at_most=3)
    report.add("speed: lift, the largest object", seconds(lambda: lift(world, largest, planes)), "s", at_most=0.5)
    lifted = lift(world, largest, planes).points
    rest = world.valid & ~lifted
    report.add("speed: colors of the object", seconds(lambda: surface_colors(world, lifted, planes)), "s")
    report.add("speed: colors of the rest", seconds(lambda: surface_colors(world, rest, planes)), "s")
    report.add("speed: fill", seconds(lambda: fill(world, rest, planes)), "s")
    gap = np.zeros(world.rgb.shape[:2], bool)
    gap[GAP : 2 * GAP, GAP : 2 * GAP] = True
    painter = PAINTERS.load("patches")()
    report.add(
        f"speed: patches, a gap of {GAP} x {GAP}", seconds(lambda: painter.paint(world.rgb, gap)), "s", at_most=3
    )


def quality_part(report: Report, scenes: int, size: int, pictures: Path | None) -> None:
    rng = np.random.default_rng(0)
    lifted, removed = [], []
    for number in range(scenes):
        scene = editing_scene(number, size)
        segmentation = segment(scene.world)
        lifted += lifted_scores(scene, segmentation, rng)
        scores, shown = removal(scene, segmentation, scene.objects[number % len(scene.objects)])
        removed.append(scores)
        if pictures:
            save(pictures / f"room_{number:02d}.png", [*shown, colored(segmentation.labels)])
    mean = {name: np.mean([scores[name] for scores in lifted]) for name in lifted[0]}
    report.add("lift: objects clicked", len(lifted), "")
    report.add("lift: IoU of object pixels, one click", mean["overlap"], "", at_least=0.85)
    report.add("lift: share of objects with IoU above .85", np.mean([s["overlap"] > 0.85 for s in lifted]), "")
    report.add("lift: share of an object's true points found", mean["found"], "", at_least=0.90)
    report.add("lift: the same of its hidden points", mean["found_hidden"], "")
    report.add("lift: share of foreign points", mean["foreign"], "", at_most=0.05)
    mean = {name: np.nanmean([scores[name] for scores in removed]) for name in removed[0]}
    report.add("remove: PSNR where a layer covers", mean["psnr"], "dB", at_least=25)
    report.add("remove: the same, its shadow gone too", mean["psnr_unshaded"], "dB")
    report.add("remove: the worst scene", min(scores["psnr"] for scores in removed), "dB")
    report.add("remove: PSNR where only a hidden layer covers", mean["psnr_behind"], "dB")
    report.add("remove: the same, its shadow gone too", mean["behind_unshaded"], "dB")
    report.add("remove: texture there, relative to the truth", mean["texture"], "")
    report.add("repaint: PSNR where only a hidden layer covers", mean["behind_painted"], "dB")
    report.add("repaint: the same, its shadow gone too", mean["behind_painted_unshaded"], "dB")
    report.add("repaint: texture there, relative to the truth", mean["texture_painted"], "")
    report.add("remove: PSNR of all, filled", mean["psnr_filled"], "dB")
    report.add("remove: covered by layers", mean["covered"], "")
    report.add("remove: covered with the fill", mean["covered_filled"], "")


def colored(labels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8, a color per label, black for none."""
    palette = np.random.default_rng(3).integers(60, 256, (int(labels.max()) + 1, 3)).astype(np.uint8)
    palette[0] = 0
    return palette[labels]


def save(path: Path, pictures: list[np.ndarray]) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(pictures, 1)).save(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--size", type=int, default=256, help="the photos' side in pixels")
    parser.add_argument(
        "--pictures", type=Path, help="folder for a picture per scene: photo, view, repainted, truth, labels"
    )
    options = parser.parse_args()
    report = Report(options.json)
    quality_part(report, options.scenes, options.size, options.pictures)
    speed_part(report)
    return 1 if report.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
