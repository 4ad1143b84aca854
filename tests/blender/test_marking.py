"""Clicks, boxes and strokes in the viewport as the operators take them; the events are made here, without a window."""

import contextlib
from types import SimpleNamespace

import bpy
import pytest
from mathutils import Vector


@pytest.fixture
def marking(submodule, scene_modules):
    """An operator that waits in a viewport, and what became of it."""
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    scene_modules.make()
    area = next(area for area in bpy.context.window.screen.areas if area.type == "VIEW_3D")
    module = submodule("worldtracing_addon.ops.marking")
    clicks = submodule("worldtracing_addon.ops.viewport").ViewportClicks

    class Operator(module.MarkOperator):
        x = y = 0.0
        more, box = "", (0.0, 0.0, 0.0, 0.0)
        changes, said, pixels = 0, "", None
        seen = SimpleNamespace(pixel=(3.5, 4.5), part=None, layer=0, place=Vector((0, 1, 0)))

        def boxed_part(self, _context, world):
            return world.layers[0]

        def answer(self, _context, _world, _found):
            return ""

        def preparation(self, _context, _world):
            return None

        def change(self, _context, _world):
            self.changes += 1

        def report(self, _kind, text):
            self.said = text

    operator = Operator()
    window = SimpleNamespace(cursor_modal_restore=lambda: None)
    context = SimpleNamespace(
        area=area, scene=bpy.context.scene, view_layer=bpy.context.view_layer, workspace=bpy.context.workspace,
        window=window, mode="OBJECT",
    )  # fmt: skip
    operator._clicks = clicks(context, "")
    operator._overlay = module.MarkOverlay(area)
    operator._region, operator._path, operator._mouse = None, [], None
    operator._clicks.picks = lambda places, _region, _world: [operator.seen] * len(places)

    def box(_part, region, start, end):
        operator.pixels = region.type, start, end
        return submodule("worldtracing_addon.api").Box(1.0, 2.0, 3.0, 4.0)

    operator._clicks.box = box
    middle = area.x + area.width // 2, area.y + area.height // 2

    def send(kind, value="NOTHING", by=(0, 0), **keys):
        keys = {"shift": False, "ctrl": False, **keys}
        event = SimpleNamespace(type=kind, value=value, mouse_x=middle[0] + by[0], mouse_y=middle[1] + by[1], **keys)
        return operator.modal(context, event)

    return operator, send


def test_a_drag_is_a_box(marking):
    operator, send = marking
    assert send("MOUSEMOVE") == {"PASS_THROUGH"}
    assert send("LEFTMOUSE", "PRESS") == {"RUNNING_MODAL"}
    assert send("MOUSEMOVE", by=(30, 20)) == {"RUNNING_MODAL"}
    assert operator._overlay._handle is not None
    assert send("LEFTMOUSE", "RELEASE", by=(60, 40)) == {"FINISHED"}
    region, start, end = operator.pixels
    assert region == "WINDOW" and (end[0] - start[0], end[1] - start[1]) == (60, 40)
    assert operator.changes == 1 and tuple(operator.box) == (1, 2, 3, 4)
    assert operator._overlay._handle is None
    assert [type(prompt).__name__ for prompt in operator.prompts()] == ["Box"]


def test_a_press_that_a_slow_viewport_tells_late_is_where_the_mouse_was(marking):
    operator, send = marking
    send("MOUSEMOVE")
    send("LEFTMOUSE", "PRESS", by=(40, 30))
    send("LEFTMOUSE", "RELEASE", by=(60, 40))
    _, start, end = operator.pixels
    assert (end[0] - start[0], end[1] - start[1]) == (60, 40)


def test_a_short_move_is_a_click_and_keys_add_to_it(marking):
    operator, send = marking
    for keys in ({"shift": True}, {"ctrl": True}):
        send("LEFTMOUSE", "PRESS", **keys)
        assert send("LEFTMOUSE", "RELEASE", **keys) == {"RUNNING_MODAL"}
    send("LEFTMOUSE", "PRESS")
    assert send("LEFTMOUSE", "RELEASE", by=(3, 2)) == {"FINISHED"}
    assert operator.changes == 1 and operator.pixels is None
    assert [prompt.positive for prompt in operator.prompts()] == [True, True, False]
    assert {type(prompt).__name__ for prompt in operator.prompts()} == {"Click"}


def draw(send, *path, **keys):
    send("LEFTMOUSE", "PRESS", path[0], **keys)
    for place in path[1:]:
        assert send("MOUSEMOVE", by=place, **keys) == {"RUNNING_MODAL"}
    return send("LEFTMOUSE", "RELEASE", path[-1], **keys)


def test_a_drag_with_a_key_is_a_stroke_and_enter_takes_what_is_marked(marking):
    operator, send = marking
    assert draw(send, (0, 0), (20, 0), (20, 20), (0, 0), shift=True) == {"RUNNING_MODAL"}  # back where it began
    assert draw(send, (0, 0), (30, 0), ctrl=True) == {"RUNNING_MODAL"}
    assert [positive for positive, _ in operator._overlay._marks] == [True, False]
    assert operator.changes == 0
    assert send("RET", "PRESS") == {"FINISHED"}
    assert operator.changes == 1 and operator._overlay._handle is None
    assert [(type(prompt).__name__, prompt.positive) for prompt in operator.prompts()] == [
        ("Stroke", True),
        ("Stroke", False),
    ]
    assert set(operator.prompts()[0].points) == {(3.5, 4.5)} and len(operator.prompts()[0].points) > 8


