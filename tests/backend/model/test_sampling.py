import numpy as np
import pytest

torch = pytest.importorskip("torch")

from worldtracing.errors import Cancelled, WorldTracingError  # noqa: E402
from worldtracing.model.normalization import denormalize  # noqa: E402
from worldtracing.sampling import (  # noqa: E402
    choose_seed,
    fill_noise,
    initial_noise,
    sample,
    time_grid,
    trusted_layers,
)


@pytest.fixture
def scene(make_model, rgb, random_mask):
    """A network of two layers, one conditioned picture of 28 x 42 pixels, and a mask that differs between layers."""
    model = make_model(layers=2)
    return model, model.condition(rgb[:1]), random_mask(1, 2, 28, 42)


def test_seeds_in_a_batch_are_the_seeds_one_by_one(scene):
    model, conditioning, mask = scene
    together = sample(model, conditioning, mask, [42, 43, 44], 3)
    for i, seed in enumerate((42, 43, 44)):
        alone = sample(model, conditioning, mask, [seed], 3)
        torch.testing.assert_close(together.normalized[i], alone.normalized[0], rtol=1e-5, atol=1e-5)
    assert (together.xyz[0] - together.xyz[1]).abs().max() > 0.01


def test_several_pictures_and_seeds(make_model, rgb, random_mask):
    model, mask = make_model(layers=2), random_mask(2, 2, 28, 42)
    together = sample(model, model.condition(rgb), mask, [1, 2], 2, official_noise=True)
    assert together.xyz.shape == (2, 2, 1, 2, 28, 42, 3)
    assert together.mask.shape == (2, 1, 2, 28, 42)
    alone = sample(model, model.condition(rgb), mask, [2], 2, official_noise=True)
    torch.testing.assert_close(together.normalized[1], alone.normalized[0], rtol=1e-5, atol=1e-5)


def test_last_step_lands_on_the_estimate(scene):
    """With one step the result is the network's x0 for pure noise."""
    model, conditioning, mask = scene
    everywhere = torch.ones_like(mask)
    x = initial_noise(torch.Generator().manual_seed(9), (1, 1, 2, 28, 42))
    x0 = model.predict(x, torch.tensor(1.0), conditioning).x0
    ours = sample(model, conditioning, everywhere, [9], 1).normalized[0, 0, 0]  # (l, H, W, 3)
    torch.testing.assert_close(ours, x0[0].permute(1, 2, 3, 0), rtol=0, atol=1e-5)


@pytest.mark.parametrize("steps", [0, 21, -1])
def test_impossible_steps_are_refused(scene, steps):
    model, conditioning, mask = scene
    with pytest.raises(WorldTracingError) as caught:
        sample(model, conditioning, mask, [1], steps)
    assert caught.value.code == "WT-MODEL-STEPS"


@pytest.mark.parametrize("shape", [(1, 2, 42, 28), (1, 3, 28, 42), (2, 2, 28, 42), (1, 2, 2, 28, 42), (28, 42)])
def test_mask_of_another_size_is_refused(scene, shape):
    model, conditioning, _ = scene
    with pytest.raises(WorldTracingError) as caught:
        sample(model, conditioning, torch.ones(shape, dtype=torch.bool), [1])
    assert caught.value.code == "WT-MODEL-MASK-SIZE"


def test_no_seed_is_refused(scene):
    with pytest.raises(WorldTracingError) as caught:
        sample(*scene, [])
    assert caught.value.code == "WT-MODEL-SEEDS"


def test_cancel_in_the_middle(scene):
    seen = []

    def cancel(stage, k, n):
        seen.append((stage, k, n))
        if k == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        sample(*scene, [1], 5, cancel)
    assert seen == [("Denoising", k, 5) for k in range(3)]


def test_previews_show_the_current_estimate(scene):
    model, conditioning, mask = scene
    previews = {}
    final = sample(model, conditioning, mask, [1, 2], 5, preview_every=2, on_preview=previews.__setitem__)
    assert list(previews) == [2, 4]
    assert previews[2].shape == final.xyz.shape
    assert not previews[2][:, ~final.mask].any()
    far, near = ((previews[k] - final.xyz).norm(dim=-1).mean() for k in (2, 4))
    assert 0 < near < far


def test_a_layer_counts_only_behind_others(scene):
    model, conditioning, mask = scene
    world = sample(model, conditioning, mask, [1], 1)
    assert torch.equal(world.mask[:, 0, 1], mask[:, 0] & mask[:, 1])
    assert not world.xyz[:, ~world.mask].any()
    assert torch.equal(world.xyz[:, world.mask], denormalize(world.normalized, "zscore")[:, world.mask])
    assert trusted_layers(torch.tensor([1, 0, 1]).bool().view(1, 1, 3, 1, 1)).flatten().tolist() == [True, False, False]


