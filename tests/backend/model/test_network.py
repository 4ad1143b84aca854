import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from worldtracing.errors import WorldTracingError  # noqa: E402
from worldtracing.model.attention import SEQUENCES, attend, attention_by_parts, short_attention  # noqa: E402
from worldtracing.model.compilation import compile_blocks  # noqa: E402
from worldtracing.model.config import MODELS  # noqa: E402
from worldtracing.model.encoder import PatchEmbed  # noqa: E402
from worldtracing.model.offload import offload_blocks  # noqa: E402
from worldtracing.model.precision import FAST, default_precision, parameter_dtype, set_precision  # noqa: E402
from worldtracing.model.tokens import patchify, unpatchify  # noqa: E402
from worldtracing.model.wt_dit import WTDiT  # noqa: E402
from worldtracing.sampling import sample  # noqa: E402

KEYS = Path(__file__).resolve().parents[2] / "data" / "wt_dit_keys.json"
HALF = torch.tensor(0.5)


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("name", ["r75b", "r69l", "r76"])
def test_state_dict_is_the_released_one(name):
    """Full size on the meta device: exactly the released keys and shapes. `*` in the table counts blocks."""
    table = json.loads(KEYS.read_text(encoding="utf-8"))
    wanted = {}
    for key, (count, shape) in (table["every model"] | table[name]).items():
        wanted |= {key.replace("*", str(i)): tuple(shape) for i in range(count)}
    with torch.device("meta"):
        model = WTDiT(MODELS[name])
    assert {key: tuple(value.shape) for key, value in model.state_dict().items()} == wanted
    parameters = {"r75b": 1_705_047_628, "r69l": 1_549_175_884, "r76": 2_101_800_012}
    assert sum(p.numel() for p in model.parameters()) == parameters[name]


@pytest.mark.parametrize("layers", [1, 2, 6])
@pytest.mark.parametrize("size", [(28, 42), (56, 28), (70, 70)])
def test_any_number_of_layers_and_any_grid(make_model, layers, size):
    model = make_model(layers=layers, layer_adaln=layers == 2)
    x = noise(1, 3, layers, *size)
    estimate = model.predict(x, HALF, model.condition(torch.rand(1, 3, *size)))
    assert estimate.x0.shape == x.shape
    assert estimate.validity is None
    assert estimate.x0.isfinite().all()


def test_rows_and_columns_are_told_apart(make_model):
    """A transposed picture does not give the transposed world, and position matters beyond the patch's content."""
    model = make_model(layers=1)
    constant = torch.full((1, 3, 28, 42), 0.5)
    x0 = model.predict(torch.zeros(1, 3, 1, 28, 42), HALF, model.condition(constant)).x0
    patches = patchify(x0[:, :, 0], 14)[0]
    assert all((patches[i] - patches[j]).abs().max() > 1e-3 for i in range(6) for j in range(i))


def test_pictures_in_a_batch_do_not_touch(make_model, rgb):
    model = make_model(layers=2)
    x = noise(4, 3, 2, 28, 42)
    together = model.predict(x, HALF, model.condition(rgb)).x0  # sample i belongs to picture i mod 2
    for i in range(4):
        alone = model.predict(x[i : i + 1], HALF, model.condition(rgb[i % 2 : i % 2 + 1])).x0
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-5, atol=1e-5)


def test_noise_levels_per_sample(make_model, rgb):
    model = make_model(layers=2, layer_adaln=True)
    conditioning, x = model.condition(rgb), noise(2, 3, 2, 28, 42)
    levels = torch.tensor([0.9, 0.2])
    together = model.velocity(x, levels, conditioning)
    for i in range(2):
        torch.testing.assert_close(together[i], model.velocity(x, levels[i], conditioning)[i], rtol=1e-5, atol=1e-5)


def test_frames_attend_to_each_other_only_through_time(make_model):
    rgb, x = torch.rand(1, 3, 3, 28, 28), noise(1, 3, 6, 28, 28)
    changed = x.clone()
    changed[:, :, :2] += 1  # the views of frame 0
    for temporal in (True, False):
        model = make_model(layers=2, temporal=temporal)
        conditioning = model.condition(rgb)
        delta = model.predict(x, HALF, conditioning).x0 - model.predict(changed, HALF, conditioning).x0
        assert delta[:, :, :2].abs().max() > 1e-3
        assert (delta[:, :, 2:].abs().max() > 1e-3) == temporal


