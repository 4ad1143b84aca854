"""A lifted object has its hidden layers, and nothing gets lost; what is left is colored and filled."""

import numpy as np
import pytest
from editing_world import BALL, COLORS, CRATE, CUP, FLOOR, TABLE, TO_LEVEL, WALL, room

from worldtracing.editing import fill, find_planes, lift, part, segment, surface_colors
from worldtracing.editing.base import Plane, front_layer
from worldtracing.world import LayeredWorld


@pytest.fixture(scope="module")
def scene():
    return room()


@pytest.fixture(scope="module")
def planes(scene):
    return find_planes(scene[0])


def with_layers(world, count):
    return LayeredWorld(world.points[:count].copy(), world.valid[:count].copy(), world.rgb, world.K, world.scale)


@pytest.mark.parametrize("owner", [BALL, CRATE, TABLE])
def test_an_object_comes_with_all_its_layers(scene, planes, owner):
    world, owners = scene
    lifted = lift(world, owners[0] == owner, planes)
    true = owners == owner
    assert np.count_nonzero(lifted.points & true) > 0.95 * np.count_nonzero(true)
    assert np.count_nonzero(lifted.points & ~true) < 0.05 * np.count_nonzero(true)


def test_the_part_behind_another_object_comes_too(scene, planes):
    world, owners = scene
    behind = (owners == CRATE) & (owners[0] == BALL)
    assert np.count_nonzero(behind) > 100
    lifted = lift(world, owners[0] == CRATE, planes)
    assert np.count_nonzero(lifted.points & behind) > 0.9 * np.count_nonzero(behind)


def test_an_entry_takes_its_exit_where_nothing_connects_them(planes):
    """An object that reaches over the picture's left edge shows no outline at which front and back meet."""
    world, owners = room((CRATE,))
    window = slice(30, 50), slice(55, 70)
    cut = LayeredWorld(
        world.points[:, *window].copy(),
        world.valid[:, *window].copy(),
        world.rgb[window].copy(),
        world.K,
        world.scale,
    )
    crate = owners[:, *window] == CRATE
    assert np.array_equal(lift(cut, crate[0], planes).points & crate, crate)


def test_lifting_everything_in_turn_puts_every_point_in_exactly_one_place(scene, planes):
    world, owners = scene
    taken = np.zeros(world.valid.shape, int)
    rest = world.valid
    for owner in (BALL, CUP, TABLE, CRATE):
        lifted = lift(part(world, rest), owners[0] == owner, planes).points
        assert not (lifted & ~rest).any()
        taken += lifted
        rest = rest & ~lifted
    assert np.array_equal(taken + rest, world.valid.astype(int))
    left = owners[rest]
    assert np.mean(np.isin(left, (FLOOR, WALL))) > 0.95


def test_what_is_behind_a_lifted_object_can_be_lifted_next(scene, planes):
    world, owners = scene
    rest = part(world, world.valid & ~lift(world, owners[0] == BALL, planes).points)
    front = front_layer(rest.valid)
    now_seen = np.take_along_axis(owners, front[None], 0)[0] == CRATE
    assert np.count_nonzero(now_seen) > np.count_nonzero(owners[0] == CRATE)
    lifted = lift(rest, now_seen, planes).points
    assert np.count_nonzero(lifted & (owners == CRATE)) > 0.95 * np.count_nonzero(owners == CRATE)


def test_a_single_layer_lifts_its_mask(scene, planes):
    world, owners = scene
    ball = owners[0] == BALL
    lifted = lift(with_layers(world, 1), ball, planes)
    assert np.array_equal(lifted.points[0], ball)


def test_lifting_the_floor_takes_it_behind_objects_too(scene, planes):
    world, owners = scene
    lifted = lift(world, owners[0] == FLOOR, planes)
    assert np.count_nonzero(lifted.points & (owners == FLOOR)) > 0.95 * np.count_nonzero(owners == FLOOR)


def test_an_empty_mask_lifts_nothing_and_a_mask_of_another_size_is_refused(scene, planes):
    world, owners = scene
    assert not lift(world, np.zeros_like(owners[0], bool), planes).points.any()
    with pytest.raises(ValueError, match="mask"):
        lift(world, np.zeros((3, 4), bool), planes)


def test_hidden_points_take_the_colors_of_their_own_surface(scene, planes):
    world, owners = scene
    ball = lift(world, owners[0] == BALL, planes).points
    rest = world.valid & ~ball
    for points in (ball, rest):
        colors = surface_colors(world, points, planes)
        wrong = np.abs(colors.rgb[points].astype(int) - COLORS[owners[points]]).max(1) > 10
        assert wrong.mean() < 0.03
        assert (colors.rgb[~points] == 0).all()
        assert np.array_equal(colors.invented[1:], points[1:])
        assert not (colors.invented[0] & ~points[0]).any()


def test_no_color_of_a_removed_object_stays_behind(scene, planes):
    world, owners = scene
    rest = world.valid & ~lift(world, owners[0] == BALL, planes).points
    colors = surface_colors(world, rest, planes).rgb[rest].astype(int)
    assert (np.abs(colors - COLORS[BALL]).sum(1) > 60).all()


