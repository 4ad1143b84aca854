"""What lifted objects hid is painted, beside Blender and in one undo step, and is theirs until they are put back."""

import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import bpy
import editing_world as room
import numpy as np
import pytest
from editing_scene import layer_state, lift, places
from fake_window import LIMIT, FakeWindow, installed


@pytest.fixture
def grainy(build_room, monkeypatch):
    """As `build_room`, with grain on every surface."""
    plain = room.room

    def grained(things):
        traced, owners = plain(things)
        grain = np.random.default_rng(0).integers(-45, 46, (*traced.rgb.shape[:2], 1))
        return replace(traced, rgb=np.clip(traced.rgb + grain, 0, 255).astype(np.uint8)), owners

    monkeypatch.setattr(room, "room", grained)
    return build_room


@pytest.fixture
def imagines(submodule, monkeypatch):
    """An installed generative painter that paints all green, when it is told to, and remembers what it was asked."""
    painters = submodule("backend.worldtracing.editing.painters")
    state = SimpleNamespace(asked=[], threads=[], begun=threading.Event(), go=threading.Event(), stopped=[])
    state.go.set()

    class Imagines:
        info = painters.PainterInfo("imagines", "Imagines", "", "MIT", generative=True)

        def problem(self):
            return ""

        def paint(self, rgb, unknown, text="", seed=0, on_progress=None, source=None):
            state.asked.append((text, seed))
            state.threads.append(threading.current_thread())
            state.begun.set()
            end = time.monotonic() + LIMIT
            while not state.go.wait(0.01):
                assert time.monotonic() < end
                try:
                    on_progress("painting", 2, 7)
                except BaseException as error:
                    state.stopped.append(error)
                    raise
            return np.where(unknown[..., None], np.uint8((0, 255, 0)), rgb)

    installed(monkeypatch, submodule, "worldtracing.painters", "imagines", Imagines)
    yield state
    state.go.set()  # no thread may be left waiting
    submodule("worldtracing_addon.core.assistants").local_states.cache_clear()


def colors(edit_modules, mesh):
    return edit_modules.read(mesh, edit_modules.points.COLOR)[:, :3]


def uncovered(edit_modules, world, layer=1):
    """Colors of the layer's points that are seen where objects are away, (N, 3) linear, and their rows and columns."""
    data = edit_modules.world_data.read_world(world)
    part = next(part for part in world.layers if part["wt_layer"] == layer)
    rows, columns = data.vertices[layer]
    seen = data.remaining[layer, rows, columns] & (data.owner[:layer].max(0)[rows, columns] > 0)
    seen &= ~data.remaining[:layer].any(0)[rows, columns]
    return colors(edit_modules, part.data)[seen]


def test_what_was_hidden_gets_the_grain_of_its_surface(api, edit_modules, grainy):
    world, owners = grainy()
    ball = lift(api, world, owners, room.BALL, "ball")
    smooth = uncovered(edit_modules, world)
    assert api.repaint(world, [ball]) > 50
    painted = uncovered(edit_modules, world)
    assert painted.std(0).mean() > 1.3 * smooth.std(0).mean()
    assert painted.mean(0) == pytest.approx(smooth.mean(0), abs=0.15)


def test_the_photo_and_what_the_objects_did_not_hide_stay(api, edit_modules, grainy):
    world, owners = grainy()
    data = edit_modules.world_data.read_world(world)
    ball, cup = (lift(api, world, owners, thing, "it") for thing in (room.BALL, room.CUP))
    before = [colors(edit_modules, part.data) for part in world.layers]
    of_cup = colors(edit_modules, cup.data)
    api.repaint(world, [ball])
    after = edit_modules.world_data.read_world(world)
    np.testing.assert_array_equal(after.world.rgb, data.world.rgb)
    hid = (after.owner == ball[edit_modules.objects.NUMBER]).any(0)
    hid = np.pad(hid, 2)
    near = sum(np.roll(hid, (down, right), (0, 1)) for down in range(-2, 3) for right in range(-2, 3))[2:-2, 2:-2] > 0
    for part, was in zip(world.layers, before, strict=True):
        rows, columns = after.vertices[part["wt_layer"]]
        changed = (colors(edit_modules, part.data) != was).any(1)
        assert not (changed & ~near[rows, columns]).any()
    np.testing.assert_array_equal(colors(edit_modules, cup.data), of_cup)


