"""A network that trains within seconds, and spheres seen through a pinhole as its data."""

import pytest


@pytest.fixture(autouse=True)
def _one_thread():
    """Sums do not depend on the number of threads, and networks this small are slower with more."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Spheres:
    """Two layers, near and far side of a sphere, at 32 x 32 pixels; brightness shows depth."""

    def draw(self, first, count, size):
        import torch

        from worldtracing.model.viewing import camera_rays
        from worldtracing.training.source import Renders

        draws = torch.Generator().manual_seed(first)
        radius = 0.3 + 0.3 * torch.rand(count, 1, 1, generator=draws)
        intrinsics = torch.tensor([[size, size, size / 2, size / 2]]).float().repeat(count, 1)
        rays = camera_rays(intrinsics, size, size)
        rays = rays / rays[:, 2:]
        a, b, c = rays.square().sum(1), -4.0 * rays[:, 2], 4 - radius**2
        root = (b * b - 4 * a * c).clamp(min=0).sqrt()
        near, far = (-b - root) / (2 * a), (-b + root) / (2 * a)
        hit = root > 0
        depth = torch.zeros(count, 6, size, size)
        depth[:, 0], depth[:, 1] = near * hit, far * hit
        shade = (255 * (2.7 - near)).clamp(0, 255) * hit
        rgba = torch.stack([shade, shade, shade, 255.0 * hit], -1).byte()
        return Renders(rgba, depth, intrinsics)

    def state(self):
        return []

    def restore(self, state):
        assert state == []


@pytest.fixture
def spheres():
    return Spheres()


@pytest.fixture
def tiny(monkeypatch):
    """The name of a network of 0.1 M parameters."""
    from worldtracing.model import config

    size = config.ModelConfig(
        name="tiny",
        image_size=32,
        width=32,
        blocks=3,
        heads=2,
        head_blocks=0,
        encoder=config.EncoderConfig(width=32, depth=1, heads=2, patch=16),
        xyz_norm="log_depth",
        steps=2,
        ray_map=True,
        validity=True,
        conv=config.ConvConfig((16, 16, 32), (1, 1, 1), 8),
    )
    monkeypatch.setitem(config.MODELS, "tiny", size)
    return "tiny"
