import dataclasses
import hashlib
import os
import pickle
import zipfile

import pytest

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from worldtracing.errors import Cancelled, WorldTracingError  # noqa: E402
from worldtracing.weights.catalogue import RELEASED, release_config  # noqa: E402
from worldtracing.weights.convert import convert_checkpoint  # noqa: E402
from worldtracing.weights.network import expected_shapes  # noqa: E402
from worldtracing.weights.tensorfile import read_header, verify_weights  # noqa: E402


@pytest.fixture
def target(tmp_path):
    return tmp_path / "weights" / "tiny.safetensors"


@pytest.fixture
def convert(tmp_path, target, tiny):
    """Save an object as a checkpoint and convert it."""

    def run(content, model=tiny, **options):
        source = tmp_path / "source.pt"
        torch.save(content, source)
        return convert_checkpoint(source, target, model, **options)

    return run


def assert_nothing_written(target):
    assert not target.parent.exists() or not list(target.parent.iterdir())


def fails(code, function, *args, **kwargs):
    with pytest.raises(WorldTracingError) as caught:
        function(*args, **kwargs)
    assert caught.value.code == code
    assert caught.value.fix
    return caught.value


def test_fp32_is_exact_and_the_header_tells_what_it_is(checkpoint, target, tiny, state):
    header = convert_checkpoint(checkpoint, target, tiny, "fp32")
    written = load_file(target)
    assert written.keys() == state.keys()
    assert all(torch.equal(written[key], state[key]) for key in state)
    assert header == read_header(target)
    assert header.config == tiny.config
    assert header.source_sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert verify_weights(target) == header
    with safe_open(target, framework="pt") as file:
        assert file.metadata()["precision"] == "fp32"


def test_bf16_rounds_to_nearest_and_keeps_sensitive_tensors(convert, target, state):
    convert(state, precision="bf16")
    written = load_file(target)
    rounded = {key for key, tensor in written.items() if tensor.dtype == torch.bfloat16}
    assert "net.decoder_blocks.0.mlp.fc1.weight" in rounded
    assert "net.latents_projection.geo_proj.weight" not in rounded
    for key, tensor in written.items():
        error = ((tensor.double() - state[key].double()) / state[key].double()).abs().max()
        assert error <= (2**-8 if key in rounded else 0), key
    errors = torch.cat([(written[k].double() / state[k].double() - 1).flatten() for k in rounded])
    assert errors.abs().mean() > 2**-11  # it did round
    assert errors.mean().abs() < 2**-13  # to nearest: without bias


def test_half_precision_sources_are_read(convert, target, state):
    half = {key: tensor.half() if "encoder" in key else tensor for key, tensor in state.items()}
    convert(half, precision="fp32")
    written = load_file(target)
    assert all(torch.equal(written[key], half[key].float()) for key in half)


def test_ema_is_preferred_and_prefixes_are_stripped(convert, target, state, make_state, tiny):
    ema = make_state(tiny.config, seed=1)
    compiled = {f"_orig_mod.{key}": tensor for key, tensor in ema.items()}
    key = "layer_embed.weight"
    for content, expected in (
        (state, state),
        ({"model_state_dict": state, "step": 7}, state),
        ({"model_state_dict": state, "ema_state_dict": None}, state),
        ({"model_state_dict": state, "ema_state_dict": ema}, ema),
        ({"model_state_dict": state, "ema_state_dict": compiled}, ema),
    ):
        convert(content, precision="fp32")
        assert torch.equal(load_file(target)[key], expected[key])


def test_a_pickle_with_code_is_refused_and_the_code_does_not_run(tmp_path, target, tiny, state):
    victim = tmp_path / "created by the payload"

    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(victim),)

    source = tmp_path / "evil.pt"
    torch.save({"model_state_dict": state, "extra": Payload()}, source)
    assert "mkdir" in fails("WT-MODEL-PICKLE", convert_checkpoint, source, target, tiny).message
    source.write_bytes(pickle.dumps(Payload(), protocol=2))  # and without torch's archive around it
    fails("WT-MODEL-FOREIGN", convert_checkpoint, source, target, tiny)
    assert not victim.exists()
    assert_nothing_written(target)
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(Payload(), protocol=2))
        archive.writestr("model/version", "3")
    fails("WT-MODEL-PICKLE", convert_checkpoint, source, target, tiny)
    assert not victim.exists()
    pickle.loads(pickle.dumps(Payload()))
    assert victim.exists()  # it would have worked