def test_one_frame_of_a_clip_model_is_a_picture(make_model):
    clip_model, model = make_model(layers=2, temporal=True), make_model(layers=2)
    model.load_state_dict({k: v for k, v in clip_model.state_dict().items() if "temporal" not in k})
    rgb, x = torch.rand(1, 3, 28, 28), noise(1, 3, 2, 28, 28)
    ours = clip_model.predict(x, HALF, clip_model.condition(rgb[:, None])).x0
    assert torch.equal(ours, model.predict(x, HALF, model.condition(rgb)).x0)


@pytest.mark.parametrize("size", [(14, 14), (0, 28), (28, 30), (35, 28)])
def test_impossible_sizes_are_refused(make_model, size):
    with pytest.raises(WorldTracingError) as caught:
        make_model().condition(torch.zeros(1, 3, *size))
    assert caught.value.code == "WT-MODEL-SIZE"


def test_patches_keep_the_released_order():
    picture = torch.arange(2 * 4 * 6).view(2, 4, 6)
    patches = patchify(picture, 2)
    assert patches.shape == (6, 8)
    assert patches[1].tolist() == [picture[c, y, x].item() for y in (0, 1) for x in (2, 3) for c in (0, 1)]
    assert torch.equal(unpatchify(patches, 2, (2, 3)), picture)


@pytest.mark.parametrize("kind", [k for k in SEQUENCES if k != "image"])
def test_attention_runs_along_its_own_sequences(kind):
    """Against a softmax over all tokens whose mask says which tokens share a sequence."""
    n, t, layers, p, h, d = 2, 2, 3, 4, 2, 8
    q, k, v = noise(3, n, t, layers, p, h, d)
    index = torch.stack(torch.meshgrid(*map(torch.arange, (n, t, layers, p)), indexing="ij"), -1).view(-1, 4)
    shared = {"frame": [0, 1, 2], "ray": [0, 1, 3], "global": [0, 1], "temporal": [0, 2, 3]}[kind]
    same = (index[:, None, shared] == index[None, :, shared]).all(-1)
    flat = (x.reshape(-1, h, d).transpose(0, 1) for x in (q, k, v))
    wanted = torch.nn.functional.scaled_dot_product_attention(*flat, attn_mask=same)
    torch.testing.assert_close(attend(q, k, v, kind), wanted.transpose(0, 1).view(n, t, layers, p, h, d))


def test_short_attention_is_attention():
    q, k, v = noise(3, 5, 2, 6, 8)
    torch.testing.assert_close(short_attention(q, k, v), torch.nn.functional.scaled_dot_product_attention(q, k, v))


def test_ray_map_and_validity(make_model, rgb):
    model = make_model(layers=3, ray_map=True, validity=True).requires_grad_(True)
    rays = torch.nn.functional.normalize(noise(2, 3, 28, 42), dim=1).requires_grad_()
    x = noise(2, 3, 3, 28, 42)
    estimate = model.predict(x, HALF, model.condition(rgb, rays))
    assert estimate.validity.shape == (2, 3, 28, 42)
    (estimate.x0.square().mean() + estimate.validity.mean()).backward()
    assert rays.grad.abs().max() > 0
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert without == ["net.encoder.mask_token"]


@pytest.mark.parametrize("changes", [{}, {"layer_adaln": True}, {"temporal": True}])
def test_fast_mode_is_much_nearer_than_another_seed(make_model, random_mask, changes):
    """The stated margin: at least 20 times nearer to the reference than two seeds of it are to each other."""
    frames = 2 if changes.get("temporal") else 1
    rgb, mask = torch.rand(1, frames, 3, 42, 56), random_mask(1, frames, 3, 42, 56)
    model = make_model(layers=3, **changes)
    reference = sample(model, model.condition(rgb), mask, [1, 2], 4).xyz
    set_precision(model, FAST)
    fast = sample(model, model.condition(rgb), mask, [1], 4).xyz[0]
    seeds_apart = (reference[0] - reference[1]).norm(dim=-1).mean()
    assert 0 < (fast - reference[0]).norm(dim=-1).mean() < seeds_apart / 20


def test_fast_mode_keeps_geometry_in_float32(make_model):
    model = set_precision(make_model(temporal=True, layer_adaln=True), FAST)
    kept = {key: value.dtype for key, value in model.state_dict().items()}
    assert kept == {key: parameter_dtype(key, FAST) for key in kept}
    low = {key for key, dtype in kept.items() if dtype == torch.bfloat16}
    assert "net.decoder_blocks.0.attn.qkv.weight" in low
    assert "net.latents_projection.geo_blocks.2.mlp.fc2.bias" in low
    assert "net.encoder.final_project.weight" in low
    assert not [key for key in low if "geo_proj" in key or "time_" in key or "norm1" in key or "modulation" in key]


