import math

import pytest

torch = pytest.importorskip("torch")

from worldtracing.training.optimizer import Ema, Muon, learning_rate, orthogonalized  # noqa: E402


def matrix(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(24, 80), (80, 24), (32, 32)])
def test_orthogonalized_keeps_directions_and_levels_the_singular_values(shape):
    x = matrix(*shape)
    u, _, vh = torch.linalg.svd(x, full_matrices=False)
    levels = torch.diagonal(u.T @ orthogonalized(x) @ vh.T)
    assert levels.min() > 0.3
    assert levels.max() < 1.3
    assert torch.linalg.norm(orthogonalized(x) - u @ vh) < 0.45 * torch.linalg.norm(u @ vh)


def test_muon_steps_as_its_formula_says():
    weight = torch.nn.Parameter(matrix(8, 3, 3, 3))
    start, lr, momentum, decay = weight.detach().clone(), 0.01, 0.9, 0.1
    optimizer = Muon([weight], lr, momentum, decay)
    average, expected = torch.zeros_like(start), start
    for seed in (2, 3):
        gradient = matrix(8, 3, 3, 3, seed=seed)
        weight.grad = gradient.clone()
        optimizer.step()
        average = momentum * average + (1 - momentum) * gradient
        nesterov = ((1 - momentum) * gradient + momentum * average).reshape(8, 27)
        update = orthogonalized(nesterov).reshape(8, 3, 3, 3) * 0.2 * math.sqrt(27)
        expected = expected * (1 - lr * decay) - lr * update
    torch.testing.assert_close(weight.detach(), expected)


def test_muon_leaves_frozen_weights_alone():
    weight = torch.nn.Parameter(matrix(4, 4))
    Muon([weight], 1.0, weight_decay=1.0).step()
    assert torch.equal(weight.detach(), matrix(4, 4))


def test_ema_starts_short_and_ends_at_its_decay():
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(layer.weight)
    ema = Ema(layer, 0.5)
    torch.nn.init.ones_(layer.weight)
    ema.update(layer, 0)
    assert ema.weights["weight"].item() == pytest.approx(0.9)
    ema.update(layer, 1000)
    assert ema.weights["weight"].item() == pytest.approx(0.95)


def test_learning_rate_rises_and_falls():
    assert learning_rate(1.0, 0.0, 0, 10) == pytest.approx(0.1)
    assert learning_rate(1.0, 0.0, 9, 10) == pytest.approx(1.0)
    assert learning_rate(1.0, 0.5, 99, 10) == pytest.approx(0.51)
    assert learning_rate(1.0, 1.0, 99, 10) == pytest.approx(0.02)
