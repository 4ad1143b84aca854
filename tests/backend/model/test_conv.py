"""The small network: shapes, sizes, and its numpy twin."""

import json
from dataclasses import asdict

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from worldtracing.camera import Camera  # noqa: E402
from worldtracing.engines.base import TraceOptions  # noqa: E402
from worldtracing.engines.numpy_layers import gelu  # noqa: E402
from worldtracing.engines.wt_bundled import BundledEngine  # noqa: E402
from worldtracing.engines.wt_numpy import NumpyWTDiT, view_of  # noqa: E402
from worldtracing.errors import WorldTracingError  # noqa: E402
from worldtracing.model.config import MODELS, ConvConfig, EncoderConfig, ModelConfig  # noqa: E402
from worldtracing.model.conv_wt_dit import build_model  # noqa: E402
from worldtracing.model.viewing import camera_rays  # noqa: E402
from worldtracing.progress import silent  # noqa: E402
from worldtracing.sampling import sample  # noqa: E402
from worldtracing.training.checkpoint import save_weights  # noqa: E402

SMALL = ModelConfig(
    name="small",
    image_size=64,
    layers=3,
    width=48,
    blocks=6,
    heads=3,
    head_blocks=0,
    encoder=EncoderConfig(width=32, depth=2, heads=2, patch=16),
    xyz_norm="log_depth",
    steps=2,
    ray_map=True,
    validity=True,
    conv=ConvConfig((16, 32, 48), (1, 2, 1), 8),
)


def random_network(config=SMALL):
    """Every parameter random, so that no branch is hidden behind a small initial gain."""
    model = build_model(config).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(7)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_gain = "norm" in name and name.endswith("weight")
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 16
        parameter.copy_(1 + 0.2 * noise if is_gain else noise / fan_in**0.5)
    return model


def inputs(height, width, layers=3, n=1):
    generator = torch.Generator().manual_seed(1)
    picture = torch.rand(n, 4, height, width, generator=generator)
    rays = camera_rays(torch.tensor([[90.0, 100.0, 0.4 * width, 0.6 * height]] * n), height, width)
    return picture, rays, torch.randn(n, 1, layers, height, width, generator=generator)


def relative(ours, theirs):
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@pytest.mark.parametrize(("height", "width", "t"), [(64, 64, 1.0), (32, 80, 0.3), (48, 48, 0.0)])
def test_numpy_gives_what_torch_gives(height, width, t):
    model = random_network()
    picture, rays, x = inputs(height, width)
    conditioning = model.condition(picture, rays)
    estimate = model.predict(x, torch.tensor(t), conditioning)
    twin = NumpyWTDiT({k: v.numpy() for k, v in model.state_dict().items()}, json.loads(json.dumps(asdict(SMALL))))
    view = view_of(rays[0].permute(1, 2, 0).numpy())
    condition = twin.condition(picture[0].permute(1, 2, 0).numpy(), view)
    depth, logits = twin.predict(x[0, 0].numpy(), t, condition)
    assert relative(condition.features, conditioning.features[0, 0].numpy()) < 1e-5
    assert relative(depth, estimate.x0[0, 0].numpy()) < 1e-5
    assert relative(logits, estimate.validity[0].numpy()) < 1e-5
    calm = np.tanh(depth)
    assert relative(view.depth(calm), conditioning.viewing.decode(torch.from_numpy(calm)[None])[0].numpy()) < 1e-5


def test_gelu_is_the_exact_one():
    x = np.linspace(-8, 8, 1001, dtype=np.float32)
    exact = torch.nn.functional.gelu(torch.from_numpy(x).double()).numpy()
    assert np.abs(gelu(x) - exact).max() < 1e-6


