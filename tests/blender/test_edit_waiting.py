"""Slow segmenters beside Blender: operators wait for one, are left, fail, or lose what they are about meanwhile."""

import threading
from types import SimpleNamespace

import bpy
import editing_world as room
import pytest
from editing_scene import box, click, layer_state, lift
from fake_window import LIMIT, FakeWindow, installed
from scene_help import census


@pytest.fixture
def slow(submodule, monkeypatch):
    """An installed segmenter that says when it is asked, and answers when told to."""
    graph = submodule("backend.worldtracing.editing.graph_segmenter").GraphSegmenter
    base = submodule("backend.worldtracing.editing.base")
    state = SimpleNamespace(asked=[], threads=[], begun=threading.Event(), go=threading.Event(), error=None)

    class Slow(graph):
        info = base.SegmenterInfo("slow", "Slow", "")

        def segment(self, world, on_progress):
            return self._slowly("segment", super().segment, world, on_progress)

        def select(self, world, prompts, segmentation=None):
            return self._slowly("select", super().select, world, prompts, segmentation)

        def _slowly(self, what, find, *arguments):
            state.asked.append(what)
            state.threads.append(threading.current_thread())
            state.begun.set()
            assert state.go.wait(LIMIT)
            if state.error is not None:
                raise state.error
            return find(*arguments)

    installed(monkeypatch, submodule, "worldtracing.segmenters", "slow", Slow)
    yield state
    state.go.set()  # no thread may be left waiting, or be at work in the next test
    for thread in set(state.threads) - {threading.main_thread()}:
        thread.join(LIMIT)
    submodule("worldtracing_addon.core.assistants").local_states.cache_clear()


class Window(FakeWindow):
    """Of a world whose objects the slow segmenter tells apart."""

    def __init__(self, submodule, slow, world, owners):
        super().__init__(submodule)
        self._slow, self.world, self.owners = slow, world, owners

    def finish(self):
        """Let the segmenter answer, and play the timer until the operator ends."""
        self._slow.go.set()
        return super().finish()


@pytest.fixture
def window(submodule, api, slow, build_room):
    world, owners = build_room()
    api.use_segmenter(bpy.context.scene, "slow")
    return Window(submodule, slow, world, owners)


def start_lift(api, window, thing=room.BALL):
    place = click(api, window.owners, thing)
    properties = {"x": place.x, "y": place.y, "more": "", "box": (0.0, 0.0, 0.0, 0.0)}
    aim = SimpleNamespace(remove=lambda: None, end=lambda _context: None)  # of the click, which was before
    properties |= {"_overlay": aim, "_clicks": aim}
    return window.start("lift", "WT_OT_lift_object", **properties)


def file_state(edit_modules, world):
    return census(), layer_state(edit_modules, world), sorted(part.name for part in bpy.data.objects)


def test_a_lift_leaves_the_main_thread_free(api, edit_modules, window, slow):
    before = file_state(edit_modules, window.world)
    assert start_lift(api, window) == {"RUNNING_MODAL"} and window.handlers == [window.operator]
    assert slow.begun.wait(LIMIT)
    assert "ESC" in window.status and len(window.timers) == 1
    for kind in ("TIMER", "MOUSEMOVE", "MIDDLEMOUSE", "TIMER"):
        assert window.send(kind) == {"PASS_THROUGH"}
    assert file_state(edit_modules, window.world) == before
    assert window.finish() == {"FINISHED"}
    (ball,) = api.lifted_objects(window.world)
    assert bpy.context.selected_objects == [ball] and not window.said
    assert slow.asked == ["segment", "select"] and threading.main_thread() not in slow.threads
    assert window.handlers == [window.operator], "one handler, so one undo step"


def test_what_is_begun_while_the_artist_aims_is_not_computed_twice(api, submodule, window, slow):
    submodule("worldtracing_addon.ops.waiting").begin(api.prepare_objects(window.world))
    assert slow.begun.wait(LIMIT)
    start_lift(api, window)
    assert window.finish() == {"FINISHED"} and slow.asked == ["segment", "select"]


