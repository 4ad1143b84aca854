import pytest

torch = pytest.importorskip("torch")

from worldtracing.model.viewing import camera_rays, viewing  # noqa: E402
from worldtracing.model.wt_dit import Estimate  # noqa: E402
from worldtracing.training.losses import (  # noqa: E402
    affine_loss,
    gradient_loss,
    order_loss,
    overlap_loss,
    training_loss,
)
from worldtracing.training.targets import make_targets  # noqa: E402

ONE = torch.ones(1, 1, 1, 1)
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def relief():
    return torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(3)) * 0.3


def everywhere(*shape):
    return torch.ones(shape, dtype=torch.bool)


def test_truth_has_no_loss_but_that_of_finite_logits(spheres):
    targets = make_targets(spheres.draw(0, 2, 32))
    logits = torch.where(targets.valid, 30.0, -30.0)
    assert training_loss(Estimate(targets.x0, logits), targets, torch.tensor(1.0)) < 1e-5
    assert training_loss(Estimate(targets.x0, -logits), targets, torch.tensor(1.0)) > 1
    assert training_loss(Estimate(targets.x0 + 0.1, logits), targets, torch.tensor(1.0)) > 0.1


def test_affine_loss_forgives_scale_and_shift():
    true, valid = relief(), everywhere(2, 8, 8)
    assert affine_loss(0.5 * true + 3, true, valid) < 1e-4
    assert affine_loss(true.flip(1), true, valid) > 0.5
    assert affine_loss(true, true, ~valid) == 0


def test_gradient_loss_sees_flattened_relief_but_no_jump_and_no_shift():
    ramp = (0.05 * torch.arange(8.0)).expand(1, 6, 8, 8)
    valid = everywhere(1, 6, 8, 8)
    assert gradient_loss(ramp + 2, ramp, valid, ONE) < 1e-6
    assert gradient_loss(0.5 * ramp, ramp, valid, ONE) > 0.02
    step = torch.where(torch.arange(8) < 4, 0.0, 5.0).expand(1, 6, 8, 8)
    assert gradient_loss(0.5 * step, step, valid, ONE) == 0


def test_overlap_loss_is_the_share_of_a_mask_that_is_missed():
    valid = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    valid[0, 0, 0] = True  # 4 pixels, all in the first picture
    found = torch.zeros_like(valid)
    found[0, 0, :2] = True  # these and 4 others
    logits = torch.where(found, 20.0, -20.0)
    assert overlap_loss(logits, valid) == pytest.approx(0.5, abs=1e-4)
    assert overlap_loss(torch.full((2, 1, 4, 4), -20.0), valid) == pytest.approx(1, abs=1e-4)
    assert overlap_loss(logits, found) == pytest.approx(0, abs=1e-4)


def test_order_loss_counts_existing_layers_that_are_swapped():
    pred = torch.stack([torch.full((4, 4), depth) for depth in (0.0, 1.0, 0.5, 2.0, 1.0, 0.0)])[None]
    valid = everywhere(1, 6, 4, 4)
    valid[:, 4:] = False
    assert order_loss(pred, valid) == pytest.approx(0.5 / 3)


def test_normalized_depth_comes_back(spheres):
    renders = spheres.draw(0, 3, 32)
    targets = make_targets(renders)
    z = viewing(targets.rays).decode(targets.x0[:, 0])
    for i, valid in enumerate(targets.valid):
        ratio = (renders.depth[i] / z[i])[valid]
        assert ratio.max() / ratio.min() < 1.0001
    assert targets.x0[:, 0, 1][targets.valid[:, 0]].abs().max() < 4
    torch.testing.assert_close(targets.x0[:, 0, 2], targets.x0[:, 0, 1])  # absent layers repeat the last


def test_a_crop_has_the_depth_of_a_turned_camera():
    """A plane that faces the ray through the crop's centre is flat in normalized depth, wherever the crop was cut."""
    rays = camera_rays(torch.tensor([[200.0, 200.0, -60.0, 110.0]]), 32, 32)
    view = viewing(rays)
    slopes = rays / rays[:, 2:]
    middle = slopes.mean((2, 3), keepdim=True)
    z = 1 / (slopes * middle).sum(1, keepdim=True)
    encoded = view.encode(z, torch.zeros(1, 1, 1, 1))
    assert encoded.max() - encoded.min() < 1e-4
    assert view.slopes.abs().max() == pytest.approx(1, abs=0.05)
