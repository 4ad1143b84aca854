"""SAM 2 is asked in its own terms and its answer is a mask of the world; without it the fix is told.

The model itself is a stand-in: its weights are not the repository's to carry.
"""

import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from editing_world import BALL, SIZE, room

from worldtracing.editing import Box, Click, Stroke, segment, select
from worldtracing.editing.sam2_segmenter import Sam2Segmenter
from worldtracing.errors import WorldTracingError

torch = pytest.importorskip("torch")

INPUT, OUTPUT = 1024, 256


class StandIn:
    """Answers with a disc of a quarter of the picture around the first mark or the middle of the box."""

    config = SimpleNamespace(prompt_encoder_config=SimpleNamespace(image_size=INPUT))

    def __init__(self):
        self.asked, self.seen = [], []

    def from_pretrained(self, name, **options):
        assert options == {"local_files_only": True, "use_safetensors": True}
        return self

    def eval(self):
        return self

    def get_image_embeddings(self, pixels):
        self.seen.append(pixels)
        return ["fine", "coarse"]

    def __call__(self, **asked):
        assert asked["image_embeddings"] == ["fine", "coarse"]
        self.asked.append(asked)
        if "input_boxes" in asked:
            x, y = asked["input_boxes"][0, 0].reshape(2, 2).mean(0)
        else:
            x, y = asked["input_points"][0, 0, 0]
        v, u = torch.meshgrid(torch.arange(OUTPUT), torch.arange(OUTPUT), indexing="ij")
        disc = OUTPUT / 8 - torch.hypot(u + 0.5 - x / 4, v + 0.5 - y / 4)
        count = 3 if asked["multimask_output"] else 1
        masks = torch.stack([disc - 1000 * (k != count - 1) for k in range(count)])
        return SimpleNamespace(pred_masks=masks[None, None], iou_scores=torch.linspace(0.1, 0.9, count)[None, None])


@pytest.fixture
def model(monkeypatch):
    one = StandIn()
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(Sam2Model=one))
    return one


@pytest.fixture(scope="module")
def world():
    return room()[0]


@pytest.mark.parametrize("prompt", [Click(40, 60), Box(30, 50, 50, 70), Stroke(((40, 60), (41, 60)))])
def test_each_prompt_gives_a_mask_where_it_points(model, world, prompt):
    mask = select(world, [prompt], segmenter="sam2")
    rows, columns = np.nonzero(mask)
    assert mask.shape == (SIZE, SIZE)
    assert (columns.mean(), rows.mean()) == pytest.approx((39.5, 59.5), abs=0.6)
    assert np.count_nonzero(mask) == pytest.approx(np.pi * (SIZE / 8) ** 2, rel=0.05)
    assert model.seen[0].shape == (1, 3, INPUT, INPUT)


def test_a_picture_is_looked_at_once(model, world):
    segmenter, other = Sam2Segmenter(), replace(world, rgb=world.rgb[::-1].copy())
    for one in (world, replace(world, rgb=world.rgb.copy()), other, other, world):
        segmenter.select(one, [Click(40, 60)])
    assert len(model.asked) == 5 and len(model.seen) == 3


def test_sam3_is_asked_in_the_same_way(monkeypatch, world):
    one = StandIn()
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(Sam3TrackerModel=one))
    mask = select(world, [Click(40, 60), Click(10, 20, positive=False)], segmenter="sam3")
    rows, columns = np.nonzero(mask)
    assert (columns.mean(), rows.mean()) == pytest.approx((39.5, 59.5), abs=0.6)
    assert one.asked[0]["input_labels"].tolist() == [[[1, 0]]]
    assert one.seen[0][0, :, 0, 0].numpy() == pytest.approx(world.rgb[0, 0] / 127.5 - 1, abs=1e-5)


def test_what_is_not_the_object_is_told_as_such(model, world):
    select(world, [Click(40, 60), Click(10, 20, positive=False)], segmenter="sam2")
    asked = model.asked[0]
    assert asked["input_labels"].tolist() == [[[1, 0]]]
    assert asked["input_points"][0, 0].numpy() == pytest.approx(np.array([[40, 60], [10, 20]]) * INPUT / SIZE, abs=1e-2)
    assert not asked["multimask_output"]


def test_only_negative_marks_point_at_nothing(model, world):
    with pytest.raises(WorldTracingError) as error:
        select(world, [Click(40, 60, positive=False)], segmenter="sam2")
    assert error.value.code == "WT-SCENE-PROMPT"
    assert not model.asked


def test_all_objects_at_once_are_those_of_the_geometry(world):
    by_geometry, by_sam = segment(world), segment(world, segmenter="sam2")
    assert np.array_equal(by_geometry.labels, by_sam.labels)
    assert by_geometry.labels[room()[1][0] == BALL].all()


def test_missing_weights_name_the_command(monkeypatch, world):
    def absent(*_, **__):
        raise OSError("offline")

    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(Sam2Model=SimpleNamespace(from_pretrained=absent)))
    with pytest.raises(WorldTracingError, match="hf download") as error:
        select(world, [Click(40, 60)], segmenter="sam2")
    assert error.value.code == "WT-MODEL-MISSING"


@pytest.mark.parametrize("library", [None, ModuleType("transformers")])
def test_a_missing_or_old_library_is_named(monkeypatch, world, library):
    monkeypatch.setitem(sys.modules, "transformers", library)
    with pytest.raises(WorldTracingError, match="transformers") as error:
        select(world, [Click(40, 60)], segmenter="sam2")
    assert error.value.code == "WT-ENV-PACKAGE"


def test_what_is_missing_is_told_without_loading_anything(monkeypatch):
    from worldtracing.editing import local_model, segmenter_states

    monkeypatch.setattr(local_model, "find_spec", lambda module: None)
    states = {info.name: (info.licence, problem) for info, problem in segmenter_states()}
    assert states["graph"][1] == ""
    assert states["sam2"][0] == "Apache-2.0" and "torch, transformers" in states["sam2"][1]
    assert "gated" in states["sam3"][0] and "SAM 3" in states["sam3"][1]


def test_weights_in_a_folder_are_enough_and_missing_ones_are_told(monkeypatch, tmp_path):
    from worldtracing.editing import local_model, sam2_segmenter

    monkeypatch.setattr(local_model, "find_spec", lambda module: True)
    assert sam2_segmenter.Sam2Segmenter(str(tmp_path)).problem() == ""
    assert "Hugging Face cache" in sam2_segmenter.Sam2Segmenter("nobody/no-such-model").problem()
