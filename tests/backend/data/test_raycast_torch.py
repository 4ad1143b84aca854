"""The torch ray caster answers as embree does."""

import numpy as np
import pytest

from worldtracing.camera import Camera
from worldtracing.data import assemblies, shapes
from worldtracing.data.mesh import merged
from worldtracing.data.raycast import RayCaster
from worldtracing.data.views import look_at, orbit

pytest.importorskip("embreex")
torch = pytest.importorskip("torch")
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

raycast_torch = pytest.importorskip("worldtracing.data.raycast_torch", reason="needs torch", exc_type=ImportError)


def both(meshes, cameras, poses, solid):
    true = [RayCaster(m, 1.0).layers(c, p, solid) for m, c, p in zip(meshes, cameras, poses, strict=True)]
    rays = raycast_torch.camera_rays(cameras, "cpu")
    depth, face, bary = raycast_torch.layers(raycast_torch.BatchedMeshes(meshes, poses, "cpu"), rays, 1.0, solid)
    return true, depth.numpy(), face.numpy(), bary.numpy()


@pytest.mark.parametrize("solid", [False, True])
def test_a_batch_agrees_with_embree(solid):
    rng = np.random.default_rng(5)
    meshes = [shapes.primitive(rng) for _ in range(2)] + [assemblies.chair(rng).normalized(), shapes.union(rng)]
    meshes.append(merged([shapes.box((0.3,) * 3, (x, 0, 0)) for x in (-0.2, 0.2)]))
    cameras = [Camera.from_fov(40, 40, fov) for fov in (30, 40, 50, 60, 70)]
    poses = [look_at(orbit(25, 70 * k, 2.0), np.zeros(3)) for k in range(5)]
    true, depth, face, _ = both(meshes, cameras, poses, solid)
    valid = np.stack([layers.valid for layers in true])
    expected = np.stack([layers.depth for layers in true])
    assert ((depth > 0) == valid).mean() > 0.9985
    assert ((face >= 0) == (depth > 0)).all()
    common = (depth > 0) & valid
    assert np.percentile(np.abs(depth - expected)[common], 99) < 5e-4


def test_barycentrics_name_the_hit_point():
    mesh = shapes.blob(np.random.default_rng(1)).normalized()
    camera, pose = Camera.from_fov(24, 24, 49.1), look_at(orbit(30, 40, 1.8), np.zeros(3))
    _, depth, face, bary = both([mesh], [camera], [pose], True)
    valid = depth[0] > 0
    a, b, c = (mesh.vertices @ pose[:3, :3].T + pose[:3, 3])[mesh.faces[face[0][valid]]].transpose(1, 0, 2)
    u, v = bary[0][valid].T[..., None]
    points = (1 - u - v) * a + u * b + v * c
    rays = np.broadcast_to(camera.rays(), (6, 24, 24, 3))[valid]
    np.testing.assert_allclose(points, depth[0][valid][:, None] * rays, atol=1e-4)


def test_no_table_is_larger_than_a_tile(monkeypatch):
    """Few faces make many rays a tile, and each has a table of its hits squared."""
    largest = 0

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                largest = max(largest, result.numel())
            return result

    monkeypatch.setattr(raycast_torch, "TILE", 1 << 16)
    mesh = shapes.box().normalized()
    camera, pose = Camera.from_fov(100, 100, 49.1), look_at(orbit(30, 40, 1.8), np.zeros(3))
    meshes, rays = raycast_torch.BatchedMeshes([mesh], [pose], "cpu"), raycast_torch.camera_rays([camera], "cpu")
    with Sizes():
        raycast_torch.layers(meshes, rays)
    assert largest <= max(1 << 16, 12 * 100 * 100)


def test_tiles_do_not_change_the_answer(monkeypatch):
    mesh = shapes.any_torus(np.random.default_rng(2)).normalized()
    camera, pose = Camera.from_fov(20, 20, 49.1), look_at(orbit(30, 40, 1.8), np.zeros(3))
    whole = both([mesh], [camera], [pose], True)[1]
    monkeypatch.setattr(raycast_torch, "TILE", len(mesh.faces) * 30)
    np.testing.assert_array_equal(both([mesh], [camera], [pose], True)[1], whole)
