"""Known surfaces in the place of the network's output: pixels, cameras and layers must come out as they went in."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
uniform_filter = pytest.importorskip("scipy.ndimage").uniform_filter

from worldtracing.camera import Camera  # noqa: E402
from worldtracing.engines import wt_dit_network  # noqa: E402
from worldtracing.engines.base import TraceOptions  # noqa: E402
from worldtracing.engines.wt_dit_world import repair_layers  # noqa: E402
from worldtracing.flyers import STILL, drop_flyers  # noqa: E402
from worldtracing.model.normalization import ZSCORE_MEAN, ZSCORE_STD  # noqa: E402
from worldtracing.model.wt_dit import Estimate  # noqa: E402
from worldtracing.preprocess import Window  # noqa: E402
from worldtracing.progress import silent  # noqa: E402

PHOTO = Camera(90, 60, 80.0, 78.0, 47.0, 29.0, "given")
SIZE = 42
CENTER, RADIUS = np.array([0.2, 0.1, 2.2]), 0.4


@pytest.fixture
def show(monkeypatch):
    """A function that makes the network's x0 these layers, (L, H, W, 3) camera-space points."""
    load = wt_dit_network.load_model

    def show(points, norm="zscore"):
        xyz = torch.from_numpy(np.ascontiguousarray(points, np.float32))
        if norm == "zscore":
            normalized = (xyz - torch.tensor(ZSCORE_MEAN)) / torch.tensor(ZSCORE_STD)
        else:
            x, y, z = xyz.unbind(-1)
            normalized = torch.stack([x.sign() * x.abs().log1p(), y.sign() * y.abs().log1p(), z.log()], -1)

        def load_fake(*args, **kwargs):
            model, header = load(*args, **kwargs)
            x0 = normalized.movedim(-1, 0)
            model.predict = lambda x, t, conditioning: Estimate(x0.expand(len(x), -1, -1, -1, -1).to(x.device), None)
            return model, header

        monkeypatch.setattr(wt_dit_network, "load_model", load_fake)

    return show


def sphere(camera):
    """Front and back of the sphere along the rays, (2, H, W, 3), and where it is hit."""
    rays = camera.rays().astype(np.float64)
    a, b, c = (rays**2).sum(-1), rays @ CENTER, CENTER @ CENTER - RADIUS**2
    root = b**2 - a * c
    hit = root > 0
    root = np.sqrt(np.maximum(root, 0))
    return np.stack([rays * ((b + sign * root) / a)[..., None] for sign in (-1, 1)]), hit


def pixel_error(world, layer=0):
    """How far each valid point lies off its own pixel's centre."""
    rows, columns = np.nonzero(world.valid[layer])
    found = Camera.from_K(world.K, world.width, world.height).project(world.points[layer][world.valid[layer]])
    return np.hypot(found[:, 0] - columns - 0.5, found[:, 1] - rows - 0.5)


def photo_K(world):  # noqa: N802
    """The world's K in pixels of the photo."""
    x0, y0, x1, y1 = world.metadata["crop"]
    K = np.diag([(x1 - x0) / world.width, (y1 - y0) / world.height, 1]) @ world.K
    K[:2, 2] += x0, y0
    return K


def test_a_sphere_keeps_its_place_in_the_photo(engine, make_weights, show):
    make_weights()
    _, mask = sphere(PHOTO)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    side = int(np.ceil(max(np.ptp(rows), np.ptp(columns)) * 1.5 + 1.5))
    x0, y0 = (round((axis[0] + axis[-1]) / 2 - side / 2) for axis in (columns, rows))
    square = Window(x0, y0, side, side, 90, 60).square_camera(PHOTO, SIZE)
    surfaces, hit = sphere(square)
    front, back = surfaces
    left = np.arange(SIZE)[None, :, None] < SIZE // 2
    # Half of the picture has its layers swapped, and the last layer repeats the one before it.
    show(np.stack([np.where(left, back, front), np.where(left, front, back), np.maximum(front, back)]))
    image = np.full((60, 90, 3), 90, np.uint8)
    options = TraceOptions("object", extra={"flyers": False})
    world = engine.trace(image, mask, Camera.from_fov(90, 60, 20), options, silent)

    assert world.metadata["crop"] == [x0, y0, x0 + side, y0 + side]
    assert world.metadata["camera_source"] == "solved"
    assert pixel_error(world).max() < 0.5
    assert pixel_error(world, 1).max() < 0.5
    np.testing.assert_allclose(photo_K(world), PHOTO.K, atol=0.05)
    both = world.valid[0] & hit & world.valid[1]
    assert both.sum() > 0.95 * world.valid[0].sum()
    np.testing.assert_allclose(world.points[0][both], front[both], atol=1e-4)
    np.testing.assert_allclose(world.points[1][both], back[both], atol=1e-4)
    assert not world.valid[2].any()
    assert world.metadata["order_violations"] > 0.1