def test_a_fill_is_painted_and_stays_marked_as_invented(api, edit_modules, grainy):
    world, owners = grainy()
    for part in [part for part in world.layers if part["wt_layer"] > 0]:
        bpy.data.objects.remove(part)  # no layer shows what the ball hid
    ball = lift(api, world, owners, room.BALL, "ball")
    fill = bpy.data.objects["ball Fill"]
    before = colors(edit_modules, fill.data)
    api.repaint(world)
    after = colors(edit_modules, fill.data)
    assert (after != before).any(1).mean() > 0.9 and after.std(0).mean() > 1.1 * before.std(0).mean()
    assert edit_modules.read(fill.data, edit_modules.lifting.INVENTED).all() and ball.name == "ball"


def test_putting_back_leaves_the_layers_as_they_were(api, edit_modules, grainy):
    world, owners = grainy()
    before = layer_state(edit_modules, world)
    ball, crate = (lift(api, world, owners, thing, str(thing)) for thing in (room.BALL, room.CRATE))
    assert api.repaint(world) > 100
    api.put_back(world, ball)
    api.put_back(world, crate)
    assert layer_state(edit_modules, world) == before
    for part in world.layers:
        assert not edit_modules.read(part.data, edit_modules.points.PAINTED).any()


def test_what_was_painted_outlasts_further_lifts_and_a_saved_file(api, edit_modules, grainy, tmp_path):
    world, owners = grainy()
    lift(api, world, owners, room.CRATE, "crate")
    api.repaint(world)
    data = edit_modules.world_data.read_world(world)

    def shown(world):
        part = next(part for part in world.layers if part["wt_layer"] == 2)
        rows, columns = data.vertices[2]
        seen = data.remaining[2, rows, columns] & ~data.remaining[:2].any(0)[rows, columns]
        return colors(edit_modules, part.data)[seen]

    painted = shown(world)
    ball = lift(api, world, owners, room.BALL, "ball")  # stands before the crate
    api.put_back(world, ball)
    np.testing.assert_array_equal(shown(world), painted)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "file.blend"))
    world = api.active_world(bpy.context)
    np.testing.assert_array_equal(shown(world), painted)
    lift(api, world, owners, room.CUP, "cup")
    np.testing.assert_array_equal(shown(world), painted)


def test_an_object_behind_another_is_painted_where_that_hid_it(api, edit_modules, grainy):
    world, owners = grainy()
    ball, crate = (lift(api, world, owners, thing, str(thing)) for thing in (room.BALL, room.CRATE))
    at = places(edit_modules, crate)
    before = colors(edit_modules, crate.data)
    api.repaint(world, [ball])
    changed = (colors(edit_modules, crate.data) != before).any(1)
    data = edit_modules.world_data.read_world(world)
    assert changed.any()
    assert (data.owner[0][at[changed, 1], at[changed, 2]] == ball[edit_modules.objects.NUMBER]).all()


def test_a_generative_painter_paints_backs_too(api, edit_modules, grainy, imagines):
    world, owners = grainy(things=(room.BALL,))
    ball = lift(api, world, owners, room.BALL, "shiny ball")
    api.repaint(world, [ball], "imagines", 7)
    assert [seed for _, seed in imagines.asked] == [7, 7]
    assert "shiny ball" in imagines.asked[1][0]
    green = (colors(edit_modules, ball.data) == (0, 1, 0)).all(1)
    at, invented = places(edit_modules, ball), edit_modules.read(ball.data, edit_modules.lifting.INVENTED)
    assert green.any() and (at[green, 0] > 0).all() and invented[green].all()


def test_without_a_lifted_object_there_is_nothing_to_paint(api, grainy, scene_modules):
    world, owners = grainy()
    with pytest.raises(api.WorldTracingError) as caught:
        api.repaint(world)
    assert caught.value.code == "WT-SCENE-SELECT"
    lift(api, world, owners, room.BALL, "ball")
    with pytest.raises(api.WorldTracingError) as caught:
        api.repaint(world, painter="nobody")
    assert caught.value.code == "WT-MODEL-UNKNOWN"