def test_redo_is_answered_from_what_is_kept(api, edit_modules, window, slow):
    before = layer_state(edit_modules, window.world)
    bpy.ops.ed.undo_push(message="before")
    start_lift(api, window)
    assert window.finish() == {"FINISHED"}
    lifted = layer_state(edit_modules, window.world)
    bpy.ops.ed.undo_push(message="lifted")
    bpy.ops.ed.undo()
    assert layer_state(edit_modules, window.world) == before
    place = click(api, window.owners, room.BALL)
    slow.asked.clear()
    assert api.prepare_lift(window.world, [place]) is None
    assert bpy.ops.wt.lift_object(x=place.x, y=place.y) == {"FINISHED"}
    assert layer_state(edit_modules, window.world) == lifted and not slow.asked


def test_escape_leaves_nothing_but_what_was_computed(api, edit_modules, window, slow):
    before = file_state(edit_modules, window.world)
    start_lift(api, window)
    assert slow.begun.wait(LIMIT)
    assert window.send("ESC") == {"CANCELLED"}
    assert not window.timers and window.status is None
    slow.go.set()
    window.operator._work.exception(LIMIT)
    assert file_state(edit_modules, window.world) == before and not window.said
    slow.asked.clear()
    assert start_lift(api, window) == {"FINISHED"} and not slow.asked, "nothing was left to wait for"


def test_points_that_were_moved_are_not_what_was_computed(api, submodule, edit_modules, window, slow):
    slow.go.set()
    place = [click(api, window.owners, room.CUP)]
    api.prepare_lift(window.world, place)()
    assert api.prepare_lift(window.world, place) is None
    window.world.root.rotation_euler.x = 0.3  # another up, for what stands on nothing
    bpy.context.view_layer.update()
    assert api.prepare_lift(window.world, place) is not None
    window.world.root.rotation_euler.x = 0.0
    bpy.context.view_layer.update()
    mesh = window.world.layers[0].data
    moved = edit_modules.read(mesh, edit_modules.points.POSITION) * 1.5
    submodule("worldtracing_addon.scene.attributes").write_attribute(mesh, "position", "FLOAT_VECTOR", moved)
    for prepare in (api.prepare_objects, api.prepare_supports, lambda world: api.prepare_lift(world, place)):
        assert prepare(window.world) is not None
    api.prepare_lift(window.world, place)()
    assert slow.asked == ["segment", "select"] * 2


def test_what_stops_the_work_is_said_once_and_tried_again(api, window, slow, capsys):
    for error, said in (
        (api.WorldTracingError("WT-MODEL-MISSING", "No weights.", "Get them."), "No weights"),
        (ValueError("no"), "WT-SCENE-FAILED"),
    ):
        slow.error, window.said[:] = error, []
        assert start_lift(api, window) == {"RUNNING_MODAL"}
        assert window.finish() == {"CANCELLED"}
        ((level, text),) = window.said
        assert level == "ERROR" and said in text
    assert "ValueError: no" in capsys.readouterr().err
    slow.error = None
    start_lift(api, window)
    assert window.finish() == {"FINISHED"}


def test_a_click_on_nothing_is_said_without_asking_again(api, window, slow):
    slow.go.set()
    place = [api.Click(-50, -50)]
    for _ in range(2):
        with pytest.raises(api.WorldTracingError, match="WT-SCENE-PROMPT"):
            api.lift_object(window.world, place)
    assert slow.asked.count("select") == 1


def switch_world(build_room):
    bpy.context.view_layer.objects.active = build_room("other")[0].root


def switch_scene(_build_room):
    bpy.context.window.scene = bpy.data.scenes.new("other")


@pytest.mark.parametrize("change", [switch_world, switch_scene, None])
def test_what_the_work_is_for_can_go_meanwhile(api, build_room, window, slow, change):
    start_lift(api, window)
    assert slow.begun.wait(LIMIT)
    change(build_room) if change else api.remove_world(window.world)
    objects = len(bpy.data.objects)
    assert window.finish() == {"CANCELLED"}
    assert len(bpy.data.objects) == objects and "changed meanwhile" in window.said[0][1]


