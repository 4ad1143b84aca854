import json
import struct

import pytest

torch = pytest.importorskip("torch")

from worldtracing.errors import WorldTracingError  # noqa: E402
from worldtracing.model.precision import FAST, FP32  # noqa: E402
from worldtracing.weights import load as loading  # noqa: E402
from worldtracing.weights.convert import convert_checkpoint  # noqa: E402
from worldtracing.weights.load import load_model  # noqa: E402
from worldtracing.weights.network import build_on_meta  # noqa: E402
from worldtracing.weights.tensorfile import TensorSpec, WeightsHeader, read_header, verify_weights, write_weights  # noqa: E402


@pytest.fixture(params=["fp32", "bf16"])
def weights(request, checkpoint, tmp_path, tiny):
    path = tmp_path / f"tiny-{request.param}.safetensors"
    convert_checkpoint(checkpoint, path, tiny, request.param)
    return path


def fails(code, *args, **kwargs):
    with pytest.raises(WorldTracingError) as caught:
        load_model(*args, **kwargs)
    assert caught.value.code == code
    assert caught.value.fix
    return caught.value


def predict(model):
    generator = torch.Generator().manual_seed(0)
    conditioning = model.condition(torch.rand(1, 3, 28, 28, generator=generator))
    x = torch.randn(1, 3, 2, 28, 28, generator=generator)
    return model.predict(x, torch.tensor(0.5), conditioning).x0


@torch.inference_mode()
def test_the_network_runs_and_equals_one_filled_the_plain_way(weights, tiny, state):
    model, header = load_model(weights, verify=True)
    assert header.config == model.config == tiny.config
    assert not any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not model.training
    reference = build_on_meta(tiny.config).to_empty(device="cpu").eval()
    reference.load_state_dict(state)
    expected, got = predict(reference), predict(model)
    error = (got - expected).norm() / expected.norm()
    if header.precision == "fp32":
        assert model.precision is FP32
        assert torch.equal(got, expected)
    else:
        assert model.precision is FAST
        assert 0 < error < 0.1


@torch.inference_mode()
def test_either_file_can_be_computed_with_in_either_precision(weights):
    for precision in (FP32, FAST):
        model, _ = load_model(weights, precision=precision)
        assert model.net.decoder_blocks[0].mlp.fc1.weight.dtype == precision.compute
        assert predict(model).isfinite().all()


def test_tensors_stay_mapped_to_the_file(weights):
    """A tensor of the file's type is no copy: all of them lie in one piece of memory as long as the file."""
    model, _ = load_model(weights)
    low = min(p.data_ptr() for p in model.state_dict().values())
    high = max(p.data_ptr() + p.nbytes for p in model.state_dict().values())
    assert high - low <= weights.stat().st_size


def test_a_changed_byte_is_found(weights):
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    assert "damaged" in fails("WT-MODEL-CHECKSUM", weights, verify=True).message
    with pytest.raises(WorldTracingError, match="damaged"):
        verify_weights(weights)


@pytest.mark.parametrize("keep", [4, 100, 5000, -1])
def test_a_truncated_file_is_told(weights, keep):
    weights.write_bytes(weights.read_bytes()[:keep])
    fails("WT-MODEL-FOREIGN" if keep == 4 else "WT-MODEL-TRUNCATED", weights)


def test_other_files_are_told(tmp_path, weights):
    from safetensors.torch import save_file

    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(3)}, other)
    fails("WT-MODEL-FOREIGN", other)
    other.write_bytes(b"\xff" * 100)
    fails("WT-MODEL-FOREIGN", other)
    fails("WT-MODEL-MISSING", tmp_path / "none.safetensors")
    for config in ('{"heads": 0}', "[" * 100_000):
        strings = {"format": "worldtracing.weights", "version": "1", "config": config}
        text = json.dumps({"__metadata__": strings})
        other.write_bytes(struct.pack("<Q", len(text)) + text.encode())
        fails("WT-MODEL-FOREIGN", other)
    content = weights.read_bytes().replace(b'"version":"1"', b'"version":"9"', 1)
    other.write_bytes(content)
    fails("WT-MODEL-NEWER", other)


def test_a_header_that_belongs_to_another_network_is_told(tmp_path, tiny_clip):
    path = tmp_path / "odd.safetensors"
    header = WeightsHeader(tiny_clip.config, "fp32", "0" * 64)
    write_weights(path, header, [TensorSpec("layer_embed.weight", "F32", (2, 24))], [bytes(192)])
    assert read_header(path).config == tiny_clip.config
    assert "missing" in fails("WT-MODEL-KEYS", path).message


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError("unable to mmap 53049016 bytes from file <a.safetensors>: Cannot allocate memory (12)"),
        OSError("The paging file is too small for this operation to complete. (os error 1455)"),  # of Windows
    ],
)
def test_out_of_memory_while_loading_is_told(weights, monkeypatch, error):
    def refuse(*_):
        raise error

    monkeypatch.setattr(loading, "check_keys", refuse)  # stands for the device's allocator, which is asked right after
    fails("WT-MEM-LOAD", weights)