def test_a_painter_that_fails_changes_nothing(api, edit_modules, grainy, imagines, monkeypatch, submodule):
    world, owners = grainy(things=(room.BALL,))
    ball = lift(api, world, owners, room.BALL, "ball")
    before = layer_state(edit_modules, world)
    writing = submodule("worldtracing_addon.scene.repainting")
    monkeypatch.setattr(writing, "renew_merged", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        api.repaint(world, [ball])
    assert layer_state(edit_modules, world) == before
    assert all(edit_modules.points.PAINTED not in part.data.attributes for part in world.layers)


def test_the_painters_are_listed_with_what_they_lack(api, imagines):
    states = {info.name: (info, problem) for info, problem in api.painters()}
    assert states["patches"][1] == "" and states["imagines"][1] == ""
    assert states["diffusion"][0].generative and states["diffusion"][0].licence == "CreativeML Open RAIL-M"
    choice = bpy.context.window_manager.world_tracing_repaint
    choice.painter = "imagines"
    assert choice.painter_name == "imagines"
    choice.painter = "patches"


def test_the_button_is_one_undo_step(api, edit_modules, grainy, submodule):
    world, owners = grainy()
    lift(api, world, owners, room.BALL, "ball")
    bpy.ops.ed.undo_push(message="lifted")
    before = layer_state(edit_modules, world)
    assert bpy.ops.wt.repaint() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="painted")
    painted = layer_state(edit_modules, world)
    assert painted != before
    bpy.ops.ed.undo()
    world = api.active_world(bpy.context)
    assert layer_state(edit_modules, world) == before
    bpy.ops.ed.redo()
    assert layer_state(edit_modules, api.active_world(bpy.context)) == painted


def test_what_one_stops_another_that_waits_for_the_same_paints(api, submodule, grainy, imagines):
    world, owners = grainy(things=(room.BALL,))
    lift(api, world, owners, room.BALL, "ball")
    stop, imagines.stopped = threading.Event(), []
    cancelled = submodule("backend.worldtracing.errors").Cancelled

    def on_progress(*_):
        if stop.is_set():
            raise cancelled

    background = submodule("worldtracing_addon.handoff").in_background
    imagines.go.clear()
    first = background(api.prepare_repaint(world, painter="imagines", on_progress=on_progress))
    assert imagines.begun.wait(LIMIT)
    second = background(api.prepare_repaint(world, painter="imagines"))
    stop.set()
    assert isinstance(first.exception(LIMIT), cancelled)
    imagines.go.set()
    second.result(LIMIT)
    assert api.prepare_repaint(world, painter="imagines") is None and len(imagines.stopped) == 1


def test_a_command_repaints_what_was_lifted(api, edit_modules, grainy):
    world, owners = grainy()
    lift(api, world, owners, room.BALL, "ball")
    before = layer_state(edit_modules, world)
    work = api.command_search(world, "repaint the ball")
    assert work is not None and layer_state(edit_modules, world) == before
    work()
    assert api.command_search(world, "repaint the ball") is None
    assert api.run_command(world, "repaint the ball") == "Repaint: ball"
    painted = layer_state(edit_modules, world)
    assert painted != before
    api.repaint(world)
    assert layer_state(edit_modules, world) == painted


class Window(FakeWindow):
    """With the panel's button."""

    def click(self):
        return self.made("repaint", "WT_OT_repaint").invoke(self.context, None)


def test_in_a_window_it_paints_beside_blender_and_escape_stops_it(api, edit_modules, grainy, imagines, submodule):
    world, owners = grainy(things=(room.BALL,))
    lift(api, world, owners, room.BALL, "ball")
    before = layer_state(edit_modules, world)
    choice = bpy.context.window_manager.world_tracing_repaint
    choice.painter_name = "imagines"
    imagines.go.clear()
    window = Window(submodule)
    assert window.click() == {"RUNNING_MODAL"}
    assert imagines.begun.wait(LIMIT) and imagines.threads[0] != threading.main_thread()
    end = time.monotonic() + LIMIT
    while "3 of 7" not in (window.status or ""):
        assert window.send("TIMER") == {"PASS_THROUGH"} and time.monotonic() < end
        time.sleep(0.01)
    assert window.send("ESC") == {"CANCELLED"}
    assert not window.timers and window.status is None
    while not imagines.stopped:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert layer_state(edit_modules, world) == before
    imagines.go.set()
    assert window.click() == {"RUNNING_MODAL"}
    assert window.finish() == {"FINISHED"}
    assert layer_state(edit_modules, world) != before and not window.timers
    assert window.said[-1][0] == "INFO" and "painted" in window.said[-1][1]
    assert imagines.threads[-1] != threading.main_thread()
    choice.painter_name = "patches"


def test_switching_the_add_on_off_stops_the_painter(api, grainy, imagines, submodule):
    world, owners = grainy(things=(room.BALL,))
    lift(api, world, owners, room.BALL, "ball")
    repaint = submodule("worldtracing_addon.ops.repaint")
    bpy.context.window_manager.world_tracing_repaint.painter_name = "imagines"
    imagines.go.clear()
    window = Window(submodule)
    assert window.click() == {"RUNNING_MODAL"} and imagines.begun.wait(LIMIT)
    repaint.unregister()
    repaint.register()
    imagines.threads[0].join(LIMIT)
    assert imagines.stopped and not imagines.threads[0].is_alive()
    window.send("ESC")
