"""Bad input and too little memory: a clear error, and everything as it was."""

import struct

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from worldtracing.camera import Camera  # noqa: E402
from worldtracing.engines import wt_dit_network, wt_dit_weights  # noqa: E402
from worldtracing.engines.base import TraceOptions  # noqa: E402
from worldtracing.engines.wt_dit_options import read_options  # noqa: E402
from worldtracing.errors import Cancelled, WorldTracingError  # noqa: E402
from worldtracing.model.config import BUNDLED, R75B  # noqa: E402
from worldtracing.progress import silent  # noqa: E402
from worldtracing.tracing import TraceRequest, trace_photo  # noqa: E402
from worldtracing.weights.plan import MemoryPlan, needed_bytes  # noqa: E402
from worldtracing.weights.tensorfile import TensorSpec, WeightsHeader, read_header, write_weights  # noqa: E402


@pytest.fixture
def fails(trace):
    """A function that traces and checks that it fails with a code and a fix; the error."""

    def fails(code, **kwargs):
        with pytest.raises(WorldTracingError) as caught:
            trace(**kwargs)
        assert caught.value.code == code
        assert caught.value.fix
        return caught.value

    return fails


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ({"steps": 0}, "WT-MODEL-STEPS"),
        ({"steps": 21}, "WT-MODEL-STEPS"),
        ({"steps": 2.5}, "WT-MODEL-OPTION"),
        ({"steps": True}, "WT-MODEL-OPTION"),
        ({"seeds": 0}, "WT-MODEL-SEEDS"),
        ({"seeds": 17}, "WT-MODEL-SEEDS"),
        ({"seeds": []}, "WT-MODEL-SEEDS"),
        ({"seeds": [3, 3]}, "WT-MODEL-SEEDS"),
        ({"seeds": [-1]}, "WT-MODEL-SEEDS"),
        ({"seeds": ["a"]}, "WT-MODEL-SEEDS"),
        ({"seeds": "4"}, "WT-MODEL-OPTION"),
        ({"precision": "int8"}, "WT-MODEL-OPTION"),
        ({"offload": "yes"}, "WT-MODEL-OPTION"),
        ({"preview_every": 0}, "WT-MODEL-OPTION"),
        ({"stepz": 4}, "WT-MODEL-OPTION"),
        ({"device": "cuda:99"}, "WT-ENV-DEVICE"),
        ({"model": "r99"}, "WT-MODEL-UNKNOWN"),
        ({"model": "no/such.safetensors"}, "WT-MODEL-MISSING"),
        ({"model": "r69l"}, "WT-MODEL-MISSING"),
    ],
    ids=str,
)
def test_options_that_make_no_sense(fails, trace, make_weights, extra, code):
    make_weights()
    fails(code, **extra)
    assert trace(steps=1).valid.any()


def test_what_only_photos_have_is_refused_for_clips():
    with pytest.raises(WorldTracingError, match="pad"):
        read_options({"pad": True}, 42, "clip")
    assert read_options({"steps": None}, 2**32 - 1, "clip").seeds == (2**32 - 1,)
    assert read_options({"seeds": 2}, 2**32 - 1, "clip").seeds == (2**32 - 1, 0)


def test_missing_weights_are_told_with_the_command_that_gets_them(fails):
    assert "worldtracing weights download r75b" in fails("WT-MODEL-MISSING").fix


def test_missing_packages_are_told_before_anything_else(fails, monkeypatch):
    find = wt_dit_weights.find_spec
    monkeypatch.setattr(wt_dit_weights, "find_spec", lambda name: None if name in ("torch", "einops") else find(name))
    error = fails("WT-ENV-TORCH")
    assert "torch, einops" in error.message
    assert "preferences" in error.fix


def test_a_model_of_another_mode_is_refused_with_those_that_fit(fails, make_weights):
    make_weights()
    make_weights("r76", release="2026-09")
    assert "r69l" in fails("WT-MODEL-OPTION", mode="scene", model="r75b").fix
    assert "r75b" in fails("WT-MODEL-OPTION", model="r76").fix


def test_weights_of_another_kind_of_network_are_refused(fails, tmp_path):
    path = tmp_path / "bundled.safetensors"
    write_weights(path, WeightsHeader(BUNDLED, "fp32", "0" * 64), [TensorSpec("a", "F32", (1,))], [bytes(4)])
    fails("WT-MODEL-OPTION", model=str(path))


