"""Camera rigs, suggested ranges, render settings, light, shadow and depth of field."""

from math import radians

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from rendering import render
from toy_world import make_world


@pytest.fixture
def world(submodule):
    """A built world of 96 x 72 pixels whose root was moved and scaled."""
    world_class = submodule("backend.worldtracing.world").LayeredWorld
    build = submodule("worldtracing_addon.scene.build").build_world
    built = build(bpy.context.scene, make_world(world_class), name="a", photo=None, source="")
    built.root.location, built.root.rotation_euler.z, built.root.scale = (1, 2, 3), 0.4, (2, 2, 2)
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, 41
    bpy.context.view_layer.update()
    return built


def at(frame):
    bpy.context.scene.frame_set(frame)
    bpy.context.view_layer.update()


def center_of(world):
    positions = []
    for part in world.layers:
        values = np.empty(len(part.data.vertices) * 3, np.float32)
        part.data.attributes["position"].data.foreach_get("vector", values)
        positions.append(values.reshape(-1, 3))
    return world.root.matrix_world @ Vector(np.median(np.concatenate(positions), 0))


def angle_between(a, b):
    return a.matrix_world.to_quaternion().rotation_difference(b.matrix_world.to_quaternion()).angle


@pytest.mark.parametrize("kind", ["orbit", "arc", "dolly", "stereo", "fly"])
def test_each_rig_begins_as_the_photo_hangs_on_the_root_and_goes_with_the_world(api, world, kind):
    before = set(bpy.data.objects)
    options = api.RigOptions(picks=[world.layers[0].matrix_world @ world.layers[0].data.vertices[0].co], back=0)
    camera = api.add_rig(world, kind, options)
    scene = bpy.context.scene
    assert scene.camera == camera and (scene.render.resolution_x, scene.render.resolution_y) == (96, 72)
    assert not camera.data.background_images
    at(1)
    assert angle_between(camera, world.camera) < 0.01
    apart = (camera.matrix_world.translation - world.camera.matrix_world.translation).length
    assert apart < (0.1 if kind == "stereo" else 1e-3)
    world.root.location.x += 5
    at(1)
    assert (camera.matrix_world.translation - world.camera.matrix_world.translation).length == pytest.approx(
        apart, abs=1e-3
    )
    api.add_rig(world, kind, options)  # another one, beside the first
    api.remove_world(world)
    assert set(bpy.data.objects) < before


def test_orbit_turns_once_and_keeps_the_center_in_place(api, world):
    camera = api.add_rig(world, "orbit")
    scene, center = bpy.context.scene, center_of(world)
    at(1)
    before = world_to_camera_view(scene, camera, center)
    at(11)
    assert angle_between(camera, world.camera) == pytest.approx(radians(360 * 10 / 41), abs=0.01)
    assert (world_to_camera_view(scene, camera, center) - before).length < 0.02
    assert camera.data.dof.focus_object.parent == world.root


def test_orbit_turns_about_the_scenes_up(api, world):
    world.root.rotation_euler = (0.5, 0.2, 0.4)
    bpy.context.view_layer.update()
    camera = api.add_rig(world, "orbit")
    heights = []
    for frame in (1, 11, 21, 31):
        at(frame)
        heights.append(camera.matrix_world.translation.z)
    assert np.ptp(heights) < 1e-3


def test_arc_goes_right_left_and_back(api, world):
    camera = api.add_rig(world, "arc", api.RigOptions(left=30, right=20))
    seen = {}
    for frame in (1, 11, 31, 41):
        at(frame)
        moved = world.camera.matrix_world.inverted() @ camera.matrix_world.translation
        seen[frame] = (moved.x, angle_between(camera, world.camera))
    assert seen[11][0] > 0 and seen[11][1] == pytest.approx(radians(20), abs=1e-3)
    assert seen[31][0] < 0 and seen[31][1] == pytest.approx(radians(30), abs=1e-3)
    assert abs(seen[1][1]) < 1e-3 and abs(seen[41][1]) < 1e-3


def test_dolly_moves_along_the_line_of_sight(api, world):
    camera = api.add_rig(world, "dolly", api.RigOptions(back=0.5, forward=1))
    scene, center = bpy.context.scene, center_of(world)
    at(1)
    far = world_to_camera_view(scene, camera, center)
    at(41)
    near = world_to_camera_view(scene, camera, center)
    assert far.z - near.z == pytest.approx(1.5 * 2, rel=0.05)  # the root is scaled by two


def test_fly_through_looks_at_each_picked_point(api, world):
    picks = [world.layers[0].matrix_world @ world.layers[0].data.vertices[index].co for index in (0, 2000)]
    camera = api.add_rig(world, "fly", api.RigOptions(picks=picks))
    at(41)
    seen = world_to_camera_view(bpy.context.scene, camera, picks[1])
    shift = camera.data.shift_x, camera.data.shift_y
    assert abs(seen.x - 0.5 + shift[0]) < 0.01 and abs(seen.y - 0.5 + shift[1]) < 0.01
    left = (camera.matrix_world.translation - picks[1]).length
    assert left < 0.6 * (world.camera.matrix_world.translation - picks[1]).length


