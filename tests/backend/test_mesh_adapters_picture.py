import numpy as np
import pytest
from lumpy_mesh import lumpy_mesh
from mesh_world import mesh_world
from toy_world import intrinsics

from worldtracing.errors import WorldTracingError
from worldtracing.meshing.adapters.generated import VIEW_PITCHES, GeneratedMesh, front_starts, place, unusable
from worldtracing.meshing.adapters.picture import cut_out, object_view, visible_pixels
from worldtracing.meshing.align import rotated
from worldtracing.world import LayeredWorld


@pytest.fixture(scope="module")
def world():
    return mesh_world()


def flat_world(width, height, K, rgb):
    """A board at z = 2 that fills the picture."""
    points = np.zeros((1, height, width, 3), np.float32)
    points[..., 2] = 2
    return LayeredWorld(points, np.ones((1, height, width), bool), rgb, K, "relative")


def test_the_view_looks_straight_at_the_object_and_just_holds_it(world):
    visible = world.valid[0]
    view = object_view(world, visible, 256, 1.1)
    np.testing.assert_allclose(view.rotation @ view.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(view.rotation) == pytest.approx(1)
    rows, columns = np.nonzero(view.rgba[..., 3] > 127)
    low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()]) + 1
    np.testing.assert_allclose((low + high) / 2, 128, atol=5)  # in the middle, up to a source pixel
    assert (high - low).max() == pytest.approx(256 / 1.1, abs=6)


def test_a_point_of_the_world_is_seen_at_its_pixel(world):
    """The view is an exact pinhole camera: what it shows at a pixel is what the photo shows of that direction."""
    view = object_view(world, world.valid[0], 256, 1.1)
    focal = 128 / np.tan(view.fov / 2)
    rows, columns = np.nonzero(world.valid[0])
    for row, column in list(zip(rows, columns, strict=True))[:: len(rows) // 40]:
        x, y, z = world.points[0, row, column] @ view.rotation
        u, v = focal * x / z + 128, focal * y / z + 128
        shown = view.rgba[int(v), int(u)].astype(int)
        around = world.rgb[row - 1 : row + 2, column - 1 : column + 2].reshape(-1, 3).astype(int)
        assert (shown[:3] >= around.min(0) - 1).all()
        assert (shown[:3] <= around.max(0) + 1).all()


def test_a_centered_object_needs_no_turn():
    rgb = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    world = flat_world(40, 40, intrinsics(40, 40), rgb)
    view = object_view(world, world.valid[0], 40, 1.0)
    np.testing.assert_allclose(view.rotation, np.eye(3), atol=1e-9)
    assert np.degrees(view.fov) == pytest.approx(2 * np.degrees(np.arctan(20 / 44)))
    np.testing.assert_array_equal(view.rgba[..., :3], rgb)
    np.testing.assert_array_equal(view.on_black(), rgb)


def test_the_background_is_black_and_no_color_bleeds_in(world):
    view = object_view(world, world.valid[0], 256, 1.1)
    assert (view.on_black()[view.rgba[..., 3] == 0] == 0).all()
    bright = np.where(world.valid[0][..., None], world.rgb, np.uint8(255))
    white = LayeredWorld(world.points, world.valid, bright, world.K, "relative")
    np.testing.assert_array_equal(object_view(white, world.valid[0], 256, 1.1).rgba[..., :3], view.rgba[..., :3])


def test_an_object_that_fills_the_photos_corner_is_framed():
    rgb = np.full((30, 60, 3), 90, np.uint8)
    world = flat_world(60, 30, intrinsics(60, 30), rgb)
    visible = np.zeros((30, 60), bool)
    visible[:6, 50:] = True
    view = object_view(world, visible, 64, 1.2)
    rows, columns = np.nonzero(view.rgba[..., 3] > 127)
    assert columns.min() > 2
    assert rows.max() < 61


def test_a_cut_out_is_the_photo_with_the_mask_as_alpha(world):
    rgba = cut_out(world, world.valid[0])
    np.testing.assert_array_equal(rgba[..., :3], world.rgb)
    np.testing.assert_array_equal(rgba[..., 3] == 255, world.valid[0])


def test_what_is_hidden_cannot_be_pictured(world):
    hidden = world.valid.copy()
    hidden[0] = False
    with pytest.raises(WorldTracingError) as caught:
        visible_pixels(hidden)
    assert caught.value.code == "WT-MESH-HIDDEN"


def test_a_mesh_that_fits_poorly_says_so():
    triangle = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    uvs, texture = np.zeros((1, 3, 2), np.float32), np.zeros((1, 1, 4), np.uint8)
    mesh = GeneratedMesh(triangle, np.array([[0, 1, 2]], np.int32), uvs, texture)
    far = np.random.default_rng(0).normal(size=(500, 3)) + np.array([0, 0, 5])
    placed = place(mesh, far, [rotated(np.eye(3))], turn=False, metadata={"notes": ["before"]})
    assert placed.metadata["notes"][0] == "before"
    assert "poorly" in placed.metadata["notes"][1]


def test_a_photo_may_look_down_on_an_upright_object(world):
    vertices, faces = lumpy_mesh()
    mesh = GeneratedMesh(vertices, faces, np.zeros(0), np.zeros(0))
    starts = front_starts(mesh, world.points[world.valid], np.eye(3))
    tops = [start.rotation @ [0, 1, 0] for start in starts]
    looking_down = [np.degrees(np.arcsin(-top[2])) for top in tops]  # the top is nearer to the camera
    np.testing.assert_allclose(looking_down, VIEW_PITCHES)
    assert all(top[1] < 0 for top in tops)  # and up stays up: y is down


@pytest.mark.parametrize(
    ("vertices", "faces"),
    [
        (np.zeros((3, 3)), [[0, 1, 2]]),
        (np.eye(3), np.zeros((0, 3), int)),
        (np.eye(3), [[0, 1, 3]]),
        (np.full((3, 3), np.nan), [[0, 1, 2]]),
    ],
)
def test_what_is_no_mesh_is_refused(vertices, faces):
    mesh = GeneratedMesh(vertices, np.asarray(faces), np.zeros((1, 3, 2)), np.zeros((1, 1, 4), np.uint8))
    with pytest.raises(WorldTracingError) as caught:
        place(mesh, np.eye(3), [rotated(np.eye(3))], turn=False, metadata={})
    assert caught.value.code == unusable("").code
