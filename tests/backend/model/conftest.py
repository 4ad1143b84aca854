"""Small networks whose every parameter is random, so that no branch is hidden behind a small initial gain."""

import pytest


def make_model(**changes):
    """A network of width 32 with three decoder blocks; `changes` are fields of ModelConfig."""
    import torch

    from worldtracing.model.config import EncoderConfig, ModelConfig
    from worldtracing.model.wt_dit import WTDiT

    encoder = EncoderConfig(width=16, depth=5, heads=2, pos_grid=5)
    size = {"name": "tiny", "width": 32, "blocks": 3, "heads": 2, "head_blocks": 3, "encoder": encoder}
    model = WTDiT(ModelConfig(**size | changes)).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(7)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_gain = "norm" in name and name.endswith("weight")
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 16
        parameter.copy_(1 + 0.2 * noise if is_gain else noise / fan_in**0.5)
    return model


def random_mask(*shape: int):
    """Three quarters on, another pattern in every layer."""
    import torch

    return torch.rand(shape, generator=torch.Generator().manual_seed(4)) < 0.75


@pytest.fixture(name="make_model")
def _make_model():
    return make_model


@pytest.fixture(name="random_mask")
def _random_mask():
    return random_mask


@pytest.fixture
def rgb():
    """Two pictures of 28 x 42 pixels (2 x 3 patches), (2, 3, 28, 42)."""
    import torch

    return torch.rand(2, 3, 28, 42, generator=torch.Generator().manual_seed(3))