def test_stereo_eyes_agree_at_the_center(api, world):
    left = api.add_rig(world, "stereo", api.RigOptions(separation=0.1))
    (right,) = [part for part in left.parent.children if part != left]
    bpy.context.view_layer.update()
    assert left.name.endswith("_L") and right.name.endswith("_R")
    scene, center = bpy.context.scene, center_of(world)
    places = [world_to_camera_view(scene, eye, center).x for eye in (left, right)]
    assert places[0] == pytest.approx(places[1], abs=0.01)
    apart = right.matrix_world.translation - left.matrix_world.translation
    assert apart.length == pytest.approx(0.1 * 2, rel=1e-3)  # the root is scaled by two
    assert (left.matrix_world.inverted() @ right.matrix_world.translation).x > 0


def test_unknown_rigs_and_flights_to_nowhere_say_so(api, world):
    for kind in ("spiral", "fly"):
        with pytest.raises(api.WorldTracingError) as caught:
            api.add_rig(world, kind)
        assert caught.value.code == "WT-SCENE-RIG"
    bpy.data.objects.remove(world.camera)
    with pytest.raises(api.WorldTracingError) as caught:
        api.suggested_range(world)
    assert caught.value.code == "WT-SCENE-CAMERA"


def test_one_undo_step_takes_a_rig_away(api, world):
    bpy.ops.ed.undo_push(message="before")
    names = sorted(part.name for part in bpy.data.objects)
    bpy.ops.wt.add_rig(kind="arc")
    assert len(bpy.data.objects) == len(names) + 2
    bpy.ops.ed.undo_push(message="rig")
    bpy.ops.ed.undo()
    assert sorted(part.name for part in bpy.data.objects) == names


def test_the_buttons_do_what_the_api_does(api, world):
    scene = bpy.context.scene
    assert bpy.ops.wt.suggest_range() == {"FINISHED"}
    assert "left" in bpy.context.window_manager.world_tracing_views.suggestion
    assert bpy.ops.wt.fly_through(places="0 1 1, 0.5 1 1") == {"FINISHED"}
    assert {constraint.type for constraint in scene.camera.constraints} == {"FOLLOW_PATH", "TRACK_TO"}
    with pytest.raises(RuntimeError, match="WT-SCENE-RIG"):
        bpy.ops.wt.fly_through(places="")
    assert bpy.ops.wt.add_rig(kind="arc", suggested=False, left=0.2, right=0.1) == {"FINISHED"}
    at(31)
    assert angle_between(scene.camera, world.camera) == pytest.approx(0.2, abs=1e-3)
    engine = scene.render.engine
    assert bpy.ops.wt.view_settings(engine="CYCLES") == {"FINISHED"} and scene.render.engine == "CYCLES"
    assert bpy.ops.wt.view_settings(engine="BEFORE") == {"FINISHED"} and scene.render.engine == engine


def test_coverage_falls_as_the_camera_turns_and_the_suggestion_keeps_it(api, world):
    found = api.suggested_range(world)
    assert found.right > 0
    photo = api.view_coverage(world, world.camera)
    camera = api.add_rig(world, "arc")
    at(11)
    assert api.view_coverage(world, camera) >= 0.9 * photo - 0.02
    world.layers[1].hide_render = True
    assert api.suggested_range(world).orbit_coverage < found.orbit_coverage


def test_empty_pixels_of_a_render_are_those_that_coverage_misses(api, world, submodule, tmp_path):
    """The splatted coverage is that of Cycles' own render, from another place than the photo's."""
    coverage = submodule("worldtracing_addon.core.coverage")
    scene_coverage = submodule("worldtracing_addon.scene.coverage")
    camera = api.add_orbit_camera(bpy.context.scene, world, 25)
    bpy.context.view_layer.update()
    bpy.context.scene.render.film_transparent = True
    alpha = render(tmp_path / "render.png", camera, longer_side=64)[..., 3]
    view = scene_coverage.camera_view(world, camera)
    seen = coverage.covered(scene_coverage.splats_of(world), view, (64, 48))
    assert np.mean(seen == (alpha > 0.5)) > 0.97


def test_the_overlay_marks_what_is_missing(submodule):
    overlay = submodule("worldtracing_addon.scene.coverage_overlay")
    missing = np.zeros((3, 5), bool)
    missing[0, 1] = True  # top row
    pixels = overlay.overlay_pixels(missing)
    assert pixels[2, 1].tolist() == pytest.approx(overlay.COLOR) and np.count_nonzero(pixels.any(-1)) == 1


