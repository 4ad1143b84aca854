"""Commands about objects that only words describe: with a detector, which is a stand-in here, and without one."""

from types import SimpleNamespace

import bpy
import editing_world as room
import numpy as np
import pytest
from editing_scene import lift, places


@pytest.fixture
def found(submodule, build_room, monkeypatch):
    """The room, and a detector that knows where the ball, the crate and the cup are."""
    world, owners = build_room()
    describing = submodule("worldtracing_addon.scene.describing")
    detectors = submodule("backend.worldtracing.editing.detectors")
    box_class = submodule("backend.worldtracing.editing.base").Box
    things = {"red ball": room.BALL, "crate": room.CRATE, "mug": room.CUP}
    asked = []

    def box(thing):
        rows, columns = np.nonzero(owners[0] == thing)
        return box_class(columns.min() - 1.0, rows.min() - 1.0, columns.max() + 2.0, rows.max() + 2.0)

    class Detector:
        info = detectors.DetectorInfo("known", "The one that knows", "CC0-1.0")

        def find(self, rgb, text):
            assert rgb.shape == (room.SIZE, room.SIZE, 3)
            asked.append(text)
            if text == "anything":
                masks = [owners[0] == thing for thing in things.values()]
                return [detectors.Detection(box(room.BALL), 0.9 - k / 10, mask) for k, mask in enumerate(masks)]
            return [detectors.Detection(box(things[text]), 0.9)] if text in things else []

    monkeypatch.setattr(describing, "known_detectors", lambda: [(Detector.info, "")])
    monkeypatch.setattr(describing.assistants, "detector", lambda _name: Detector())
    return SimpleNamespace(world=world, owners=owners, asked=asked, describing=describing)


def thing(edit_modules, found, item):
    """What most of an object's points are of."""
    return np.bincount(found.owners[tuple(places(edit_modules, item).T)]).argmax()


def test_what_words_describe_is_lifted_and_has_their_name_then(api, edit_modules, found):
    assert api.run_command(found.world, "remove the Red Ball") == "Remove: Red ball"
    (ball,) = api.lifted_objects(found.world)
    assert ball.name == "Red ball" and ball.hide_render and thing(edit_modules, found, ball) == room.BALL
    api.run_command(found.world, "show the red ball")
    assert not ball.hide_render and found.asked == ["red ball"]
    bpy.context.view_layer.update()
    before = ball.matrix_world.translation.copy()
    api.run_command(found.world, "move the red ball left 1 m")
    assert (ball.matrix_world.translation - before).length == pytest.approx(1, abs=1e-3)


def test_of_several_things_the_best_that_is_in_its_place_still(api, edit_modules, found):
    lift(api, found.world, found.owners, room.BALL, "toy")
    api.run_command(found.world, "hide anything")
    toy, other = api.lifted_objects(found.world)
    assert toy.name == "toy" and other.name == "Anything" and thing(edit_modules, found, other) == room.CRATE


def test_one_described_object_replaces_another(api, edit_modules, found):
    assert "Crate with Mug" in api.run_command(found.world, "replace the crate with the mug")
    crate, mug = api.lifted_objects(found.world)
    assert [thing(edit_modules, found, item) for item in (crate, mug)] == [room.CRATE, room.CUP]
    assert crate.hide_render and not mug.hide_render


def test_what_is_not_found_changes_nothing(api, found):
    with pytest.raises(api.WorldTracingError, match="no object called 'unicorn'") as caught:
        api.run_command(found.world, "remove the unicorn")
    assert caught.value.code == "WT-SCENE-NAME" and "Write one of Object 1" in caught.value.fix
    assert not api.lifted_objects(found.world) and found.asked == ["unicorn"]


def test_without_a_detector_one_sentence_says_what_would_find_it(api, found, monkeypatch):
    detectors = api.detectors()
    known = [
        (SimpleNamespace(label=name, licence="L", gated=name == "Closed"), "This lacks it.")
        for name in ("Closed", "Open")
    ]
    monkeypatch.setattr(found.describing, "known_detectors", lambda: known)
    api.prepare_objects(found.world)()
    assert detectors and api.command_search(found.world, "remove the mug") is None
    with pytest.raises(api.WorldTracingError) as caught:
        api.run_command(found.world, "remove the mug")
    assert caught.value.fix.endswith("Open (L) could find it by such words, but this lacks it.")
    assert caught.value.fix.startswith("Write one of Object 1")


def test_the_search_can_run_beside_blender(api, found):
    """As the operator does it: one search after the other in a thread, then nothing is waited for."""
    line, works = "replace the crate with the mug", []
    while (work := api.command_search(found.world, line)) is not None:
        before = list(found.asked)
        works.append(work())
        assert found.asked[:-1] == before or found.asked == before
    assert found.asked == ["crate", "mug"] and len(works) > 3  # what tells objects apart, and how the crate is lifted
    api.run_command(found.world, line)
    assert found.asked == ["crate", "mug"]


def run_modal(submodule, found, text, stop_after=None):
    """The operator's own functions with a window that only counts; what it said and how it ended."""
    edit = submodule("worldtracing_addon.ops.edit")
    said, timers = [], []
    manager = SimpleNamespace(
        world_tracing_edit=SimpleNamespace(command=text, answer=""),
        event_timer_add=lambda *_, **__: timers.append(1) or 1,
        event_timer_remove=lambda _timer: timers.pop(),
        modal_handler_add=lambda _operator: None,
    )
    context = SimpleNamespace(
        window_manager=manager,
        window=manager,
        scene=bpy.context.scene,
        view_layer=bpy.context.view_layer,
        mode="OBJECT",
    )
    own = ("invoke", "preparation", "show", "failed", "change", "waiting_text")
    methods = {name: vars(edit.WT_OT_run_command)[name] for name in own}
    operator = type(
        "Operator",
        (edit.WaitsForWork, edit.WorldOperator),
        {**methods, "text": "", "report": lambda *words: said.append(words[2])},
    )()
    result = operator.invoke(context, None)
    while result == {"RUNNING_MODAL"} or result == {"PASS_THROUGH"}:
        assert timers and "Looking" in manager.world_tracing_edit.answer
        if stop_after is None:
            operator._work.exception(timeout=30)
        result = operator.modal(context, SimpleNamespace(type=stop_after or "TIMER"))
    assert not timers
    return result, manager.world_tracing_edit.answer, said


def test_the_operator_waits_for_searches_without_holding_blender(api, submodule, found):
    assert run_modal(submodule, found, "replace the crate with the mug")[0] == {"FINISHED"}
    assert len(api.lifted_objects(found.world)) == 2


def test_a_search_can_be_left_and_a_failed_one_says_why(api, submodule, found, monkeypatch):
    assert run_modal(submodule, found, "remove the mug", stop_after="ESC") == ({"CANCELLED"}, "", [])

    class Broken:
        def find(self, _rgb, _text):
            raise api.WorldTracingError("WT-MODEL-MISSING", "No weights.", "Get them.")

    monkeypatch.setattr(found.describing.assistants, "detector", lambda _name: Broken())
    result, answer, said = run_modal(submodule, found, "remove the crate")
    assert result == {"CANCELLED"} and "No weights" in answer and "WT-MODEL-MISSING" in said[0]
    assert not api.lifted_objects(found.world)