def test_offload_changes_nothing_but_where_weights_are(make_model, random_mask):
    model = make_model(layers=2, temporal=True)
    rgb, mask = torch.rand(1, 2, 3, 28, 28), random_mask(1, 2, 2, 28, 28)
    wanted = sample(model, model.condition(rgb), mask, [1], 2).xyz
    streams = offload_blocks(model, "cpu")
    home = {name: parameter.data_ptr() for name, parameter in model.named_parameters()}
    seen = set()
    for block in model.net.decoder_blocks:
        block.mlp.register_forward_pre_hook(lambda mlp, _: seen.add(mlp.fc1.weight.data_ptr()))
    assert torch.equal(sample(model, model.condition(rgb), mask, [1], 2).xyz, wanted)
    assert len(seen) == 2  # three blocks took turns in two places
    assert not seen & set(home.values())
    assert home == {name: parameter.data_ptr() for name, parameter in model.named_parameters()}
    for stream in streams:
        stream.stop()
    assert torch.equal(sample(model, model.condition(rgb), mask, [1], 2).xyz, wanted)


def test_offload_survives_a_run_that_broke_off(make_model, rgb):
    model = make_model(layers=2)
    x = noise(2, 3, 2, 28, 42)
    wanted = model.predict(x, HALF, model.condition(rgb)).x0
    offload_blocks(model, "cpu")

    def fail(*_):
        raise MemoryError

    hook = model.net.decoder_blocks[1].mlp.register_forward_pre_hook(fail)
    with pytest.raises(MemoryError):
        model.predict(x, HALF, model.condition(rgb))
    hook.remove()
    assert torch.equal(model.predict(x, HALF, model.condition(rgb)).x0, wanted)


def test_network_is_one_graph(make_model):
    """Nothing in a step waits for the device or leaves the graph, so it can be compiled and captured as a whole."""
    model = make_model(layers=2, temporal=True, layer_adaln=True)
    conditioning, x = model.condition(torch.rand(1, 2, 3, 28, 28)), noise(2, 3, 4, 28, 28)
    whole = torch.compile(model.predict, fullgraph=True, backend="eager")
    assert torch.equal(whole(x, HALF, conditioning).x0, model.predict(x, HALF, conditioning).x0)


@torch.inference_mode()
def test_compiled_blocks_are_shared_and_equal(make_model):
    model = make_model(blocks=6, layers=2, layer_adaln=True)
    conditioning, x = model.condition(torch.rand(1, 3, 28, 42)), noise(2, 3, 2, 28, 42)
    wanted = model.predict(x, HALF, conditioning).x0
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    kinds = compile_blocks(model, conditioning, 2, backend=backend)
    assert kinds == ["frame, by layer", "ray", "global", "frame"]
    assert torch.equal(model.predict(x, HALF, conditioning).x0, wanted)
    assert len(graphs) == 4  # for nine blocks


@torch.inference_mode()
def test_compilation_stops_at_its_limit(make_model):
    model = make_model(layers=2)
    conditioning, x = model.condition(torch.rand(1, 3, 28, 42)), noise(2, 3, 2, 28, 42)
    assert compile_blocks(model, conditioning, limit=-1.0) == []
    assert model.predict(x, HALF, conditioning).x0.isfinite().all()


def test_attention_by_parts_is_the_same():
    q, k, v = torch.randn(3, 2, 3, 50, 8, generator=torch.Generator().manual_seed(0))
    whole = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    for scores in (1, 6 * 50, 6 * 50 * 7, 10**9):
        torch.testing.assert_close(attention_by_parts(q, k, v, scores), whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("capability", "name"), [((6, 1), "fp32"), ((7, 5), "fp32"), ((8, 6), "fast"), ((9, 0), "fast")]
)
def test_bf16_is_for_gpus_that_have_it(monkeypatch, capability, name):
    asked = []
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: asked.append(device) or capability)
    assert default_precision(torch.device("cuda:1")).name == name
    assert asked == [torch.device("cuda:1")]
    assert default_precision(torch.device("cpu")).name == default_precision(torch.device("mps")).name == "fp32"


def test_patches_are_embedded_as_the_convolution_does():
    embed = PatchEmbed(10, 14)
    picture = torch.rand(2, 3, 28, 42, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(embed(picture), embed.proj(picture).flatten(2).transpose(1, 2), rtol=1e-5, atol=1e-5)