def test_the_overlay_can_be_switched_off_after_another_file_was_opened(submodule):
    """Blender drops handlers when it opens a file, but keeps what draws in viewports."""
    overlay = submodule("worldtracing_addon.scene.coverage_overlay")
    before = len(bpy.app.handlers.depsgraph_update_post)
    assert bpy.ops.wt.show_coverage() == {"FINISHED"} and overlay.is_shown()
    bpy.ops.wm.read_homefile(use_empty=True)
    assert bpy.ops.wt.show_coverage() == {"FINISHED"} and not overlay.is_shown()
    assert len(bpy.app.handlers.depsgraph_update_post) == before


def test_merged_layers_are_seen_and_clicked_as_the_layers_were(api, world, submodule):
    picking = submodule("worldtracing_addon.scene.picking")
    coverage = submodule("worldtracing_addon.scene.coverage")
    view = coverage.camera_view(world, world.camera) @ np.array(world.root.matrix_world.inverted())
    places = [(x, y) for x in (20, 48, 80) for y in (10, 36, 60)]

    def clicked():
        bpy.context.view_layer.update()
        found = [picking.pick_in_view(world, view, (96, 72), place) for place in places]
        return [pick and (pick.layer, pick.pixel, tuple(pick.place)) for pick in found]

    picks, reach = clicked(), api.suggested_range(world)
    assert any(picks)
    api.merge_layers(world)
    assert clicked() == picks and api.suggested_range(world) == reach
    bpy.data.objects.remove(world.root)
    assert clicked() == [None] * len(places)


@pytest.mark.parametrize("engine", ["CYCLES", "EEVEE"])
def test_view_settings_are_undone(api, engine):
    scene = bpy.context.scene

    def state():
        cycles, eevee = scene.cycles, scene.eevee
        return scene.render.engine, cycles.samples, cycles.use_denoising, cycles.max_bounces, eevee.taa_render_samples

    scene.cycles.samples, scene.eevee.taa_render_samples, scene.cycles.use_denoising = 999, 77, True
    before = state()
    api.use_view_settings(scene, engine)
    api.use_view_settings(scene, engine)  # a second call must not forget what was before the first
    assert scene.render.engine.startswith(engine[:6].replace("EEVEE", "BLEND")) and state() != before
    api.restore_view_settings(scene)
    assert state() == before


def lit_board(submodule):
    """A lit board that faces the camera, two units away and over the whole picture, without texture."""
    world_class = submodule("backend.worldtracing.world").LayeredWorld
    toy = make_world(world_class, 64, 48)
    v, u = np.mgrid[:48, :64] + 0.5
    K = toy.K
    points = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], -1)[None] * 2
    rgb = np.full((48, 64, 3), 200, np.uint8)
    rgb[:, 32:] = 20  # an edge to focus on
    board = world_class(points.astype(np.float32), np.ones((1, 48, 64), bool), rgb, K, "relative")
    build = submodule("worldtracing_addon.scene.build").build_world
    return build(bpy.context.scene, board, name="board", photo=None, source="")


@pytest.mark.parametrize("display", ["Points", "Surface"])
def test_lit_worlds_catch_shadows(api, submodule, tmp_path, display):
    world = lit_board(submodule)
    api.set_layers(world, Lit=True, Display=display)
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 4, (radians(60), 0, 0)  # from above, behind the camera
    bpy.context.scene.collection.objects.link(sun)
    api.set_match_photo(bpy.context.scene, True)
    open_sky = render(tmp_path / "lit.png", world.camera, longer_side=64)[:, :24, :3]
    shade = bpy.data.meshes.new("shade")
    shade.from_pydata([(-2, -0.3, 1), (2, -0.3, 1), (2, 0.3, 1), (-2, 0.3, 1)], [], [(0, 1, 2, 3)])
    part = bpy.data.objects.new("shade", shade)
    part.parent, part.location = world.root, (0, 1.2, -0.4)  # over the line of sight
    bpy.context.scene.collection.objects.link(part)
    shaded = render(tmp_path / "shade.png", world.camera, longer_side=64)[:, :24, :3]
    assert open_sky.mean() > 0.2
    assert (shaded.mean(-1) < 0.4 * open_sky.mean(-1)).mean() > 0.1  # a band of shadow
    assert (np.abs(shaded - open_sky).mean(-1) < 0.05).mean() > 0.2  # and not everywhere


def test_depth_of_field_blurs_what_is_out_of_focus(api, submodule, tmp_path):
    world = lit_board(submodule)
    api.set_match_photo(bpy.context.scene, True)
    camera = api.add_rig(world, "dolly", api.RigOptions(back=0, forward=0))
    camera.data.dof.use_dof, camera.data.dof.aperture_fstop = True, 0.3

    def edge(name):
        """The steepest step across the board's edge."""
        picture = render(tmp_path / name, camera, samples=32, longer_side=64)[..., :3].mean(-1)
        return np.abs(np.diff(picture[12:36].mean(0))).max()

    sharp = edge("sharp.png")  # the rig has focused on the board
    camera.data.dof.focus_distance = 0.7
    assert edge("blurred.png") < 0.6 * sharp