def test_the_last_mark_can_be_taken_back(marking):
    operator, send = marking
    for end in ((20, 0), (0, 30), (40, 40)):
        draw(send, (0, 0), end, shift=True)
    assert send("BACK_SPACE", "PRESS") == {"RUNNING_MODAL"}
    assert send("Z", "PRESS", ctrl=True) == {"RUNNING_MODAL"}
    assert len(operator.prompts()) == len(operator._overlay._marks) == 1
    assert send("BACK_SPACE", "PRESS") == {"RUNNING_MODAL"}
    assert not operator.more and not operator._overlay._marks
    for key in ("BACK_SPACE", "RET"):  # nothing is marked: these are the viewport's own
        assert send(key, "PRESS") == {"PASS_THROUGH"}


def test_a_stroke_beside_everything_marks_nothing(marking):
    operator, send = marking
    operator.seen = None
    assert draw(send, (0, 0), (20, 0), shift=True) == {"RUNNING_MODAL"}
    assert not operator.more and "no point" in operator.said


def test_of_what_is_seen_and_what_is_hidden_in_the_photo_a_stroke_means_what_is_seen(marking):
    operator, send = marking
    behind = SimpleNamespace(pixel=(9.5, 9.5), part=None, layer=1, place=Vector((0, 2, 0)))
    operator._clicks.picks = lambda places, _region, _world: [operator.seen, behind, None][: len(places)]
    draw(send, (0, 0), (20, 0), ctrl=True)
    assert operator.more == "-3.5 4.5"
    operator._clicks.picks = lambda places, _region, _world: [behind]
    draw(send, (0, 0), (20, 0), shift=True)
    assert operator.more == "-3.5 4.5, 9.5 9.5"


@pytest.mark.parametrize("stop", ["ESC", "RIGHTMOUSE"])
def test_a_drag_can_be_cancelled(marking, stop):
    operator, send = marking
    send("LEFTMOUSE", "PRESS")
    send("MOUSEMOVE", by=(50, 50))
    assert send(stop, "PRESS") == {"CANCELLED"}
    assert operator.changes == 0 and operator._overlay._handle is None


def test_a_click_beside_everything_says_so(marking):
    operator, send = marking
    operator.seen = None
    send("LEFTMOUSE", "PRESS")
    assert send("LEFTMOUSE", "RELEASE") == {"CANCELLED"}
    assert operator.changes == 0 and "no point" in operator.said


def test_a_viewport_that_is_closed_in_mid_drag_ends_it(marking):
    operator, send = marking
    send("LEFTMOUSE", "PRESS")
    send("MOUSEMOVE", by=(50, 50))
    operator._clicks.area.type = "IMAGE_EDITOR"
    assert send("LEFTMOUSE", "RELEASE", by=(60, 60)) == {"CANCELLED"}
    assert operator.changes == 0 and operator._overlay._handle is None


def test_what_stops_it_in_mid_aim_is_said_and_leaves_nothing(marking, submodule, capsys):
    operator, send = marking
    error = submodule("worldtracing_addon.api").WorldTracingError("WT-SCENE-SELECT", "It was deselected.", "Select it.")
    said = []
    for problem in (error, ValueError("no")):

        def answer(*_, problem=problem):
            raise problem

        operator.answer = answer
        draw(send, (0, 0), (20, 0), shift=True)
        send("LEFTMOUSE", "PRESS")
        assert send("LEFTMOUSE", "RELEASE") == {"CANCELLED"}
        assert operator.changes == 0 and operator._overlay._handle is None
        said.append(operator.said)
    assert "deselected" in said[0] and "WT-SCENE-FAILED" in said[1] and "ValueError: no" in capsys.readouterr().err


def test_switching_the_add_on_off_in_mid_aim_leaves_nothing(marking, submodule, monkeypatch):
    operator, send = marking
    viewport, restored, status = submodule("worldtracing_addon.ops.viewport"), [], ["Click"]
    draw(send, (0, 0), (20, 0), shift=True)
    assert operator._overlay._handle is not None
    window = SimpleNamespace(cursor_modal_restore=lambda: restored.append(1))
    context = SimpleNamespace(
        workspace=SimpleNamespace(status_text_set=status.append), window_manager=SimpleNamespace(windows=[window])
    )
    with monkeypatch.context() as patch:
        patch.setattr(viewport, "bpy", SimpleNamespace(context=context))
        viewport.unregister()
    assert operator._overlay._handle is None and restored == [1] and status[-1] is None
    viewport.unregister()
    assert restored == [1], "there was nothing to take away"


def test_what_the_status_bar_says_ends_in_the_workspace_in_which_it_was_said(submodule, monkeypatch):
    """Blender tells nobody what its status bar says. It sets that of the context's workspace, whichever is asked."""
    status, said = submodule("worldtracing_addon.ops.status"), {}

    class Context:
        def __init__(self):
            names = "Layout", "Shading"
            self.workspaces = {name: SimpleNamespace(name=name, status_text_set=self.say) for name in names}
            self.shown = "Layout"

        def say(self, text):
            said[self.shown] = text

        @property
        def workspace(self):
            return self.workspaces[self.shown]

        @contextlib.contextmanager
        def temp_override(self, workspace):
            before, self.shown = self.shown, workspace.name
            yield
            self.shown = before

    context = Context()
    data = SimpleNamespace(workspaces=context.workspaces.values())
    monkeypatch.setattr(status, "bpy", SimpleNamespace(context=context, data=data))
    status.set_status(context, "Click")
    context.shown = "Shading"
    status.set_status(context, None)
    assert said == {"Layout": None, "Shading": None} and context.shown == "Shading"
