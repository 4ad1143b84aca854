"""Detectors are asked in their own terms, and answer in pixels of the picture; without them it is told what is missing.

The models themselves are stand-ins: their weights are not the repository's to carry.
"""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from worldtracing.editing import DETECTORS, Box, detector_states, local_model
from worldtracing.errors import WorldTracingError

torch = pytest.importorskip("torch")

HEIGHT, WIDTH = 60, 100
LOCAL = {"local_files_only": True}


class StandIn:
    """A class of transformers: remembers what its instance was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def from_pretrained(self, name, **options):
        self.loaded = name, options
        return self

    def __call__(self, *words, **asked):
        self.asked.append((*words, asked))
        return self.answer


class Model(StandIn):
    def eval(self):
        self.evaluates = True
        return self


def install(monkeypatch, kind, output):
    tokens = {name: torch.tensor([[1, 2, 3]]) for name in ("input_ids", "attention_mask", "token_type_ids")}
    tokenizer, model = StandIn(tokens), Model(output)
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(AutoTokenizer=tokenizer, **{kind: model}))
    return tokenizer, model


@pytest.fixture
def picture():
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[:, WIDTH // 2 :] = (255, 51, 0)
    return rgb


def logit(*scores):
    return torch.logit(torch.tensor(scores))


def test_grounding_dino_is_asked_as_it_was_trained(monkeypatch, picture):
    words = torch.full((1, 4, 256), -torch.inf)  # four queries, 256 words
    words[0, :, 1] = logit(0.4, 0.2, 0.9, 0.05)
    words[0, :, 2] = logit(0.1, 0.29, 0.8, 0.5)
    boxes = torch.tensor([[[0.5, 0.5, 0.2, 0.4], [0, 0, 1, 1], [0.95, 0.25, 0.2, 0.5], [0.1, 0.2, 0.1, 0.1]]])
    tokenizer, model = install(
        monkeypatch, "GroundingDinoForObjectDetection", SimpleNamespace(logits=words, pred_boxes=boxes)
    )
    found = DETECTORS.load("grounding-dino")().find(picture, " The red Mug")
    assert tokenizer.asked == [(["the red mug."], {"return_tensors": "pt"})]
    assert model.loaded == ("IDEA-Research/grounding-dino-tiny", {**LOCAL, "use_safetensors": True})
    assert model.evaluates
    assert tokenizer.loaded == ("IDEA-Research/grounding-dino-tiny", LOCAL)
    ((asked,),) = model.asked
    assert set(asked) == {"pixel_values", "pixel_mask", "input_ids", "attention_mask", "token_type_ids"}
    assert asked["pixel_values"].shape == (1, 3, 800, 1333) and asked["pixel_values"].dtype == torch.float32
    assert asked["pixel_mask"].shape == (1, 800, 1333) and asked["pixel_mask"].all()
    expected = (np.array([1, 0.2, 0]) - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    assert asked["pixel_values"][0, :, 400, 1300].numpy() == pytest.approx(expected, abs=1e-5)
    assert asked["input_ids"] is tokenizer.answer["input_ids"]
    assert [one.score for one in found] == pytest.approx([0.9, 0.5, 0.4])
    assert found[0].box == Box(pytest.approx(85), pytest.approx(0), pytest.approx(100), pytest.approx(30))
    assert found[2].box == Box(pytest.approx(40), pytest.approx(18), pytest.approx(60), pytest.approx(42))
    assert all(one.mask is None for one in found)


@pytest.mark.parametrize(
    ("shape", "size"), [((100, 400), (1333, 333)), ((900, 700), (800, 1028)), ((3, 3), (800, 800))]
)
def test_grounding_dino_sees_the_shorter_side_at_800_pixels(monkeypatch, shape, size):
    nothing = SimpleNamespace(logits=torch.full((1, 1, 256), -9.0), pred_boxes=torch.zeros(1, 1, 4))
    _, model = install(monkeypatch, "GroundingDinoForObjectDetection", nothing)
    assert DETECTORS.load("grounding-dino")().find(np.zeros((*shape, 3), np.uint8), "mug") == []
    assert model.asked[0][0]["pixel_values"].shape == (1, 3, *size[::-1])


def test_sam3_is_asked_as_it_was_trained_and_gives_masks(monkeypatch, picture):
    masks = torch.full((1, 3, 30, 50), -5.0)
    masks[0, 0, 5:15, 10:20] = 5
    masks[0, 1] = 5
    output = SimpleNamespace(
        pred_logits=logit(0.8, 0.9, 0.3)[None], presence_logits=logit(0.5)[None], pred_masks=masks, pred_boxes=None
    )
    tokenizer, model = install(monkeypatch, "Sam3Model", output)
    found = DETECTORS.load("sam3")().find(picture, "red mug")
    options = {"return_tensors": "pt", "padding": "max_length", "max_length": 32, "truncation": True}
    assert tokenizer.asked == [(["red mug"], options)]
    assert model.loaded == ("facebook/sam3", {**LOCAL, "use_safetensors": True})
    ((asked,),) = model.asked
    assert set(asked) == {"pixel_values", "input_ids", "attention_mask"}
    assert asked["pixel_values"].shape == (1, 3, 1008, 1008)
    assert asked["pixel_values"][0, :, 500, 1000].numpy() == pytest.approx([1, -0.6, -1], abs=1e-5)
    assert [one.score for one in found] == pytest.approx([0.45, 0.4])
    assert found[0].mask.all() and found[0].mask.shape == (HEIGHT, WIDTH)
    assert found[1].box == Box(20.0, 10.0, 40.0, 30.0)
    assert found[1].mask[10:30, 20:40].all() and found[1].mask.sum() == 400


@pytest.mark.parametrize(
    ("name", "first"), [("sam3", "Accept the license"), ("grounding-dino", "Download them in Blender")]
)
def test_missing_weights_name_the_command_and_the_license_to_accept(monkeypatch, picture, name, first):
    def absent(*_, **__):
        raise OSError("offline")

    absent_kind = SimpleNamespace(from_pretrained=absent)
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(AutoTokenizer=absent_kind))
    with pytest.raises(WorldTracingError) as error:
        DETECTORS.load(name)().find(picture, "mug")
    assert error.value.code == "WT-MODEL-MISSING"
    assert error.value.fix.startswith(first) and "hf download" in error.value.fix


@pytest.mark.parametrize("library", [None, ModuleType("transformers")])
@pytest.mark.parametrize("name", ["sam3", "grounding-dino"])
def test_a_missing_or_old_library_is_named(monkeypatch, picture, library, name):
    monkeypatch.setitem(sys.modules, "transformers", library)
    with pytest.raises(WorldTracingError, match="transformers") as error:
        DETECTORS.load(name)().find(picture, "mug")
    assert error.value.code == "WT-ENV-PACKAGE"


def test_what_is_missing_is_told_in_one_sentence_without_loading_anything(monkeypatch):
    monkeypatch.setattr(local_model, "find_spec", lambda module: None)
    states = {info.name: (info, problem) for info, problem in detector_states()}
    assert states["grounding-dino"][0].licence == "Apache-2.0" and not states["grounding-dino"][0].gated
    assert states["sam3"][0].gated
    assert all(problem.endswith("torch, transformers.") and problem.count(".") == 1 for _, problem in states.values())


def test_gated_weights_that_are_missing_say_where_to_accept_the_license(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(local_model, "find_spec", lambda module: True)
    problems = {info.name: problem for info, problem in detector_states()}
    assert "accept its license on huggingface.co/facebook/sam3 first" in problems["sam3"]
    assert "accept" not in problems["grounding-dino"] and "Hugging Face cache" in problems["grounding-dino"]


def test_what_is_in_the_cache_is_loaded_as_a_folder_which_nobody_is_asked_about(monkeypatch, picture, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    (tmp_path / "model.safetensors").touch()
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda _, file: str(tmp_path / file))
    output = SimpleNamespace(logits=logit([[0.1]]), pred_boxes=torch.zeros(1, 1, 4))
    loaded = install(monkeypatch, "GroundingDinoForObjectDetection", output)
    DETECTORS.load("grounding-dino")().find(picture, "mug")
    assert [one.loaded[0] for one in loaded] == [str(tmp_path)] * 2