@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_truncated_checkpoint_is_told(checkpoint, target, tiny, share):
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(len(content) * share)])
    fails("WT-MODEL-TRUNCATED", convert_checkpoint, checkpoint, target, tiny)
    assert_nothing_written(target)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", bytes(1000)])
def test_other_files_are_told(tmp_path, target, tiny, content):
    source = tmp_path / "model.pt"
    source.write_bytes(content)
    fails("WT-MODEL-FOREIGN", convert_checkpoint, source, target, tiny)


@pytest.mark.parametrize("content", [[1, 2], {}, {"model_state_dict": {"a": "text"}}, {"model_state_dict": 3}])
def test_archives_without_tensors_are_told(convert, content):
    fails("WT-MODEL-FOREIGN", convert, content)


def test_a_missing_file_is_told(tmp_path, target, tiny):
    fails("WT-MODEL-MISSING", convert_checkpoint, tmp_path / "none.pt", target, tiny)


def test_another_models_checkpoint_names_the_keys_and_the_model(convert, target, tiny, tiny_clip, make_state):
    error = fails("WT-MODEL-KEYS", convert, make_state(tiny_clip.config))
    assert "unexpected: net.decoder_blocks.3.modulation" in error.message
    assert "tinyclip" in error.fix
    assert_nothing_written(target)
    error = fails("WT-MODEL-KEYS", convert, make_state(tiny.config), tiny_clip, release="2026-09")
    assert "missing: net.decoder_blocks.3.modulation" in error.message


def test_one_wrong_shape_and_one_lost_key_are_named(convert, state):
    lost = state.pop("net.encoder.norm.bias")
    state["layer_embed.weight"] = state["layer_embed.weight"][:1]
    error = fails("WT-MODEL-KEYS", convert, state)
    assert "1 missing: net.encoder.norm.bias" in error.message
    assert "1 of another shape: layer_embed.weight (1, 24) instead of (2, 24)" in error.message
    state["net.encoder.norm.bias.extra"] = lost
    assert "1 unexpected: net.encoder.norm.bias.extra" in fails("WT-MODEL-KEYS", convert, state).message


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(convert, target, state, bad):
    state["net.decoder_blocks.1.attn.qkv.weight"][3, 5] = bad
    error = fails("WT-MODEL-NAN", convert, state)
    assert "net.decoder_blocks.1.attn.qkv.weight" in error.message
    assert_nothing_written(target)


def test_a_failed_or_cancelled_conversion_leaves_the_old_file(checkpoint, target, tiny, convert, state):
    convert_checkpoint(checkpoint, target, tiny)
    before = target.read_bytes()
    state["layer_embed.weight"][0, 0] = float("nan")
    fails("WT-MODEL-NAN", convert, state)

    def cancel(stage, k, n):
        if stage == "Converting" and k == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        convert_checkpoint(checkpoint, target, tiny, on_progress=cancel)
    assert target.read_bytes() == before
    assert list(target.parent.iterdir()) == [target]


def test_the_noise_correlation_follows_the_release(convert, target, tiny_clip, make_state):
    state = make_state(tiny_clip.config)
    error = fails("WT-MODEL-RELEASE", convert, state, tiny_clip)
    assert "--release 2026-06 or --release 2026-09" in error.fix
    fails("WT-MODEL-RELEASE", convert, state, tiny_clip, release="2025-01")
    for release, correlation in (("2026-06", 0.0), ("2026-09", 0.5)):
        convert(state, tiny_clip, release=release)
        assert read_header(target).config.noise_correlation == correlation
        assert read_header(target).release == release


def test_a_known_checksum_decides_the_release():
    model = dataclasses.replace(RELEASED["r76"], known={"ab" * 32: "2026-06"})
    assert release_config(model, None, "ab" * 32).noise_correlation == 0
    assert release_config(model, "2026-09", "cd" * 32).noise_correlation == 0.5
    assert release_config(RELEASED["r75b"], None) == RELEASED["r75b"].config


@pytest.mark.parametrize(("name", "entries"), [("r75b", 1233), ("r69l", 1127), ("r76", 1485)])
def test_released_networks_have_as_many_tensors_as_specified(name, entries):
    assert len(expected_shapes(RELEASED[name].config)) == entries