def test_the_trace_can_be_undone_meanwhile(api, build_room, window, slow):
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.ed.undo_push(message="empty")
    window.world, _ = build_room()
    api.use_segmenter(bpy.context.scene, "slow")
    bpy.ops.ed.undo_push(message="room")
    start_lift(api, window)
    assert slow.begun.wait(LIMIT)
    bpy.ops.ed.undo()
    assert not api.worlds(bpy.context.scene)
    assert window.finish() == {"CANCELLED"} and "changed meanwhile" in window.said[0][1]
    bpy.ops.ed.redo()
    assert start_lift(api, window) == {"FINISHED"} and api.lifted_objects(window.world)


def test_another_file_can_be_opened_meanwhile(api, window, slow):
    start_lift(api, window)
    assert slow.begun.wait(LIMIT)
    window.operator.cancel(window.context)  # Blender does so before
    bpy.ops.wm.read_homefile(use_empty=True)
    slow.go.set()
    window.operator._work.exception(LIMIT)
    assert not window.timers and not window.said and not bpy.data.objects


def test_edit_mode_that_was_entered_meanwhile_is_refused(api, window, slow):
    start_lift(api, window)
    assert slow.begun.wait(LIMIT)
    part = window.world.layers[0]
    bpy.context.view_layer.objects.active = part
    bpy.ops.object.mode_set(mode="EDIT")
    assert window.finish() == {"CANCELLED"}
    bpy.ops.object.mode_set(mode="OBJECT")
    assert "Edit Mode" in window.said[0][1] and not api.lifted_objects(window.world)


def test_switching_the_add_on_off_ends_the_wait(api, submodule, window, slow, monkeypatch):
    waiting = submodule("worldtracing_addon.ops.waiting")
    start_lift(api, window)
    assert slow.begun.wait(LIMIT) and len(waiting._timers) == 1
    monkeypatch.setattr(waiting, "bpy", SimpleNamespace(context=window.context))
    waiting.unregister()
    assert not window.timers and not waiting._timers and window.status is None