def test_samples_of_a_batch_do_not_mix():
    model = random_network()
    picture, rays, x = inputs(32, 32, n=3)
    t = torch.tensor([0.2, 0.7, 1.0])
    together = model.predict(x, t, model.condition(picture, rays))
    alone = model.predict(x[1:2], t[1], model.condition(picture[1:2], rays[1:2]))
    torch.testing.assert_close(together.x0[1:2], alone.x0, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(together.validity[1:2], alone.validity, rtol=1e-4, atol=1e-4)


def test_several_seeds_of_one_picture_share_its_conditioning():
    model = random_network()
    picture, rays, _ = inputs(32, 32)
    x = torch.randn(2, 1, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    both = model.predict(x, torch.tensor(0.5), model.condition(picture, rays))
    second = model.predict(x[1:], torch.tensor(0.5), model.condition(picture, rays))
    torch.testing.assert_close(both.x0[1:], second.x0, rtol=1e-4, atol=1e-4)


def test_the_sampler_gives_points_on_their_rays():
    model = random_network()
    picture, rays, _ = inputs(32, 48, n=2)
    mask = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(4)) < 0.8
    samples = sample(model, model.condition(picture, rays), mask, [1, 2, 3], 2)
    assert samples.normalized.shape == (3, 2, 1, 3, 32, 48, 1)
    assert samples.validity.shape == (3, 2, 1, 3, 32, 48)
    seen = samples.mask.expand(3, -1, -1, -1, -1, -1)
    directions = rays.movedim(1, -1)[None, :, None, None].expand(*seen.shape, 3)[seen]
    points = samples.xyz[seen]
    torch.testing.assert_close(points / points[:, 2:], directions / directions[:, 2:])
    assert not samples.xyz[~seen].any()


def test_sizes_that_are_no_patches_are_refused():
    with pytest.raises(WorldTracingError) as caught:
        random_network().condition(*inputs(40, 64)[:2])
    assert caught.value.code == "WT-MODEL-SIZE"


@pytest.mark.parametrize(("name", "millions"), [("bundled", 5.9), ("bundled-large", 22)])
def test_bundled_sizes(name, millions):
    with torch.device("meta"):
        model = build_model(MODELS[name])
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, rel=0.1)


@pytest.fixture
def engine(tmp_path):
    path = tmp_path / "small.safetensors"
    save_weights(path, random_network().state_dict(), SMALL, torch.float16)
    return BundledEngine(path)


@pytest.mark.parametrize("mode", ["object", "scene"])
def test_engine_traces_a_photo(engine, mode):
    image = np.random.default_rng(1).integers(0, 256, (90, 140, 3), np.uint8)
    mask = np.zeros((90, 140), bool)
    mask[20:60, 90:130] = True
    camera = Camera.from_fov(140, 90, 40)
    stages = []
    options = TraceOptions(mode, seed=3, resolution=70)
    world = engine.trace(image, mask, camera, options, lambda *stage: stages.append(stage[0]))
    assert world.rgb.shape == (45, 70, 3)
    assert stages.count("Denoising") == 2
    assert np.array_equal(world.valid[0], mask[::2, ::2])  # the silhouette is the mask's, to the pixel
    assert (world.valid[1:] <= world.valid[:-1]).all()
    points = world.points[0][world.valid[0]]
    row, column = np.nonzero(world.valid[0])
    projected = points @ world.K.T
    np.testing.assert_allclose(projected[:, 0] / projected[:, 2], column + 0.5, atol=1e-3)
    np.testing.assert_allclose(projected[:, 1] / projected[:, 2], row + 0.5, atol=1e-3)
    again = engine.trace(image, mask, camera, options, silent)
    assert np.array_equal(again.points, world.points)
    other = engine.trace(image, mask, camera, TraceOptions(mode, seed=4, resolution=70), silent)
    assert not np.array_equal(other.points, world.points)


def test_engine_says_what_is_missing(engine, tmp_path):
    image, camera = np.zeros((40, 40, 3), np.uint8), Camera.from_fov(40, 40, 40)
    with pytest.raises(WorldTracingError) as caught:
        engine.trace(image, np.zeros((40, 40), bool), camera, TraceOptions(), silent)
    assert caught.value.code == "WT-IMG-EMPTY-MASK"
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights")
    for path in (broken, tmp_path / "absent.safetensors"):
        with pytest.raises(WorldTracingError) as caught:
            BundledEngine(path).trace(image, np.ones((40, 40), bool), camera, TraceOptions(), silent)
        assert caught.value.code == "WT-MODEL-BUNDLED"
