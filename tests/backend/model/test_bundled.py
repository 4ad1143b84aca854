"""The checkpoint that comes with the extension."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from worldtracing.camera import Camera  # noqa: E402
from worldtracing.engines.base import TraceOptions  # noqa: E402
from worldtracing.engines.wt_bundled import WEIGHTS, BundledEngine  # noqa: E402
from worldtracing.engines.wt_numpy import NumpyWTDiT, view_of  # noqa: E402
from worldtracing.errors import WorldTracingError  # noqa: E402
from worldtracing.layers import order_violations  # noqa: E402
from worldtracing.model.viewing import camera_rays  # noqa: E402
from worldtracing.progress import silent  # noqa: E402
from worldtracing.training.source import to_renders  # noqa: E402
from worldtracing.training.targets import make_targets  # noqa: E402
from worldtracing.training.validation import predict, relative_errors  # noqa: E402
from worldtracing.weights.load import load_model  # noqa: E402
from worldtracing.weights.tensorfile import verify_weights  # noqa: E402

COFFEE = Path(__file__).parents[3] / "examples" / "coffee.jpg"
MAX_BYTES = 45_000_000
SEED = 20261121
"""Of shapes that were not trained on: training draws from other streams."""


@pytest.fixture(scope="module")
def model():
    return load_model(WEIGHTS)[0]


def test_the_file_is_whole_and_small_enough():
    header = verify_weights(WEIGHTS)
    assert header.precision == "fp16"
    assert header.config.validity
    assert WEIGHTS.stat().st_size <= MAX_BYTES


def off_centre_disk(model):
    """A noisy picture (H, W, 4) whose matte is a disk right of the middle, noise (2, l, H, W), and a camera."""
    size = model.config.image_size
    rng = np.random.default_rng(2)
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    disk = (rows**2 + (columns - 0.1) ** 2 < 0.1).astype(np.float32)
    picture = np.dstack([rng.random((size, size, 3)).astype(np.float32), disk])
    noise = np.random.default_rng(0).standard_normal((2, model.config.layers, size, size), np.float32)
    return picture, noise, Camera.from_fov(size, size, 45)


def torch_estimate(model, picture, noise, camera, t):
    """Depths and logits (2, l, H, W) of one evaluation."""
    intrinsics = torch.tensor([[camera.fx, camera.fy, camera.cx, camera.cy]])
    rays = camera_rays(intrinsics, camera.height, camera.width)
    with torch.inference_mode():
        conditioning = model.condition(torch.from_numpy(picture.copy()).movedim(-1, 0)[None], rays)
        estimate = model.predict(torch.from_numpy(noise.copy())[None, None], torch.tensor(t), conditioning)
    return torch.stack([estimate.x0[0, 0], estimate.validity[0]]).numpy()


def assert_equal_to_ten_thousandth(ours, theirs):
    for mine, its in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-4 * np.abs(its).max())


def test_numpy_computes_what_torch_does(model):
    picture, (noise, _), camera = off_centre_disk(model)
    network = NumpyWTDiT.load(WEIGHTS)
    ours = network.predict(noise, np.float32(0.5), network.condition(picture, view_of(camera.rays())))
    assert_equal_to_ten_thousandth(ours, torch_estimate(model, picture, noise, camera, 0.5))


def test_a_step_averages_over_the_picture_and_its_mirror_image(model):
    picture, (inside, outside), camera = off_centre_disk(model)
    mask = picture[..., 3] > 0.5
    ours = NumpyWTDiT.load(WEIGHTS).sample(picture, view_of(camera.rays()), mask, steps=1, seed=0)
    seen = np.where(mask, inside, outside)
    direct = torch_estimate(model, picture, seen, camera, 1.0)
    turned = torch_estimate(model, picture[:, ::-1], seen[..., ::-1], camera, 1.0)[..., ::-1]
    assert np.abs(direct - turned).max() > 0.01
    assert_equal_to_ten_thousandth(ours, (direct + turned) / 2)


@pytest.mark.parametrize("steps", [0, -3, 21, 1.5, "4", True])
def test_steps_that_are_not_possible(steps):
    picture = np.zeros((40, 60, 3), np.uint8)
    options = TraceOptions(extra={"steps": steps})
    with pytest.raises(WorldTracingError, match="WT-MODEL-STEPS"):
        BundledEngine().trace(picture, picture[..., 0] == 0, Camera.from_fov(60, 40, 50), options, silent)


def test_layers_of_a_photo_are_in_order():
    photo = np.asarray(Image.open(COFFEE).convert("RGB"))
    height, width = photo.shape[:2]
    everything, camera = np.ones((height, width), bool), Camera.from_fov(width, height, 60)
    world = BundledEngine().trace(photo, everything, camera, TraceOptions(mode="scene", resolution=256), silent)
    assert world.valid[1].any() and order_violations(world.points, world.valid) == 0


def test_it_has_learned_depth_and_hidden_layers(model):
    """On shapes that it has never seen: better than a plane, and not the visible surface alone."""
    pytest.importorskip("embreex")
    from worldtracing.data.scenes import make_sample, object_source

    samples = [make_sample(SEED, k, object_source([], 0), model.config.image_size, {"object": 1.0}) for k in range(8)]
    intrinsics = [[s.camera.fx, s.camera.fy, s.camera.cx, s.camera.cy] for s in samples]
    arrays = [s.rgba for s in samples], [s.depth for s in samples], np.float32(intrinsics)
    targets = make_targets(to_renders(tuple(map(np.stack, arrays))))
    estimate = predict(model, targets.picture, targets.rays, targets.traced, model.config.steps)
    for layer in (0, 1):
        scaled, _ = relative_errors(estimate.x0[:, 0, layer], targets.x0[:, 0, layer], targets.valid[:, layer])
        assert scaled.mean() < 0.9  # 1 is a constant
    found = (estimate.validity > 0) & targets.valid[:, :1]
    back = found[:, 1] & targets.valid[:, 1]
    assert back.sum() > 0.9 * targets.valid[:, 1].sum()
    assert (found[:, 2] & targets.valid[:, 2]).any()
