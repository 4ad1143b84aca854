"""The built-in mesh generator on the true layers of a folder of meshes: time, memory, topology, distance, re-rendering.

    .venv/bin/python benchmarks/mesh.py FOLDER [--views N] [--size PIXELS] [--json]

Per object: CPU seconds of the geometry and of everything, whether the mesh is watertight and manifold, its chamfer
distance to the true surface over that of the layers' own points, and the photo's re-rendering from the matched camera
(PSNR over the true silhouette, white where the mesh misses it, and silhouette IoU). Then the figures with their goals.
Exit status 1 if a goal is missed. Times are CPU times: run with OMP_NUM_THREADS=1 to compare machines.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from worldtracing.camera import Camera
from worldtracing.data.mesh import Mesh
from worldtracing.data.pool import mesh_files
from worldtracing.data.raycast import RayCaster
from worldtracing.evaluation.baselines import world_of
from worldtracing.evaluation.metrics import align, cloud_scores
from worldtracing.evaluation.protocol import engine_predict, on_pixels, protocol_views
from worldtracing.evaluation.views import POINTS, View
from worldtracing.meshing.base import MeshOptions, create_generator
from worldtracing.meshing.projection import sample
from worldtracing.meshing.textured import TexturedMesh
from worldtracing.world import LayeredWorld

SUPERSAMPLING = 3
FIRST_TEXTURE_STAGE = "Unwrapping"
FINE = 224


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("meshes", type=Path, help="folder of .npz meshes")
    parser.add_argument("--views", type=int, default=1, help="views of each mesh (default: %(default)s)")
    parser.add_argument("--size", type=int, default=504, help="pixels a side (default: %(default)s)")
    parser.add_argument("--engine", help="use this engine's layers instead of the true ones")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    options = parser.parse_args()
    predict = true_layers
    if options.engine:
        from worldtracing.engines.base import create_engine

        predict = engine_predict(create_engine(options.engine))
    rows = []
    for view in protocol_views(mesh_files(options.meshes), options.views, options.size):
        rows.append({"name": view.name, **judge(view, predict(view))})
        print(json.dumps(rows[-1]) if options.json else text_of(rows[-1]), flush=True)
    results = summary(rows, measure_fine(view, predict(view)), of_engine=options.engine is not None)
    for line in results:
        if options.json:
            print(json.dumps(line))
        else:
            goal = "" if line["goal"] is None else f"  (goal {line['goal']}: {'met' if line['ok'] else 'MISSED'})"
            print(f"{line['name']:44s} {line['value']:10.4f} {line['unit']}{goal}")
    return 0 if all(line["ok"] for line in results) else 1


def true_layers(view: View) -> LayeredWorld:
    return world_of(view.depth, view.camera, view.rgb)


def judge(view: View, world: LayeredWorld) -> dict:
    """All figures of one view."""
    mesh, geometry, total = timed_mesh(world, MeshOptions())
    rng = np.random.default_rng(view.seed)
    points, valid = on_pixels(world, view)
    common = valid & (view.depth > 0)
    aligned = align(points[common], (view.depth[..., None] * view.camera.rays())[common])
    points = world.points[world.valid]
    points = points[rng.choice(len(points), min(POINTS, len(points)), replace=False)]
    own = cloud_scores(aligned(points), view.surface["all"])["cd"]
    surface = aligned(Mesh.plain(mesh.vertices, mesh.faces).sample_surface(POINTS, rng))
    picture, hit = render(mesh, view.camera)
    error = ((picture - view.rgb.astype(np.float64)) ** 2)[view.mask].mean()
    return {
        "geometry": geometry,
        "total": total,
        "faces": len(mesh.faces),
        "watertight": mesh.metadata["watertight"],
        "manifold": mesh.metadata["manifold"],
        "cd": cloud_scores(surface, view.surface["all"])["cd"],
        "cd_layers": own,
        "psnr": float(10 * np.log10(255**2 / max(error, 1e-9))),
        "iou": float((hit & view.mask).sum() / (hit | view.mask).sum()),
    }


def timed_mesh(world: LayeredWorld, options: MeshOptions) -> tuple[TexturedMesh, float, float]:
    """The mesh, and CPU seconds of its geometry and of everything."""
    texture_began = []

    def on_progress(stage: str, k: int, n: int) -> None:
        if stage == FIRST_TEXTURE_STAGE:
            texture_began.append(time.process_time())

    start = time.process_time()
    mesh = create_generator("layers").generate(world, None, options, on_progress)
    return mesh, texture_began[0] - start, time.process_time() - start


def measure_fine(view: View, world: LayeredWorld) -> float:
    """Time at `FINE`^3 over that at the default resolution, geometry and texture."""
    return timed_mesh(world, MeshOptions(resolution=FINE))[2] / timed_mesh(world, MeshOptions())[2]


def render(mesh: TexturedMesh, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """What a camera at the origin sees: (H, W, 3) float64 sRGB on white, and (H, W) bool where the mesh is."""
    caster = RayCaster(Mesh.plain(mesh.vertices, mesh.faces))
    fine = camera.resized(camera.width * SUPERSAMPLING, camera.height * SUPERSAMPLING)
    rays = fine.rays().reshape(-1, 3)
    face, _, bary = caster.closest(np.zeros_like(rays), rays)
    weights = np.concatenate([1 - bary.sum(1, keepdims=True), bary], 1)
    uv = np.einsum("nk,nkc->nc", weights, mesh.uvs[face])
    height, width = mesh.base_color.shape[:2]
    color = sample(
        mesh.base_color[..., :3].astype(np.float32), np.stack([uv[:, 0] * width, (1 - uv[:, 1]) * height], 1)
    )
    color = np.where((face >= 0)[:, None], color, 255).reshape(fine.height, fine.width, 3)
    middle = SUPERSAMPLING // 2
    hit = (face >= 0).reshape(fine.height, fine.width)[middle::SUPERSAMPLING, middle::SUPERSAMPLING]
    shape = (camera.height, SUPERSAMPLING, camera.width, SUPERSAMPLING, 3)
    return color.reshape(shape).mean((1, 3), dtype=np.float64), hit


def text_of(row: dict) -> str:
    closed = f"{'watertight' if row['watertight'] else 'OPEN'} {'manifold' if row['manifold'] else 'NOT MANIFOLD'}"
    return (
        f"{row['name'][-40:]:40s} {row['geometry']:5.2f} + {row['total'] - row['geometry']:.2f} s  {row['faces']:6d} "
        f"{closed}  CD {row['cd']:.4f} (layers {row['cd_layers']:.4f})  {row['psnr']:.1f} dB  IoU {row['iou']:.4f}"
    )


def summary(rows: list[dict], fine: float, of_engine: bool) -> list[dict]:
    """The figures and their goals; of an engine's layers only the distance has one."""

    def figure(name: str, value: float, unit: str, sign: str = "", bound: float | None = None) -> dict:
        ok = bound is None or (value <= bound if sign == "<=" else value >= bound)
        return {"name": name, "value": value, "unit": unit, "goal": bound and f"{sign} {bound:g}", "ok": bool(ok)}

    def of(key: str) -> np.ndarray:
        return np.array([row[key] for row in rows], np.float64)

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    ratio = of("cd") / of("cd_layers")
    closed = (of("watertight") * of("manifold")).mean()
    if of_engine:
        mean = of("cd").mean() / of("cd_layers").mean()
        return [
            figure("watertight and manifold", closed, "share", ">=", 1),
            figure("mean CD / mean CD of the points", mean, "ratio", "<=", 1.15),
        ]
    return [
        figure("geometry, slowest", of("geometry").max(), "s CPU", "<=", 4),
        figure("geometry and texture, slowest", of("total").max(), "s CPU", "<=", 8),
        figure(f"{FINE}^3 over the default", fine, "ratio", "<=", 3),
        figure("peak memory of this process", peak, "GiB", "<=", 2),
        figure("watertight and manifold", closed, "share", ">=", 1),
        figure("CD / CD of the layers, mean", ratio.mean(), "ratio"),
        figure("CD / CD of the layers, worst", ratio.max(), "ratio", "<=", 1.5),
        figure("re-rendering PSNR, mean", of("psnr").mean(), "dB", ">=", 27),
        figure("re-rendering PSNR, worst", of("psnr").min(), "dB"),
        figure("silhouette IoU, mean", of("iou").mean(), "share"),
        figure("silhouette IoU, worst", of("iou").min(), "share", ">=", 0.97),
    ]


if __name__ == "__main__":
    sys.exit(main())
