"""Small networks whose every parameter is random, so that no branch is hidden behind a small initial gain."""

import pytest

torch = pytest.importorskip("torch")

from worldtracing.model.config import EncoderConfig, ModelConfig  # noqa: E402
from worldtracing.model.wt_dit import WTDiT  # noqa: E402

ENCODER = EncoderConfig(width=16, depth=5, heads=2, pos_grid=5)


def make_model(**changes) -> WTDiT:
    """A network of width 32 with three decoder blocks; `changes` are fields of ModelConfig."""
    config = ModelConfig(
        **{"name": "tiny", "width": 32, "blocks": 3, "heads": 2, "head_blocks": 3, "encoder": ENCODER} | changes
    )
    model = WTDiT(config).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(7)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_gain = "norm" in name and name.endswith("weight")
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 16
        parameter.copy_(1 + 0.2 * noise if is_gain else noise / fan_in**0.5)
    return model


@pytest.fixture(name="make_model")
def _make_model():
    torch.set_num_threads(1)
    return make_model


@pytest.fixture
def rgb():
    """Two pictures of 28 x 42 pixels (2 x 3 patches), (2, 3, 28, 42)."""
    return torch.rand(2, 3, 28, 42, generator=torch.Generator().manual_seed(3))


def random_mask(*shape: int):
    """Three quarters on, another pattern in every layer."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(4)) < 0.75


@pytest.fixture(name="random_mask")
def _random_mask():
    return random_mask
