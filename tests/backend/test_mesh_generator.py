"""The built-in generator as its callers see it: in place, painted with the photo, cancelled at once."""

import numpy as np
import pytest
from mesh_help import CENTER, RADIUS, ball_world, world_of_depths

from worldtracing.camera import Camera
from worldtracing.data.mesh import Mesh
from worldtracing.data.raycast import RayCaster
from worldtracing.errors import Cancelled, WorldTracingError
from worldtracing.meshing import generator as layers_generator
from worldtracing.meshing.base import GENERATORS, MeshOptions, chosen_points, create_generator
from worldtracing.meshing.projection import FeatureView, Visibility, back_project
from worldtracing.meshing.raster import rasterize
from worldtracing.meshing.symmetry import find_symmetries
from worldtracing.meshing.topology import inspect
from worldtracing.meshing.unwrap import GUTTER, pack
from worldtracing.progress import silent

OPTIONS = MeshOptions(faces=3000, texture_size=256, resolution=48)


@pytest.fixture(scope="module")
def ball():
    return create_generator("layers").generate(ball_world(96), None, OPTIONS, silent)


def colors_seen(mesh, origins, directions):
    """(N, 3) texel colors at the first hits of rays, NaN beside the mesh."""
    face, _, bary = RayCaster(Mesh.plain(mesh.vertices, mesh.faces)).closest(origins, directions)
    weights = np.concatenate([1 - bary.sum(1, keepdims=True), bary], 1)
    uv = np.einsum("nk,nkc->nc", weights, mesh.uvs[face])
    size = mesh.base_color.shape[0]
    texel = np.clip(np.stack([1 - uv[:, 1], uv[:, 0]]) * size, 0, size - 1).astype(int)
    return np.where((face >= 0)[:, None], mesh.base_color[texel[0], texel[1], :3], np.nan)


def test_the_mesh_is_closed_and_in_place(ball):
    topology = inspect(ball.faces)
    assert topology.watertight and topology.manifold
    assert np.abs(np.linalg.norm(ball.vertices - CENTER, axis=1) - RADIUS).mean() < 0.005
    assert 1000 < len(ball.faces) < 3300
    assert ball.base_color.shape == (256, 256, 4)
    assert ball.metadata["generator"] == "layers" and ball.metadata["scale"] == "metric"


def test_it_looks_like_the_photo_from_the_camera(ball):
    pytest.importorskip("embreex")
    world = ball_world(96)
    rays = Camera.from_K(world.K, 96, 96).rays()
    seen = colors_seen(ball, np.zeros((96 * 96, 3)), rays.reshape(-1, 3)).reshape(96, 96, 3)
    hit = ~np.isnan(seen[..., 0])
    assert (hit == world.valid[0]).mean() > 0.99
    both = hit & world.valid[0]
    assert np.median(np.abs(seen[both] - world.rgb[both])) < 3
    assert (np.abs(seen[both] - world.rgb[both]).max(1) > 60).mean() < 0.06  # where red meets green


def test_the_hidden_side_has_the_object_s_colors_and_never_the_background_s(ball):
    pytest.importorskip("embreex")
    target = CENTER + np.stack(np.meshgrid(np.linspace(-0.4, 0.4, 21), np.linspace(-0.25, 0.25, 11), [0]), -1).reshape(
        -1, 3
    )
    seen = colors_seen(ball, target + np.array([0, 0, 3]), np.tile([0.0, 0, -1], (len(target), 1)))
    assert not np.isnan(seen).any()
    assert seen[:, 2].max() < 90  # the background is blue
    left = target[:, 0] < CENTER[0] - 0.1
    right = target[:, 0] > CENTER[0] + 0.1
    assert (seen[left, 0] > seen[left, 1]).mean() > 0.8 and (seen[right, 1] > seen[right, 0]).mean() > 0.8


def test_a_mask_of_rays_and_one_of_points_choose_what_is_meshed():
    world = ball_world(64)
    left = np.zeros((64, 64), bool)
    left[:, :30] = True
    mesh = create_generator("layers").generate(world, left, OPTIONS, silent)
    edge = (30 - world.K[0, 2]) / world.K[0, 0]
    assert (mesh.vertices[:, 0] / mesh.vertices[:, 2]).max() < edge + 0.02
    front = np.zeros_like(world.valid)
    front[0] = True
    sheet = create_generator("layers").generate(world, front, OPTIONS, silent)
    assert sheet.vertices[:, 2].max() < CENTER[2] + 0.15


