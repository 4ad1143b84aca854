"""Objects are told apart, and prompts find the one that is meant."""

from dataclasses import replace

import numpy as np
import pytest
from editing_world import BALL, CAMERA, CRATE, CUP, FLOOR, SIZE, TABLE, room

from worldtracing.editing import Box, Click, Stroke, merge, part, pixels_of, refine, rename, segment, select, split
from worldtracing.editing.base import SEGMENTERS
from worldtracing.editing.prompts import drawn
from worldtracing.errors import WorldTracingError
from worldtracing.world import LayeredWorld

OBJECTS = {"ball": BALL, "crate": CRATE, "table": TABLE, "cup": CUP}


@pytest.fixture(scope="module")
def scene():
    return room()


@pytest.fixture(scope="module")
def segmentation(scene):
    return segment(scene[0])


def overlap(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def inner_pixel(mask):
    """The (x, y) of a pixel well inside, with its eight neighbors where that is possible."""
    rows, columns = np.nonzero(mask)
    at = np.argmin(np.hypot(rows - np.median(rows), columns - np.median(columns)))
    return columns[at] + 0.5, rows[at] + 0.5


def extent(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def test_every_object_is_one_segment(scene, segmentation):
    _, owners = scene
    assert len(segmentation.names) == 4
    for owner in OBJECTS.values():
        seen = owners[0] == owner
        label = np.bincount(segmentation.labels[seen]).argmax()
        assert label > 0
        assert overlap(segmentation.mask(label), seen) > 0.85
    assert (segmentation.labels[owners[0] == FLOOR] == 0).all()


@pytest.mark.parametrize("name", OBJECTS)
def test_one_click_or_one_box_or_one_stroke_selects_an_object(scene, segmentation, name):
    world, owners = scene
    seen = owners[0] == OBJECTS[name]
    x, y = inner_pixel(seen)
    assert overlap(select(world, [Click(x, y)], segmentation), seen) > 0.85
    assert overlap(select(world, [Stroke(((x - 1, y), (x + 1, y)), 1.0)], segmentation), seen) > 0.85
    if name != "table":  # the box around the table holds the cup too
        assert overlap(select(world, [Box(*extent(seen))], segmentation), seen) > 0.85


def test_a_box_around_several_things_means_all_of_them(scene, segmentation):
    world, owners = scene
    both = np.isin(owners[0], (TABLE, CUP))
    assert overlap(select(world, [Box(*extent(both))], segmentation), both) > 0.9


def test_a_click_on_the_floor_selects_the_floor(scene, segmentation):
    world, owners = scene
    assert overlap(select(world, [Click(SIZE / 2, SIZE - 3)], segmentation), owners[0] == FLOOR) > 0.95


def test_a_negative_click_takes_a_region_away(scene, segmentation):
    world, owners = scene
    around = Box(*extent(np.isin(owners[0], (TABLE, CUP))))
    on_cup = Click(*inner_pixel(owners[0] == CUP), positive=False)
    left = select(world, [around, on_cup], segmentation)
    assert np.count_nonzero(left & (owners[0] == TABLE)) > 0.95 * np.count_nonzero(owners[0] == TABLE)
    assert np.count_nonzero(left & (owners[0] == CUP)) < 0.2 * np.count_nonzero(owners[0] == CUP)


def test_a_region_is_divided_along_the_photos_edges_where_it_is_half_wanted(scene, segmentation):
    world, owners = scene
    labels = [np.bincount(segmentation.labels[owners[0] == owner]).argmax() for owner in (CRATE, BALL)]
    fused = merge(segmentation, labels)
    crate, ball = (inner_pixel(owners[0] == owner) for owner in (CRATE, BALL))
    mask = select(world, [Click(*ball), Click(*crate, positive=False)], fused)
    assert overlap(mask, owners[0] == BALL) > 0.9


def test_prompts_that_point_at_nothing_say_so(scene, segmentation):
    world, owners = scene
    ball = part(world, np.broadcast_to(owners[0] == BALL, world.valid.shape))
    nothing = replace(segmentation, labels=np.zeros_like(segmentation.labels), names=(), support=None)
    for prompts in ([Click(5, 5)], [Box(1, 1, 9, 9)], [Click(-40, 900)], [Click(5, 5, positive=False)]):
        with pytest.raises(WorldTracingError) as error:
            select(ball, prompts, nothing)
        assert error.value.code == "WT-SCENE-PROMPT"


@pytest.mark.parametrize("kind", ["click", "box", "stroke"])
def test_the_photo_decides_where_the_geometry_does_not(scene, segmentation, kind):
    world, owners = scene
    ball = owners[0] == BALL
    fused = merge(segmentation, range(1, 5))
    everything = replace(fused, labels=np.where(owners[0] != FLOOR, 1, 0), support=None)
    x, y = inner_pixel(ball)
    prompt = {"click": Click(x, y), "box": Box(*extent(ball)), "stroke": Stroke(((x - 9, y), (x + 9, y)))}[kind]
    assert overlap(select(world, [prompt], everything), ball) > 0.95


def test_the_photo_decides_where_the_geometry_knows_but_a_part_of_what_a_stroke_covers(scene, segmentation):
    world, owners = scene
    ball = owners[0] == BALL
    x, y = inner_pixel(ball)
    lower = ball & (np.arange(SIZE)[:, None] > y)
    part = replace(segmentation, labels=lower.astype(np.int32), names=("part",), support=None)
    stroke = Stroke(((x, y - 8), (x, y + 3)))
    assert overlap(select(world, [stroke], part), ball) > 0.95
    assert overlap(select(world, [Stroke(((x, y + 5), (x, y + 7)), 2.0)], part), lower) == 1


def test_long_strokes_cover_what_is_near_their_line():
    stroke = Stroke(((-20, 10), (50.3, 10), (50.3, 90.7), (300, 90)), 3.5)
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    across = (np.abs(rows - 10) <= 3) & (columns < 50)
    down = (np.abs(columns - 50.3) <= 3) & (rows > 10) & (rows < 90)
    covered = drawn([stroke], (SIZE, SIZE))
    assert covered[across | down].all()
    assert not covered[(np.abs(rows - 10) > 3.5) & (np.abs(columns - 50.3) > 3.5) & (np.abs(rows - 90) > 5)].any()


def test_the_only_object_of_a_trace_may_fill_the_picture():
    ball = np.hypot(*np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]) < 0.95
    depth = np.where(ball, 3, 0).astype(np.float32)[..., None]
    rgb = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    mode = {"mode": "object"}
    world = LayeredWorld((CAMERA.rays() * depth)[None], ball[None], rgb, CAMERA.K, "relative", metadata=mode)
    segmentation = segment(world)
    assert segmentation.planes == ()
    assert np.array_equal(select(world, [Click(SIZE / 2, SIZE / 2)], segmentation), ball)


def test_a_box_on_a_wall_means_what_is_painted_there():
    world, _ = room(())
    rgb = world.rgb.copy()
    rgb[10:24, 30:50] = (200, 40, 40)
    painted = LayeredWorld(world.points, world.valid, rgb, world.K, world.scale)
    poster = np.zeros((SIZE, SIZE), bool)
    poster[10:24, 30:50] = True
    assert overlap(select(painted, [Box(27, 7, 53, 27)]), poster) > 0.9


def test_what_surrounds_everything_is_no_object(scene):
    world, owners = scene
    across = np.linspace(-1, 1, SIZE, dtype=np.float32)
    depth = (3 - across[:, None] ** 2 - across**2)[..., None]  # one round surface
    soft = LayeredWorld((CAMERA.rays() * depth)[None], np.ones((1, SIZE, SIZE), bool), world.rgb, world.K, world.scale)
    assert segment(soft).names == ()
    assert overlap(select(soft, [Click(*inner_pixel(owners[0] == BALL))]), owners[0] == BALL) > 0.95


def test_picks_on_points_are_clicks_on_their_pixels(scene):
    world, owners = scene
    row, column = np.argwhere(owners[0] == BALL)[40]
    assert pixels_of(world, world.points[0, row, column][None])[0] == pytest.approx([column + 0.5, row + 0.5])


def test_segmenting_reports_progress_and_can_be_stopped(scene):
    class StoppedError(Exception):
        pass

    def stop(stage, k, n):
        if k == n - 1:
            raise StoppedError

    with pytest.raises(StoppedError):
        segment(scene[0], stop)


def test_an_unknown_segmenter_is_named(scene):
    assert SEGMENTERS.names()[0] == "graph"
    with pytest.raises(WorldTracingError, match="no segmenter called 'nobody'"):
        segment(scene[0], segmenter="nobody")


def test_merge_and_split_undo_each_other(segmentation):
    merged = merge(segmentation, [2, 3])
    assert merged.names == (segmentation.names[0], segmentation.names[1], segmentation.names[3])
    assert np.array_equal(merged.mask(2), segmentation.mask(2) | segmentation.mask(3))
    assert np.array_equal(merged.mask(3), segmentation.mask(4))
    apart = split(merged, 2, segmentation.mask(3))
    assert len(set(apart.names)) == 4
    assert np.array_equal(apart.mask(4), segmentation.mask(3))
    assert np.array_equal(apart.mask(2), segmentation.mask(2))


def test_what_cannot_be_split_stays(segmentation):
    assert split(segmentation, 1, segmentation.mask(1)) is segmentation
    assert split(segmentation, 1, segmentation.mask(2)) is segmentation


def test_background_can_be_made_an_object(segmentation):
    patch = np.zeros_like(segmentation.labels, bool)
    patch[-8:, :8] = True
    made = split(segmentation, 0, patch)
    assert np.array_equal(made.mask(5), patch)


def test_names_are_found_and_never_twice(segmentation):
    named = rename(rename(segmentation, 1, "Mug"), 2, "mug")
    assert named.names[:2] == ("Mug", "mug 2")
    assert named.label("MUG") == 1
    assert named.label("spoon") == 0
    assert rename(named, 1, "Mug").names == named.names


@pytest.mark.parametrize("label", [0, -1, 5])
def test_an_object_that_is_not_there_cannot_be_changed(segmentation, label):
    for change in (lambda: rename(segmentation, label, "x"), lambda: merge(segmentation, [1, label])):
        with pytest.raises(WorldTracingError) as error:
            change()
        assert error.value.code == "WT-SCENE-LABEL"


def test_refining_moves_a_shifted_outline_back_to_the_edge(scene):
    world, owners = scene
    ball = owners[0] == BALL
    shifted = np.roll(ball, (2, -2), (0, 1))
    assert overlap(refine(world.rgb, shifted), ball) > 0.97 > overlap(shifted, ball)
    nothing = np.zeros_like(ball)
    assert not refine(world.rgb, nothing).any()