def test_masked_input_reaches_the_network_as_noise_of_each_step(scene):
    """What is under the mask must not depend on the state there: only on the mask's own fill noise."""
    model, conditioning, mask = scene
    seen = []
    predict = model.predict
    model.predict = lambda x, t, c: seen.append(x) or predict(x, t, c)
    sample(model, conditioning, mask, [1], 2, official_noise=True)
    generator = torch.Generator().manual_seed(1)
    x = initial_noise(generator, (1, 1, 2, 28, 42))
    for filled in seen:
        fill = fill_noise(generator, (1, 1, 2, 28, 42), official=True)
        hidden = ~mask[:, None].expand_as(filled)
        assert torch.equal(filled[hidden], fill[hidden])
        assert not torch.equal(filled, fill)
    assert torch.equal(seen[0][:, :, mask[0]], x[:, :, mask[0]])


def test_noise_depends_on_the_seed_alone(scene):
    torch.manual_seed(0)
    first = sample(*scene, [5], 2)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    second = sample(*scene, [5], 2)
    assert torch.equal(first.xyz, second.xyz)
    assert torch.equal(torch.get_rng_state(), state)


def test_noise_of_a_seed_is_the_plain_cpu_draw():
    torch.manual_seed(42)
    assert torch.equal(initial_noise(torch.Generator().manual_seed(42), (1, 1, 2, 4, 5)), torch.randn(1, 3, 2, 4, 5))
    torch.manual_seed(42)
    official = torch.empty(1, 3, 40).transpose(1, 2).normal_().transpose(1, 2).reshape(1, 3, 2, 4, 5)
    assert torch.equal(fill_noise(torch.Generator().manual_seed(42), (1, 1, 2, 4, 5), official=True), official)
    portable = fill_noise(torch.Generator().manual_seed(42), (1, 1, 2, 4, 5))
    assert not torch.equal(portable, official)


def test_noise_is_correlated_between_frames():
    x = initial_noise(torch.Generator().manual_seed(0), (1, 4, 2, 60, 60), 0.5).view(3, 4, -1)
    frames = x.transpose(0, 1).reshape(4, -1)
    correlations = torch.corrcoef(frames)
    off = correlations[~torch.eye(4, dtype=torch.bool)]
    assert (off - 0.5).abs().max() < 0.02
    assert (frames.std(1) - 1).abs().max() < 0.02


def test_time_runs_from_noise_to_nothing():
    assert time_grid(4).tolist() == [1, 0.75, 0.5, 0.25, 0]


def test_seed_that_the_others_agree_with_is_chosen():
    generator = torch.Generator().manual_seed(0)
    z = torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1).expand(3, 8, 8)
    world = torch.stack([0.1 * z, 0.1 * z, z], -1)
    worlds = torch.stack([world] * 5)[:, None, None]
    worlds = worlds + 0.01 * torch.randn(worlds.shape, generator=generator)
    worlds[0] += 0.5
    worlds[1] *= 1.05
    worlds[4] *= 0.95
    worlds[3] = worlds[3].flip(2)  # the layers in the wrong order
    mask = torch.ones(1, 1, 3, 8, 8, dtype=torch.bool)
    choice = choose_seed(worlds, mask)
    assert choice.best == 2
    assert choice.order_violations[3] > 0.9 > 0.1 > choice.order_violations[2]
    assert choice.disagreement[0] > 0.1 > choice.disagreement[2]


@pytest.mark.parametrize("seeds", [2, 3, 4, 7])
def test_the_choice_is_its_formula(seeds):
    generator = torch.Generator().manual_seed(seeds)
    xyz = 1 + torch.rand(seeds, 2, 1, 3, 6, 5, 3, generator=generator)
    mask = trusted_layers(torch.rand(2, 1, 3, 6, 5, generator=generator) < 0.8)
    points = xyz[:, mask]
    consensus = torch.from_numpy(np.median(points.numpy(), axis=0))
    distance = (points - consensus).norm(dim=-1).median(-1).values / consensus[:, 2].median()
    z = xyz[..., 2]
    swapped = (z[:, :, :, 1:] < 0.99 * z[:, :, :, :-1])[:, mask[:, :, 1:]].float().mean(-1)
    choice = choose_seed(xyz, mask)
    torch.testing.assert_close(torch.tensor(choice.disagreement), distance)
    torch.testing.assert_close(torch.tensor(choice.order_violations), swapped)
    assert choice.best == int((distance + swapped).argmin())


def test_choice_without_points_or_rivals(scene):
    model, conditioning, mask = scene
    world = sample(model, conditioning, mask, [1], 1)
    assert choose_seed(world.xyz, world.mask).best == 0
    assert choose_seed(world.xyz, torch.zeros_like(world.mask)).best == 0


@pytest.mark.parametrize("seeds", [2, 3])
def test_points_that_are_not_finite_do_not_decide(seeds):
    """Coordinates are exponentials, and one that overflows must not be what a seed is judged by."""
    worlds = torch.rand(seeds, 1, 1, 2, 4, 4, 3, generator=torch.Generator().manual_seed(0)) + 1
    mask = torch.ones(1, 1, 2, 4, 4, dtype=torch.bool)
    whole = choose_seed(worlds, mask)
    worlds[0, 0, 0, 0, 0, 0] = torch.tensor([-torch.inf, torch.inf, torch.inf])
    choice = choose_seed(worlds, mask)
    assert choice.disagreement == pytest.approx(whole.disagreement, rel=0.5)
    worlds[:] = torch.inf
    assert torch.tensor(choose_seed(worlds, mask).disagreement).isfinite().all()