def test_a_pixel_that_mixes_two_things_on_an_outline_is_recolored(scene, planes):
    world, owners = scene
    ball = owners[0] == BALL
    rgb = world.rgb.copy()
    rim = ball & ~(np.roll(ball, 1, 1) & np.roll(ball, -1, 1) & np.roll(ball, 1, 0) & np.roll(ball, -1, 0))
    rgb[rim] = 255
    mixed = LayeredWorld(world.points.copy(), world.valid.copy(), rgb, world.K, world.scale)
    points = lift(mixed, ball, planes).points
    colors = surface_colors(mixed, points, planes)
    assert (colors.rgb[0][ball] == COLORS[BALL]).all(1).mean() > 0.98
    assert colors.invented[0][rim].mean() > 0.98


def test_nothing_is_filled_where_a_layer_shows_what_is_behind(scene, planes):
    world, owners = scene
    rest = world.valid & ~lift(world, owners[0] == CRATE, planes).points
    filled = fill(world, rest, planes)
    assert np.count_nonzero(filled.valid) < 0.05 * np.count_nonzero(owners[0] == CRATE)


def test_a_hole_that_no_layer_covers_is_filled_with_the_supports_around(scene, planes):
    world, owners = scene
    flat = with_layers(world, 1)
    ball = owners[0] == BALL
    filled = fill(flat, flat.valid & ~lift(flat, ball, planes).points, planes)
    assert np.array_equal(filled.valid, ball)
    level = filled.points[ball] @ TO_LEVEL.T
    on_floor, on_wall = np.abs(level[:, 1] - 1.4) < 0.02, np.abs(level[:, 2] - 5.0) < 0.05
    on_crate = np.abs(level[:, 1] - 0.7) < 0.02  # its top goes on behind the ball
    assert (on_floor | on_wall | on_crate).mean() > 0.95
    assert on_floor.any()
    rays = filled.points[ball] / filled.points[ball][:, 2:]
    assert rays == pytest.approx(world.points[0][ball] / world.points[0][ball][:, 2:], abs=1e-5)
    likeness = np.abs(filled.rgb[ball].astype(int)[on_floor] - COLORS[FLOOR]).max(1)
    assert np.median(likeness) <= 2
    assert (filled.rgb[~ball] == 0).all()


def test_the_table_is_whole_again_under_a_removed_cup(scene, planes):
    """The foot of a thing and the table's top are one surface on the ray through both: no layer has the top there."""
    world, owners = room((CRATE, TABLE))
    full, full_owners = scene
    rest = full.valid & ~lift(full, full_owners[0] == CUP, planes).points
    filled = fill(full, rest, planes)
    bare = owners[0] == TABLE
    covered = (full_owners[0] == CUP) & bare
    shown = np.where(filled.valid, filled.points[..., 2], np.inf)
    behind = part(full, rest)
    front = np.take_along_axis(behind.points, front_layer(behind.valid)[None, :, :, None], 0)[0, ..., 2]
    depth = np.minimum(shown, front)[covered]
    assert np.median(np.abs(depth - world.points[0, ..., 2][covered])) < 0.02


def test_without_supports_the_surroundings_depth_goes_on(scene):
    world, owners = room((BALL,))
    flat = with_layers(world, 1)
    ball = owners[0] == BALL
    filled = fill(flat, flat.valid & ~ball, ())
    assert np.array_equal(filled.valid, ball)
    assert (filled.points[..., 2][ball] > world.points[0, ..., 2][ball]).all()  # hidden while the ball is there
    assert filled.points[..., 2][ball].max() < 5.5


def test_a_plane_that_is_a_slice_of_the_removed_thing_does_not_go_on(scene, planes):
    world, owners = scene
    flat = with_layers(world, 1)
    ball = owners[0] == BALL
    seen = world.points[0][ball]
    slice_of_ball = Plane(np.array([0.0, 0.0, -1.0]), -float(np.median(seen[:, 2])), "wall", len(seen), 0.05)
    rest = flat.valid & ~ball
    filled, expected = fill(flat, rest, (slice_of_ball, *planes)), fill(flat, rest, planes)
    assert np.array_equal(filled.points, expected.points) and np.array_equal(filled.rgb, expected.rgb)


def test_next_to_the_sky_nothing_is_filled(scene):
    world, owners = room((BALL,))
    ball = owners[0] == BALL
    alone = part(world, np.broadcast_to(owners[0] == BALL, world.valid.shape))
    assert not fill(alone, np.zeros_like(alone.valid), ()).valid.any()
    assert np.count_nonzero(ball) > 100


def test_a_world_without_points_has_nothing_to_edit():
    nothing = np.zeros((2, 8, 9), bool)
    rgb = np.zeros((8, 9, 3), np.uint8)
    world = LayeredWorld(np.zeros((2, 8, 9, 3), np.float32), nothing, rgb, np.diag([9.0, 9.0, 1.0]), "relative")
    segmentation = segment(world)
    assert segmentation.names == ()
    assert not lift(world, np.ones((8, 9), bool), segmentation.planes).points.any()
    assert not fill(world, nothing, segmentation.planes).valid.any()
    assert not surface_colors(world, nothing, segmentation.planes).invented.any()


def test_hidden_floor_and_wall_keep_their_own_colors_where_they_meet(scene, planes):
    world, owners = scene
    rest = world.valid.copy()
    for thing in (BALL, CRATE, TABLE, CUP):
        rest &= ~lift(world, owners[0] == thing, planes).points
    colors = surface_colors(world, rest, planes).rgb
    for surface in (FLOOR, WALL):
        hidden = rest & (owners == surface)
        hidden[0] = False
        assert hidden.sum() > 100
        assert np.abs(colors[hidden].astype(int) - COLORS[surface]).max() <= 1