def test_damaged_weights_leave_the_loaded_ones_as_they_are(engine, fails, trace, make_weights, tmp_path, monkeypatch):
    good = make_weights()
    before = trace(model=str(good))
    monkeypatch.setattr(wt_dit_network, "load_model", None)  # nothing more is to be loaded
    content = good.read_bytes()
    for name, bytes_, code in (
        ("short", content[:-10], "WT-MODEL-TRUNCATED"),
        ("tiny", content[:4], "WT-MODEL-FOREIGN"),
        ("text", b"not weights at all", "WT-MODEL-FOREIGN"),
    ):
        bad = tmp_path / f"{name}.safetensors"
        bad.write_bytes(bytes_)
        fails(code, model=str(bad))
    np.testing.assert_array_equal(trace(model=str(good)).points, before.points)


def test_a_checkpoint_of_another_model_is_refused_with_its_name(make_weights, fails, store, tmp_path):
    scene = make_weights("r69l")
    from worldtracing.weights.catalogue import RELEASED
    from worldtracing.weights.convert import convert_checkpoint

    with pytest.raises(WorldTracingError, match=r"r75b.*unexpected.*r69l.*WT-MODEL-KEYS"):
        convert_checkpoint(tmp_path / "r69l.pt", store.weights_path("r75b", "fp32"), RELEASED["r75b"])
    fails("WT-MODEL-MISSING")
    content = scene.read_bytes().replace(b'layer_adaln\\": true', b'layer_adaln\\": null')  # a header that lies
    assert content != scene.read_bytes()
    (tmp_path / "lie.safetensors").write_bytes(content)
    assert "unexpected" in fails("WT-MODEL-KEYS", mode="scene", model=str(tmp_path / "lie.safetensors")).message


def test_weights_that_are_not_numbers_are_told(fails, make_weights):
    def spoil(state):
        state["net.decoder_blocks.1.mlp.fc1.weight"][0, 0] = float("nan")

    with pytest.raises(WorldTracingError, match="WT-MODEL-NAN"):
        make_weights(change=spoil)
    weights = make_weights()
    content = bytearray(weights.read_bytes())
    content[-4:] = struct.pack("<f", float("nan"))  # damaged after the conversion
    weights.write_bytes(content)
    assert "verify" in fails("WT-MODEL-NAN").fix


def test_masks_that_do_not_fit(fails, trace, make_weights):
    make_weights()
    fails("WT-IMG-MASK-SIZE", mask=np.ones((10, 10), bool))
    fails("WT-IMG-EMPTY-MASK", mask=np.zeros((60, 90), bool))
    assert trace().valid.any()


def test_a_tiny_picture(engine, make_weights, tmp_path):
    make_weights()
    image, mask = np.full((14, 14, 3), 200, np.uint8), np.zeros((14, 14), bool)
    mask[4:10, 5:9] = True
    world = engine.trace(image, mask, Camera.from_fov(14, 14, 50), TraceOptions(), silent)
    assert world.valid.any()
    Image.fromarray(np.dstack([image, mask * np.uint8(255)])).save(tmp_path / "tiny.png")
    with pytest.raises(WorldTracingError, match="WT-IMG-SMALL"):
        trace_photo(TraceRequest(tmp_path / "tiny.png", engine="wt-dit"), engine)


def test_a_network_that_puts_everything_behind_the_camera(fails, make_weights):
    def turn(state):
        for name in ("weight", "bias"):
            state[f"net.latents_projection.geo_proj.{name}"].zero_()
        state["net.latents_projection.geo_proj.bias"] += 50

    make_weights(change=turn)
    fails("WT-MODEL-NO-POINTS")


# memory ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def run_out(monkeypatch):
    """A function that makes a function of wt_dit_network run out of memory, so many times, in the middle."""

    def run_out(name, times, error=None):
        work = getattr(wt_dit_network, name)
        calls = []

        def limited(*args, **kwargs):
            calls.append(args)
            result = work(*args, **kwargs)
            if len(calls) <= times:
                raise error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
            return result

        monkeypatch.setattr(wt_dit_network, name, limited)
        return calls

    return run_out


