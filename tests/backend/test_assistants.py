"""Segmenters, detectors and painters asked through the worker: from file to file, kept, cancelled, refused in words."""

import numpy as np
import pytest
from editing_world import BALL, SIZE, room
from worker_help import PLUGIN, Process, plugin_command

from worldtracing.editing import PAINTERS, Box, Click, Stroke, assistants, select
from worldtracing.editing.detectors import Detection
from worldtracing.errors import WorldTracingError
from worldtracing.worker import protocol


@pytest.fixture(scope="module")
def world():
    return room()[0]


@pytest.fixture(scope="module")
def world_file(world, tmp_path_factory):
    return world.save(tmp_path_factory.mktemp("world") / "world.safetensors")


@pytest.fixture
def picture(tmp_path):
    rows, columns = np.mgrid[:40, :60]
    rgb = np.stack([columns * 4, rows * 6, np.where((columns > 20) & (rows < 9), 255, 0)], -1).astype(np.uint8)
    return assistants.save_picture(rgb, tmp_path / "picture.safetensors")


@pytest.fixture(scope="module")
def worker():
    with Process(plugin_command()) as process:
        yield process


def ask(worker, kind, plugin, input, output, **fields):
    worker.tell(protocol.assist("a", kind, plugin, str(input), str(output), **fields))
    while (message := worker.hear())["type"] == "progress":
        pass
    return message


def test_a_segmenter_selects_in_the_worker_as_it_does_here(worker, world, world_file, tmp_path):
    rows, columns = np.nonzero(room()[1][0] == BALL)
    click = Click(float(columns.mean()), float(rows.mean()))
    fields = {"prompts": assistants.prompts_to_json([click])}
    answer = ask(worker, "segmenter", "graph", world_file, tmp_path / "mask.safetensors", **fields)
    assert answer["type"] == "result" and answer["path"] == str(tmp_path / "mask.safetensors"), answer
    mask = assistants.read_mask(tmp_path / "mask.safetensors", SIZE, SIZE)
    assert mask.any() and np.array_equal(mask, select(world, [click]))


def test_a_detector_of_a_third_party_finds_boxes_and_masks(worker, picture, tmp_path):
    answer = ask(worker, "detector", "blue", picture, tmp_path / "found.safetensors", text="the blue one")
    assert answer["type"] == "result", answer
    with_mask, box_alone = assistants.read_detections(tmp_path / "found.safetensors", 60, 40)
    assert with_mask.box == box_alone.box == Box(21.0, 0.0, 60.0, 9.0)
    assert (with_mask.score, box_alone.score) == (0.75, 0.5)
    assert np.count_nonzero(with_mask.mask) == 39 * 9 and box_alone.mask is None
    ask(worker, "detector", "blue", picture, tmp_path / "found.safetensors", text="a unicorn")
    assert assistants.read_detections(tmp_path / "found.safetensors", 60, 40) == []


def test_a_painter_paints_in_the_worker_as_it_does_here(worker, tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (50, 60, 3)).astype(np.uint8)
    unknown, source = np.zeros((50, 60), bool), np.ones((50, 60), bool)
    unknown[20:30, 20:30] = True
    source[:, 40:] = False
    there, answer = tmp_path / "painting.safetensors", tmp_path / "painted.safetensors"
    assistants.save_painting(rgb, unknown, source, 5, there)
    assert ask(worker, "painter", "patches", there, answer, text="noise")["type"] == "result"
    here = PAINTERS.load("patches")().paint(rgb, unknown, "noise", 5, source=source)
    np.testing.assert_array_equal(assistants.read_painted(answer, 60, 50), here)
    with pytest.raises(WorldTracingError, match="picture"):
        assistants.read_painted(answer, 50, 60)
    assistants.PAINTING.write(there, {"rgb": rgb}, {"seed": "5"})
    assert ask(worker, "painter", "patches", there, answer)["code"] == "WT-IO-INVALID"


def test_what_was_loaded_is_kept_until_memory_is_freed(worker, picture, tmp_path):
    def times():
        ask(worker, "detector", "blue", picture, tmp_path / "found.safetensors", text="how often?")
        (found,) = assistants.read_detections(tmp_path / "found.safetensors", 60, 40)
        return round(found.score * 100)

    first = times()
    assert [times(), times()] == [first + 1, first + 2]
    assert worker.ask(protocol.free_memory("f"))["type"] == "ok"
    assert times() == 1


def test_what_each_says_of_itself_and_lacks(worker):
    entries = worker.ask(protocol.assistants_request("q"))["assistants"]
    by_name = {(entry["kind"], entry["name"]): entry for entry in entries}
    assert by_name["segmenter", "graph"]["problem"] == ""
    blue = by_name["detector", "blue"]
    assert (blue["label"], blue["licence"], blue["problem"]) == ("Blue", "CC0-1.0", "")
    assert by_name["detector", "sam3"]["gated"]
    assert "No module named" in by_name["detector", "broken"]["problem"]


