"""Stable Diffusion is asked in its own terms: a real pipeline of diffusers with tiny random weights, where installed.

Its real weights are not the repository's to carry.
"""

import contextlib
import json
import shlex
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from worldtracing.editing import PAINTERS, painter_states
from worldtracing.errors import Cancelled, WorldTracingError

torch = pytest.importorskip("torch")

SIDE = 32  # of what the tiny model works on


@pytest.fixture
def picture():
    rows, columns = np.mgrid[:40, :56]
    return np.stack([rows * 6, columns * 4, rows + columns], -1).astype(np.uint8)


@pytest.fixture
def unknown():
    gap = np.zeros((40, 56), bool)
    gap[10:20, 30:44] = True
    return gap


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with a pipeline as the released one is, but for its size."""
    diffusers = pytest.importorskip("diffusers")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    blocks = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}
    unet = diffusers.UNet2DConditionModel(
        sample_size=SIDE // 2,
        in_channels=9,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=2,
        **blocks,
    )
    vae = diffusers.AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        latent_channels=4,
        sample_size=SIDE,
        **blocks,
    )
    words = {f"{letter}{end}": 0 for letter in "abcdefghijklmnopqrstuvwxyz" for end in ("", "</w>")}
    words = {word: k for k, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=64)
    text = transformers.CLIPTextConfig(
        hidden_size=16,
        intermediate_size=32,
        num_attention_heads=2,
        num_hidden_layers=1,
        vocab_size=len(words),
        max_position_embeddings=64,
        bos_token_id=len(words) - 2,
        eos_token_id=len(words) - 1,
    )
    pipeline = diffusers.StableDiffusionInpaintPipeline(
        vae=vae,
        text_encoder=transformers.CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=diffusers.PNDMScheduler(skip_prk_steps=True),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder / "pipeline", safe_serialization=True, variant="fp16")
    return folder / "pipeline"


def painter(folder):
    return PAINTERS.load("diffusion")(str(folder))


def test_it_paints_what_is_unknown_and_nothing_else(weights, picture, unknown):
    steps = []
    one = painter(weights)
    assert one.problem() == ""
    painted = one.paint(picture, unknown, "the back of a chair", 3, lambda *step: steps.append(step))
    assert painted.shape == picture.shape and painted.dtype == np.uint8
    np.testing.assert_array_equal(painted[~unknown], picture[~unknown])
    assert (painted != picture)[unknown].any()
    assert [k for stage, k, _ in steps if stage == "Painting"] == list(range(31))  # this scheduler takes one step twice
    np.testing.assert_array_equal(one.paint(picture, unknown, "the back of a chair", 3), painted)
    assert (one.paint(picture, unknown, "the back of a chair", 4) != painted).any()


def test_weights_of_full_precision_do_as_well(weights, picture, unknown, tmp_path):
    shutil.copytree(weights, tmp_path / "full")
    for file in (tmp_path / "full").rglob("*.fp16.safetensors"):
        file.rename(file.with_name(file.name.replace(".fp16", "")))
    painted = painter(tmp_path / "full").paint(picture, unknown, "wood", 3)
    np.testing.assert_array_equal(painted, painter(weights).paint(picture, unknown, "wood", 3))


def test_it_stops_between_steps(weights, picture, unknown):
    def cancelled_at_the_third(_stage, k, _n):
        if k == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        painter(weights).paint(picture, unknown, "wood", on_progress=cancelled_at_the_third)


def test_weights_that_are_pickled_are_not_read(weights, picture, unknown, tmp_path):
    shutil.copytree(weights, tmp_path / "pickled")
    for file in (tmp_path / "pickled" / "unet").glob("*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    with pytest.raises(WorldTracingError) as error:
        painter(tmp_path / "pickled").paint(picture, unknown)
    assert error.value.code == "WT-MODEL-MISSING"
    assert "hf download" in error.value.fix


class StandIn:
    """A pipeline that answers with a gray picture, or as it is told."""

    unet, vae_scale_factor = SimpleNamespace(config=SimpleNamespace(sample_size=64)), 8

    def __init__(self, rejected=None, error=None):
        self.rejected, self.error = rejected, error

    def from_pretrained(self, name, **options):
        self.loaded = name, options
        return self

    def to(self, device, precision=None):
        self.places = [*getattr(self, "places", []), (device, precision)]
        return self

    def set_progress_bar_config(self, disable):
        assert disable

    def __call__(self, **asked):
        self.asked = asked
        if self.error is not None:
            raise self.error
        image = np.full((1, asked["height"], asked["width"], 3), 0.5, np.float32)
        return SimpleNamespace(images=image, nsfw_content_detected=self.rejected)


def installed(monkeypatch, pipeline):
    pytest.importorskip("PIL")
    monkeypatch.setitem(sys.modules, "diffusers", SimpleNamespace(AutoPipelineForInpainting=pipeline))
    return PAINTERS.load("diffusion")("nobody/nothing")


def test_it_is_shown_the_gap_with_its_surroundings_at_the_size_it_was_trained_on(monkeypatch, picture, unknown):
    pipeline = StandIn(rejected=[False])
    painted = installed(monkeypatch, pipeline).paint(picture, unknown, "wood", 3)
    assert pipeline.loaded == ("nobody/nothing", {"local_files_only": True, "use_safetensors": True})
    asked = pipeline.asked
    assert pipeline.places[0] in (("cpu", torch.float32), ("mps", torch.float32), ("cuda", torch.float16))
    assert asked["prompt"] == "wood" and (asked["width"], asked["height"]) == (512, 512)
    assert asked["image"].size == asked["mask_image"].size == (512, 512)
    share = np.mean(np.asarray(asked["mask_image"]) > 0)  # a gap of 14 x 10 pixels in a square of 27
    assert 14 * 10 / 27**2 <= share < 16 * 12 / 27**2
    assert (painted[unknown] == 128).all() and (painted[~unknown] == picture[~unknown]).all()


def test_it_is_shown_the_front_whole_when_it_is_to_paint_the_back(monkeypatch):
    pipeline = StandIn(rejected=[False])
    canvas, unknown = np.zeros((30, 120, 3), np.uint8), np.zeros((30, 120), bool)
    front, unknown[5:25, 70:110] = unknown.copy(), True
    front[5:25, 10:50], canvas[5:25, 10:50] = True, 255
    installed(monkeypatch, pipeline).paint(canvas, unknown, "a mug", -3, source=front)
    asked = pipeline.asked
    assert np.mean(np.asarray(asked["image"]) > 127) == pytest.approx(20 * 40 / (30 * 100), abs=0.01)
    assert np.mean(np.asarray(asked["mask_image"]) > 0) == pytest.approx(20 * 40 / (30 * 100), abs=0.02)


def test_a_picture_that_its_own_check_rejects_is_not_pasted(monkeypatch, picture, unknown):
    with pytest.raises(WorldTracingError) as error:
        installed(monkeypatch, StandIn(rejected=[True])).paint(picture, unknown)
    assert error.value.code == "WT-MODEL-REFUSED"


@pytest.mark.parametrize("error", [None, torch.cuda.OutOfMemoryError("full")])
def test_the_memory_of_the_graphics_card_is_free_again_afterwards(monkeypatch, picture, unknown, error):
    pipeline, freed = StandIn(error=error), []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: freed.append(list(pipeline.places)))
    with contextlib.suppress(WorldTracingError):
        installed(monkeypatch, pipeline).paint(picture, unknown)
    assert freed == [[("cuda", torch.float16), ("cpu", None)]]


def test_too_little_memory_is_told(monkeypatch, picture, unknown):
    with pytest.raises(WorldTracingError) as error:
        installed(monkeypatch, StandIn(error=torch.cuda.OutOfMemoryError("full"))).paint(picture, unknown)
    assert error.value.code == "WT-MEM-ASSIST"


def test_what_is_missing_is_told_without_loading_anything(monkeypatch):
    from worldtracing.editing import local_model

    monkeypatch.setattr(local_model, "find_spec", lambda module: None)
    states = {info.name: (info, problem) for info, problem in painter_states()}
    assert states["patches"][1] == "" and not states["patches"][0].generative
    info, problem = states["diffusion"]
    assert info.generative and not info.gated and info.licence == "CreativeML Open RAIL-M"
    assert problem.endswith("torch, transformers, diffusers.")


def test_the_command_for_the_weights_is_one_that_hf_and_any_shell_understand(monkeypatch):
    hf = pytest.importorskip("huggingface_hub.cli.hf")
    from worldtracing.editing import local_model

    asked = []
    monkeypatch.setattr(local_model, "find_spec", lambda module: True)
    monkeypatch.setattr("huggingface_hub.cli.download.snapshot_download", lambda **given: asked.append(given) or "")
    problem = PAINTERS.load("diffusion")("nobody/nothing").problem()
    command = problem[problem.index(" download ") :]
    assert "'" not in command
    monkeypatch.setattr(sys, "argv", ["hf", *shlex.split(command)])
    with contextlib.suppress(SystemExit):
        hf.main()
    assert asked[0]["repo_id"] == "nobody/nothing"
    assert asked[0]["allow_patterns"] == ["*.json", "*.txt", "*.fp16.safetensors"]


def test_nothing_unknown_needs_no_model(picture):
    nothing = np.zeros(picture.shape[:2], bool)
    np.testing.assert_array_equal(PAINTERS.load("diffusion")("nobody/nothing").paint(picture, nothing), picture)