@pytest.mark.parametrize(
    ("pad", "crop"), [(False, (0, 0, 90, 60)), (True, (0, -15, 90, 75))], ids=("stretched", "padded")
)
def test_a_plane_keeps_its_place_in_a_scene(engine, make_weights, show, pad, crop):
    make_weights("r69l")
    x0, y0, x1, y1 = crop
    square = Window(x0, y0, x1 - x0, y1 - y0, 90, 60).square_camera(PHOTO, SIZE)
    rays = square.rays().astype(np.float64)
    plane = rays / (0.6 + 0.2 * rays[..., :1] + 0.3 * rays[..., 1:2])
    show(np.stack([plane, plane * 1.5, plane * 1.501]), "median_log")
    image, everything = np.full((60, 90, 3), 90, np.uint8), np.ones((60, 90), bool)
    world = engine.trace(
        image, everything, Camera.from_fov(90, 60, 20), TraceOptions("scene", extra={"pad": pad}), silent
    )
    assert world.metadata["crop"] == list(crop)
    assert pixel_error(world).max() < 0.5
    np.testing.assert_allclose(photo_K(world), PHOTO.K, atol=0.05)
    shown = world.valid[0]
    assert shown.mean() == pytest.approx(2 / 3 if pad else 1, abs=0.03)
    np.testing.assert_allclose(world.points[0][shown], plane[shown], atol=1e-4)
    assert world.valid.sum((1, 2)).tolist() == [shown.sum(), shown.sum(), 0]


def test_points_that_leave_the_camera_open_get_the_photos(engine, make_weights, show):
    make_weights("r69l")
    show(np.broadcast_to([0.0, 0.0, 2.0], (3, SIZE, SIZE, 3)), "median_log")
    image, everything = np.full((60, 90, 3), 90, np.uint8), np.ones((60, 90), bool)
    world = engine.trace(image, everything, PHOTO, TraceOptions("scene"), silent)
    assert world.metadata["camera_source"] == "given"
    np.testing.assert_allclose(photo_K(world), PHOTO.K)


def test_agreeing_seeds_give_full_confidence(engine, make_weights, show):
    make_weights("r69l")
    show(np.broadcast_to([0.1, 0.0, 2.0], (3, SIZE, SIZE, 3)), "median_log")
    image, everything = np.full((60, 90, 3), 90, np.uint8), np.ones((60, 90), bool)
    world = engine.trace(image, everything, PHOTO, TraceOptions("scene", extra={"seeds": 2}), silent)
    assert (world.confidence[world.valid] == 1).all()


def test_points_behind_the_camera_are_no_points():
    points = np.ones((1, 2, 4, 4, 3), np.float32)
    points[0, 0, 0, 0, 2], points[0, 0, 0, 1, 2], points[0, 0, 0, 2, 0] = -1, 0, np.inf
    points[0, 1, ..., 2] = 2
    layers = repair_layers(points, np.ones((2, 4, 4), bool))
    assert layers.valid[0].sum((1, 2)).tolist() == [16, 13]
    np.testing.assert_array_equal(layers.points[0, 0, 0, :3, 2], 2)  # the next surface takes their place
    assert np.isfinite(layers.points).all()


def test_the_flyer_filter_suits_objects_and_not_scenes():
    """Why it is on by default for the one and off for the other."""
    camera = Camera.from_fov(252, 252, 49)
    rays = camera.rays().astype(np.float64)
    large, small = ball(rays, (0.1, 0, 2.4), 0.5), ball(rays, (-0.25, 0.1, 1.7), 0.22)
    x, y, _ = np.moveaxis(np.maximum(rays, 1e-9), -1, 0)
    room = np.minimum(np.minimum(1.5 / y, 12.0), 1.2 / np.maximum(x, np.maximum(-rays[..., 0], 1e-9)))
    room[100:170, 90:150] = np.minimum(room, 5.0)[100:170, 90:150]
    assert shares(rays, np.minimum(large, small))[0] > 0.95
    removed, lost = shares(rays, room)
    assert removed < 0.6
    assert lost > 0.03


def ball(rays, center, radius):
    """Depth of a sphere's front along the rays, infinite where they miss it."""
    a, b, c = (rays**2).sum(-1), rays @ np.array(center), np.dot(center, center) - radius**2
    root = b**2 - a * c
    return np.where(root > 0, (b - np.sqrt(np.maximum(root, 0))) / a, np.inf)


def shares(rays, depth):
    """Depth mixed across its jumps, as networks do: the share of those flyers that the filter removes, and of the
    true points."""
    mask = np.isfinite(depth)
    true = np.where(mask, depth, 0)
    mixed = uniform_filter(true, 3) / np.maximum(uniform_filter(mask.astype(float), 3), 1e-9)
    flyers = mask & (np.abs(mixed - true) > 0.03 * true)
    points = (rays * np.where(flyers, mixed, true)[..., None]).astype(np.float32)
    dropped = mask & ~drop_flyers(points[None], mask[None], STILL)[1][0]
    return dropped[flyers].mean(), dropped[mask & ~flyers].mean()
