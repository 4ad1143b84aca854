"""The level of a hidden layer's validity that becomes 0."""

import pytest

pytest.importorskip("torch")

import torch

from worldtracing.model.config import MODELS
from worldtracing.model.conv_wt_dit import build_model
from worldtracing.model.wt_dit import Estimate
from worldtracing.training import calibration
from worldtracing.training.calibration import best_levels, shift_levels
from worldtracing.training.source import Renders


def renders():
    """Two pictures whose third layer covers the left half."""
    depth = torch.zeros(2, 6, 32, 32)
    depth[:, :2] = torch.tensor([2.0, 3.0]).view(1, 2, 1, 1)
    depth[:, 2, :, :16] = 4
    return Renders(torch.zeros(2, 32, 32, 4, dtype=torch.uint8), depth, torch.tensor([[30.0, 30, 16, 16]] * 2))


def test_the_level_separates_where_a_layer_is_from_where_it_is_not(monkeypatch):
    logits = torch.full((2, 6, 32, 32), -4.0)
    logits[:, 2, :, :16] = -1.0  # improbable, but less so
    answers = [
        Estimate(torch.zeros_like(x), x) for x in (logits, logits.flip(3))
    ]  # of the picture and its mirror image
    monkeypatch.setattr(calibration, "predict", lambda *_: answers.pop(0))
    model = build_model(MODELS["bundled"])
    levels, iou = best_levels(model, iter([renders()]), 1)
    assert not answers
    assert levels[:2].tolist() == [0, 0]
    assert -4 <= levels[2] < -1
    assert iou[2] == 1


def test_shifted_weights_lower_each_layers_logits_by_its_level():
    torch.manual_seed(0)
    model = build_model(MODELS["bundled"]).eval()
    model.net.latents_projection.leave.weight.data.normal_()
    levels = torch.tensor([0.0, 0.0, -2.0, -1.5, 0.5, -3.0])
    picture, rays = torch.rand(1, 4, 32, 32), torch.rand(1, 3, 32, 32) * 0.1
    rays[:, :2] += torch.stack(torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="xy"))
    rays[:, 2] = 1

    def estimate():
        with torch.no_grad():
            return model.predict(torch.zeros(1, 1, 6, 32, 32), torch.ones(()), model.condition(picture, rays))

    before = estimate()
    model.load_state_dict(shift_levels(model.state_dict(), model.config, levels))
    after = estimate()
    assert torch.equal(after.x0, before.x0)
    torch.testing.assert_close(before.validity - after.validity, levels.view(1, 6, 1, 1).expand_as(after.validity))