def test_what_stands_before_the_object_does_not_color_it():
    depth = np.stack([np.full((60, 60), 2.0), np.full((60, 60), 2.4), np.zeros((60, 60)), np.zeros((60, 60))])
    depth[:, 20:40, 20:40] = np.array([1.0, 1.2, 2.0, 2.4])[:, None, None]
    rgb = np.full((60, 60, 3), (200, 40, 40), np.uint8)
    rgb[20:40, 20:40] = (0, 0, 255)
    world = world_of_depths(depth, 50, rgb)
    behind = world.valid & (world.points[..., 2] > 1.5)
    mesh = create_generator("layers").generate(world, behind, OPTIONS, silent)
    assert mesh.base_color[..., 2].max() < 100


@pytest.mark.parametrize("mask", [np.zeros((64, 63), bool), np.zeros((64, 64), np.uint8), np.zeros((3, 64, 64), bool)])
def test_a_mask_that_does_not_fit_is_refused(mask):
    with pytest.raises(WorldTracingError) as caught:
        chosen_points(ball_world(64), mask)
    assert caught.value.code == "WT-MESH-MASK"


@pytest.mark.parametrize("wrong", [{"faces": 3}, {"texture_size": 1 << 20}, {"resolution": 5000}, {"seed": 1.5}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(WorldTracingError) as caught:
        MeshOptions(**wrong)
    assert caught.value.code == "WT-MESH-OPTION" and next(iter(wrong)) in caught.value.message


def test_numpy_alone_makes_a_mesh_of_the_wanted_size(monkeypatch):
    monkeypatch.setattr(layers_generator, "can_decimate", lambda: False)
    options = MeshOptions(faces=2000, texture_size=128, resolution=96)
    mesh = create_generator("layers").generate(ball_world(96), None, options, silent)
    assert inspect(mesh.faces).watertight and 1000 < len(mesh.faces) < 2600
    assert "fast-simplification" in mesh.metadata["notes"][0]
    assert np.abs(np.linalg.norm(mesh.vertices - CENTER, axis=1) - RADIUS).mean() < 0.01


def test_cancel_reaches_every_stage():
    stages = []
    create_generator("layers").generate(ball_world(48), None, OPTIONS, lambda stage, k, n: stages.append((stage, k)))
    assert len(stages) >= 8
    for last in range(len(stages)):
        calls = []

        def on_progress(stage, k, n, calls=calls, last=last):
            calls.append(stage)
            if len(calls) > last:
                raise Cancelled

        with pytest.raises(Cancelled):
            create_generator("layers").generate(ball_world(48), None, OPTIONS, on_progress)


def test_equal_input_gives_an_equal_mesh(ball):
    again = create_generator("layers").generate(ball_world(96), None, OPTIONS, silent)
    assert all(np.array_equal(value, again.tensors()[name]) for name, value in ball.tensors().items())


def test_generators_are_found_by_name():
    assert "layers" in GENERATORS.names()
    assert create_generator("layers").check().ok
    with pytest.raises(WorldTracingError) as caught:
        create_generator("no-such")
    assert caught.value.code == "WT-MODEL-UNKNOWN" and "mesh generator" in caught.value.message


def test_back_projection_averages_the_views_that_see_a_point():
    camera = Camera.from_fov(32, 32, 50)
    gradient = np.repeat((np.arange(32, dtype=np.float32) + 0.5)[None], 32, 0)[..., None]
    turned = np.diag([-1.0, 1, -1, 1])
    turned[2, 3] = 4  # the same camera from the other side of z = 2
    views = [FeatureView(gradient, camera), FeatureView(gradient + 100, camera, turned)]
    points = np.array([[0.2, 0.1, 2.0], [0, 0, 2.0], [0, 0, 9.0], [50.0, 0, 2.0]])
    column = camera.project(points)[:, 0]
    features, weight = back_project(points, views)
    assert weight.tolist() == [2, 2, 1, 0]
    assert np.allclose(features[0], ((column[0]) + (32 - column[0] + 100)) / 2, atol=0.01)
    assert np.allclose(features[2], column[2], atol=0.01) and features[3] == 0
    only_first = back_project(points, views, [np.ones(4), np.zeros(4)])[0]
    assert np.allclose(only_first[:2, 0], column[:2], atol=0.01)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_voxel_grid_gets_the_mean_of_all_views_that_have_it_in_their_picture(count):
    """Views all around with maps whose values are their pixels' places: bilinear reading gives these back exactly."""
    grid = np.stack(np.meshgrid(*3 * [np.linspace(-0.7, 0.7, 6)], indexing="ij"), -1).reshape(-1, 3)
    camera = Camera.from_fov(40, 24, 30)  # narrow: each view misses some voxels
    v, u = np.mgrid[:24, :40] + 0.5
    pictures = np.stack([u, v], -1).astype(np.float32)
    views, total, seen = [], np.zeros((len(grid), 2)), np.zeros(len(grid))
    for k in range(count):
        turn = 2 * np.pi * k / count
        pose = np.eye(4)
        pose[:3, :3] = [[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]]
        pose[:3, 3] = (0, 0.1, 3)
        views.append(FeatureView(pictures + 100 * k, camera, pose))
        at = (grid @ pose[:3, :3].T + pose[:3, 3]) @ camera.K.T
        at = at[:, :2] / at[:, 2:]
        inside = (at > 0).all(1) & (at < (40, 24)).all(1)
        seen += inside
        # Beyond the middles of the outermost pixels the border goes on.
        total[inside] += at[inside].clip(0.5, (39.5, 23.5)) + 100 * k
    features, weight = back_project(grid, views)
    assert 0 < (seen == count).sum() < len(grid) and weight.tolist() == seen.tolist()
    assert np.allclose(features[seen > 0], (total / np.maximum(seen, 1)[:, None])[seen > 0], atol=1e-3)
    assert (features[seen == 0] == 0).all()


def test_colors_of_several_views_count_only_where_they_see_the_surface():
    """A ball that is red for one camera and green for the one on the other side."""
    world = ball_world(96)
    mesh = create_generator("layers").generate(world, None, OPTIONS, silent)
    camera = Camera.from_K(world.K, 96, 96)
    behind = np.diag([-1.0, 1, -1, 1])
    behind[2, 3] = 2 * CENTER[2]
    views, weights = [], []
    for color, pose in (((255, 0, 0), np.eye(4)), ((0, 255, 0), behind)):
        views.append(FeatureView(np.full((96, 96, 3), color, np.float32), camera, pose))
        local = (mesh.vertices @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32)
        visibility = Visibility.of(local, mesh.faces, camera, 0.01)
        weights.append(visibility.sees(local).astype(np.float32))
    colors, weight = back_project(mesh.vertices, views, weights)
    depth = mesh.vertices[:, 2] - CENTER[2]
    front, back = depth < -0.5 * RADIUS, depth > 0.5 * RADIUS  # neither camera sees all of the rest
    assert np.allclose(colors[front], (255, 0, 0), atol=0.01) and np.allclose(colors[back], (0, 255, 0), atol=0.01)
    assert front.sum() > 50 and back.sum() > 50 and (weight[front | back] == 1).all()


def test_a_raster_shows_the_nearest_triangle_and_interpolates():
    corners = np.array([[[0, 0], [20, 0], [0, 20]], [[0, 0], [20, 0], [0, 20]]], float)
    raster = rasterize(corners, 16, 16, depth=np.array([[2.0, 2, 2], [1, 1, 1]]))
    assert set(np.unique(raster.face)) == {-1, 1}
    place = raster.interpolate(np.concatenate([corners, np.zeros((2, 3, 1))], -1))[:, :2]
    rows, columns = np.nonzero(raster.face >= 0)
    assert np.allclose(place, np.stack([columns, rows], 1) + 0.5, atol=1e-4)


def test_visibility_tells_front_from_back():
    world = ball_world(96)
    mesh = create_generator("layers").generate(world, None, OPTIONS, silent)
    visibility = Visibility.of(mesh.vertices, mesh.faces, Camera.from_K(world.K, 96, 96), 0.01)
    direction = CENTER / np.linalg.norm(CENTER)
    poles = np.array([CENTER - RADIUS * direction, CENTER + RADIUS * direction])
    assert visibility.sees(poles).tolist() == [True, False]


def test_packed_boxes_keep_apart_and_inside():
    sizes = np.random.default_rng(0).uniform(0, 50, (200, 2))
    place, scale = pack(sizes, 256)
    low, high = place - GUTTER, place + sizes * scale + GUTTER
    assert low.min() >= -1e-9 and high.max() <= 256 + 1e-9
    apart = (low[:, None] >= high[None] - 1e-9).any(-1)
    assert (apart | apart.T | np.eye(200, dtype=bool)).all()
    assert (sizes.prod(1).sum() * scale**2) > 0.4 * 256**2


def test_mirror_planes_are_found_where_there_are_any():
    rng = np.random.default_rng(0)
    box = rng.uniform(-1, 1, (20000, 3)) * [1, 0.6, 0.3]
    side = rng.integers(0, 3, 20000)
    box[np.arange(20000), side] = np.sign(box[np.arange(20000), side]) * np.array([1, 0.6, 0.3])[side]
    view = np.array([0, 0.6, 0.8])
    planes = find_symmetries(box.astype(np.float32) + 5, view)
    assert len(planes) == 3 and abs(planes[0].normal[2]) > 0.99  # from the front to the back
    mirrored = planes[0].mirror(box + 5)
    assert np.allclose(planes[0].mirror(mirrored), box + 5)
    helix = np.stack([np.cos(box[:, 0] * 3), np.sin(box[:, 0] * 3), box[:, 0] * (1 + box[:, 0])], 1)
    assert find_symmetries(helix.astype(np.float32), view) == []