def test_failures_keep_their_codes_and_the_worker_lives_on(worker, world_file, picture, tmp_path):
    output = tmp_path / "answer.safetensors"
    cases = [
        ("segmenter", "graph", world_file, {"prompts": []}, "WT-SCENE-PROMPT"),
        ("segmenter", "graph", world_file, {"prompts": [{"type": "click", "x": "here", "y": 1}]}, "WT-SCENE-PROMPT"),
        ("segmenter", "unheard-of", world_file, {}, "WT-MODEL-UNKNOWN"),
        ("painter-of-walls", "graph", world_file, {}, "WT-MODEL-UNKNOWN"),
        ("segmenter", "graph", picture, {}, "WT-IO-FOREIGN"),
        ("detector", "blue", tmp_path / "nothing", {"text": "x"}, "WT-IO-READ"),
        ("detector", "blue", picture, {"text": "no weights"}, "WT-MODEL-MISSING"),
        ("detector", "blue", picture, {"text": "no memory"}, "WT-MEM-ASSIST"),
        ("detector", "blue", picture, {"text": "a defect"}, "WT-WORKER-FAILED"),
        ("detector", "broken", picture, {"text": "x"}, "WT-MODEL-BROKEN"),
        ("detector", "blue", picture, {"prompts": 3}, "WT-WORKER-REQUEST"),
    ]
    for kind, plugin, input, fields, code in cases:
        answer = ask(worker, kind, plugin, input, output, **fields)
        assert (answer["type"], answer.get("code")) == ("error", code), answer
    assert not output.exists()


def test_a_cancel_is_answered_and_nothing_is_written(worker, picture, tmp_path):
    output = tmp_path / "answer.safetensors"
    worker.tell(protocol.assist("a", "detector", "blue", str(picture), str(output), text="wait"))
    worker.hear_until("progress")
    worker.tell(protocol.assist("b", "detector", "blue", str(picture), str(output), text="x"))
    assert worker.hear_until("error", id="b")[-1]["code"] == "WT-WORKER-BUSY"
    worker.tell(protocol.cancel("c", "a"))
    assert worker.hear_until("ok", id="c")[-1]["found"]
    assert worker.hear_until("cancelled", id="a") and not output.exists()


@pytest.mark.parametrize(
    "prompts", [[Click(1.5, 2, False)], [Box(1, 2, 3, 4), Stroke(((1, 2), (3, 4)), 5.0, False), Stroke(((1, 2),))]]
)
def test_prompts_survive_the_request(prompts):
    message = protocol.decode(protocol.encode({"type": "x", "prompts": assistants.prompts_to_json(prompts)}))
    assert assistants.prompts_from_json(message["prompts"]) == prompts


@pytest.mark.parametrize(
    "prompt",
    [
        {},
        {"type": "circle"},
        {"type": "click", "x": 1},
        {"type": "click", "x": 1, "y": 1e400},
        {"type": "click", "x": 1, "y": 2, "z": 3},
        {"type": "stroke", "points": []},
        {"type": "stroke", "points": [[1]]},
        {"type": "stroke", "points": 5},
        {"type": ["click"]},
    ],
)
def test_what_is_no_prompt_is_refused(prompt):
    with pytest.raises(WorldTracingError) as caught:
        assistants.prompts_from_json([prompt])
    assert caught.value.code == "WT-SCENE-PROMPT"


def test_answers_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "answer.safetensors"
    boxes, scores = np.zeros((1, 4)), np.ones(1)
    good = {"boxes": boxes, "scores": scores, "masked": np.ones(1, bool), "masks": np.ones((1, 4, 6), bool)}
    assistants.ANSWER.write(path, good, {})
    (found,) = assistants.read_detections(path, 6, 4)
    assert isinstance(found, Detection) and found.mask.shape == (4, 6)
    for change in ({"boxes": boxes[:, :3]}, {"masks": np.ones((1, 4, 5), bool)}, {"masked": np.zeros(1, bool)},
                   {"boxes": boxes + np.inf}, {"scores": scores * np.nan}):  # fmt: skip
        assistants.ANSWER.write(path, good | change, {})
        with pytest.raises(WorldTracingError) as caught:
            assistants.read_detections(path, 6, 4)
        assert caught.value.code == "WT-IO-INVALID"
    with pytest.raises(WorldTracingError):
        assistants.read_mask(path, 6, 4)
    assistants.ANSWER.write(path, {"mask": np.ones((4, 6), np.uint8)}, {})
    with pytest.raises(WorldTracingError):
        assistants.read_mask(path, 6, 4)


def test_the_plug_in_is_only_where_the_tests_put_it():
    assert not any(name == "blue" for name in assistants.DETECTORS.names()) and PLUGIN.is_dir()