@pytest.mark.parametrize("error", [None, MemoryError()], ids=repr)
def test_running_out_in_the_middle_falls_back_once_and_says_so(trace, make_weights, run_out, error):
    make_weights()
    whole = trace(seeds=2, device="cpu")
    calls = run_out("sample", 1, error)
    stages = []
    world = trace(seeds=2, device="cpu", on_progress=lambda stage, *_: stages.append(stage))
    assert [len(call[3]) for call in calls] == [2, 1, 1]
    assert any("Memory ran out" in stage for stage in stages)
    assert "one seed at a time" in world.metadata["notes"][-1]
    assert (world.valid == whole.valid).mean() > 0.99


def test_running_out_while_loading_falls_back_too(trace, make_weights, run_out):
    make_weights()
    calls = run_out("load_model", 1, WorldTracingError("WT-MEM-LOAD", "The weights do not fit.", "Close programs."))
    world = trace(seeds=2, device="cpu")
    assert len(calls) == 2
    assert "Memory ran out" in world.metadata["notes"][-1]


def test_what_is_in_the_smallest_setting_anyway_is_not_tried_twice(fails, trace, make_weights, run_out):
    make_weights()
    calls = run_out("sample", 1)
    assert "20.00 GiB" in fails("WT-MEM-TRACE", device="cpu").message
    assert len(calls) == 1
    assert trace(device="cpu").valid.any()


def test_the_second_time_is_an_error_and_the_next_trace_works(engine, fails, trace, make_weights, run_out):
    make_weights()
    calls = run_out("sample", 2)
    fails("WT-MEM-TRACE", seeds=2, device="cpu")
    assert len(calls) == 2
    assert engine._keeper._loaded is None  # nothing is held on to
    assert trace(seeds=2, device="cpu").valid.any()


def test_the_plan_comes_before_the_trace_and_is_told(trace, fails, make_weights, monkeypatch):
    config = read_header(make_weights()).config
    whole = trace(seeds=4, device="cpu")
    monkeypatch.setattr(wt_dit_network, "free_memory", lambda device: needed_bytes(config, "fp32", 2, 1, 42))
    split = trace(seeds=4, device="cpu")
    assert "2 seeds at a time" in split.metadata["notes"][0]
    assert (split.valid == whole.valid).mean() > 0.999
    monkeypatch.setattr(wt_dit_network, "free_memory", lambda device: 1000)
    assert "GB" in fails("WT-MEM-TOO-SMALL", seeds=4, device="cpu").message


def test_the_smallest_setting_of_each_device():
    header = WeightsHeader(R75B, "bf16", "0" * 64)
    wish = MemoryPlan("fp32", 4, False, 0)
    gpu = wt_dit_network._smallest(wish, header, "cuda")
    assert (gpu.precision, gpu.seeds, gpu.offload) == ("fast", 1, True)
    host = wt_dit_network._smallest(wish, header, "cpu")  # mapped weights take no memory of their own
    assert (host.precision, host.seeds, host.offload) == ("fast", 1, False)


def test_on_the_cpu_offload_changes_nothing(trace, make_weights):
    """There is no other memory to keep blocks in; in particular the precision stays what was asked for."""
    make_weights(precision="bf16")
    plain, offloaded = (trace(device="cpu", precision="fp32", offload=wish) for wish in (False, True))
    assert offloaded.metadata["precision"] == "fp32"
    np.testing.assert_array_equal(offloaded.points, plain.points)


def test_offloaded_blocks_give_the_same_world_also_after_a_cancel(engine, trace, make_weights, monkeypatch):
    make_weights()
    plain = trace(device="cpu")
    # To the engine this is a device with a memory of its own, like a GPU.
    monkeypatch.setattr(wt_dit_network, "choose_device", lambda wanted: "cpu:0" if wanted == "auto" else wanted)

    def cancel(stage, k, n):
        if (stage, k) == ("Denoising", 1):
            raise Cancelled

    with pytest.raises(Cancelled):
        trace(offload=True, on_progress=cancel)
    assert engine._keeper._loaded.streams
    offloaded = trace(offload=True)
    np.testing.assert_allclose(offloaded.points, plain.points, atol=1e-5)
    back = trace(device="cpu")
    assert not engine._keeper._loaded.streams
    np.testing.assert_allclose(back.points, plain.points, atol=1e-5)