OTHERS = {
    "find": ("edit", "WT_OT_find_objects", {}),
    "align": ("edit", "WT_OT_align_ground", {}),
    "command": ("edit", "WT_OT_run_command", {"text": "remove Object 1"}),
    "insert": ("lift", "WT_OT_insert_on_support", {"place": (0.0, 3.0, -1.0)}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_operators_wait_beside_blender_too(api, submodule, window, slow, monkeypatch, name):
    """Those that use the supports alone wait for the built-in segmenter, which is the slow one here as well."""
    segmentation = submodule("worldtracing_addon.scene.segmentation")
    slow_one = segmentation.segmenter_of(bpy.context.scene)
    monkeypatch.setattr(segmentation, "built_in", lambda: slow_one)
    bpy.context.scene.camera = window.world.camera
    bpy.context.view_layer.objects.active = box((1, 1, 1))
    module, operator, properties = OTHERS[name]
    assert window.start(module, operator, **properties) == {"RUNNING_MODAL"}
    assert slow.begun.wait(LIMIT) and window.send("TIMER") == {"PASS_THROUGH"}
    assert window.finish() == {"FINISHED"}
    assert slow.asked == ["segment"] and threading.main_thread() not in slow.threads
    assert not [text for level, text in window.said if level != "INFO"]


def test_a_split_is_computed_beside_blender(api, window, slow):
    slow.go.set()
    item = lift(api, window.world, window.owners, room.BALL, "ball")
    bpy.context.view_layer.objects.active = item
    item.select_set(True)
    mark = {"x": 0.0, "y": 0.0, "more": "", "box": (60.0, 0.0, 75.0, 96.0)}
    assert window.start("lift", "WT_OT_split_object", **mark) == {"RUNNING_MODAL"}
    assert window.finish() == {"FINISHED"}
    assert len(api.lifted_objects(window.world)) == 2


def test_a_split_whose_object_is_not_selected_any_more_is_left(api, window, slow):
    slow.go.set()
    ball, cup = (lift(api, window.world, window.owners, thing, str(thing)) for thing in (room.BALL, room.CUP))
    ball.select_set(True)
    mark = {"x": 0.0, "y": 0.0, "more": "", "box": (60.0, 0.0, 75.0, 96.0)}
    assert window.start("lift", "WT_OT_split_object", **mark) == {"RUNNING_MODAL"}
    ball.select_set(False)
    cup.select_set(True)
    assert window.finish() == {"CANCELLED"} and "changed meanwhile" in window.said[0][1]
    assert len(api.lifted_objects(window.world)) == 2


def test_what_put_back_uncovers_is_colored_beside_blender(api, edit_modules, window, slow):
    slow.go.set()
    for thing in (room.CUP, room.CRATE):
        before = layer_state(edit_modules, window.world)
        lift(api, window.world, window.owners, thing, str(thing)).select_set(thing == room.CRATE)
    assert window.start("edit", "WT_OT_put_back", everything=False) == {"RUNNING_MODAL"}
    assert window.finish() == {"FINISHED"}
    assert layer_state(edit_modules, window.world) == before and len(api.lifted_objects(window.world)) == 1


def test_all_that_a_command_lifts_is_computed_beside_blender(api, submodule, window, slow, monkeypatch):
    slow.go.set()
    plans, threads = submodule("worldtracing_addon.scene.lift_plan"), []
    find = plans.lift
    monkeypatch.setattr(plans, "lift", lambda *given: threads.append(threading.current_thread()) or find(*given))
    names = api.find_objects(window.world)[:2]
    line = f'replace "{names[0]}" with "{names[1]}"'
    assert window.start("edit", "WT_OT_run_command", text=line) == {"RUNNING_MODAL"}
    assert window.finish() == {"FINISHED"}
    assert len(api.lifted_objects(window.world)) == len(threads) == 2 and threading.main_thread() not in threads


def test_escape_and_the_same_again_at_once(api, submodule, window, slow):
    """The thread that was left ends as the worker's do: cancelled, which is not what the second one has asked for."""
    start_lift(api, window)
    assert slow.begun.wait(LIMIT)
    slow.begun.clear()
    left = window.operator
    assert window.send("ESC") == {"CANCELLED"}
    assert start_lift(api, window) == {"RUNNING_MODAL"} and window.operator is not left
    slow.error = submodule("backend.worldtracing.errors").Cancelled()
    slow.go.set()
    assert left._work.exception(LIMIT) is slow.error
    slow.error = None
    assert window.finish() == {"FINISHED"} and not window.said
    assert len(api.lifted_objects(window.world)) == 1


def test_what_escape_elsewhere_has_ended_is_begun_again(api, submodule, window, slow):
    start_lift(api, window)
    slow.error = submodule("backend.worldtracing.errors").Cancelled()
    slow.go.set()
    assert window.operator._work.exception(LIMIT) is slow.error
    slow.error = None
    assert window.finish() == {"FINISHED"} and not window.said
    assert len(api.lifted_objects(window.world)) == 1


def test_a_defect_at_the_end_is_said_and_leaves_nothing(api, submodule, window, slow, monkeypatch, capsys):
    def fail(*_):
        raise ValueError("no")

    monkeypatch.setattr(submodule("worldtracing_addon.api"), "lift_object", fail)
    start_lift(api, window)
    assert window.finish() == {"CANCELLED"}
    ((level, text),) = window.said
    assert level == "ERROR" and "WT-SCENE-FAILED" in text and "ValueError: no" in capsys.readouterr().err


def test_a_turntable_that_plays_is_not_waited_for(api, window, slow):
    """The root's matrix is then another one in its last digits each time, up is not."""
    slow.go.set()
    place = [click(api, window.owners, room.CUP)]
    for turn in range(8):
        window.world.root.rotation_euler = 0.3, 0.1, turn
        bpy.context.view_layer.update()
        work = api.prepare_lift(window.world, place)
        assert (work is None) == (turn > 0), turn
        work and work()


def test_what_it_means_can_change_meanwhile(api, window, slow):
    """The command was about the ball."""
    slow.go.set()
    ball, cup = (lift(api, window.world, window.owners, thing, str(thing)) for thing in (room.BALL, room.CUP))
    ball.select_set(True)
    slow.go.clear()
    mesh = window.world.layers[-1].data
    mesh.vertices[0].co.x += 1e-3  # so there is something to compute
    assert window.start("edit", "WT_OT_run_command", text="remove it") == {"RUNNING_MODAL"}
    ball.select_set(False)
    cup.select_set(True)
    assert window.finish() == {"CANCELLED"} and "changed meanwhile" in window.said[0][1]
    assert not cup.hide_render and not ball.hide_render
