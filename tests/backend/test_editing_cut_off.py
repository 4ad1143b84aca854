"""A part of a lifted object is told from the rest by what it was merged from, by its colors, or by a box."""

import numpy as np
import pytest
from editing_world import BALL, CRATE, CUP, TABLE, room

from worldtracing.editing import Box, Click, cut_off, lift, segment
from worldtracing.errors import WorldTracingError


@pytest.fixture(scope="module")
def scene():
    world, owners = room()
    return world, owners, segment(world)


def points_of(scene, *things):
    world, owners, segmentation = scene
    return np.any([lift(world, owners[0] == thing, segmentation.planes).points for thing in things], axis=0)


def middle(owners, thing):
    row, column = np.argwhere(owners[0] == thing).mean(0)
    return Click(column + 0.5, row + 0.5)


def test_a_click_parts_what_was_merged(scene):
    world, owners, segmentation = scene
    both, ball = points_of(scene, BALL, CUP), points_of(scene, BALL)
    part = cut_off(world, both, [middle(owners, BALL)], segmentation)
    assert not (part.points & ~both).any()
    assert np.count_nonzero(part.points ^ ball) < 0.02 * np.count_nonzero(ball)
    assert (part.points[1:] & ball[1:]).any()


def test_a_click_parts_by_color_what_the_geometry_joins(scene):
    world, owners, segmentation = scene
    one = points_of(scene, TABLE, CUP)
    joined = np.where(np.isin(segmentation.labels, np.unique(segmentation.labels[one[0]])), 1, 0)
    merged = type(segmentation)(joined, ("both",), segmentation.planes)
    part = cut_off(world, one, [middle(owners, CUP)], merged)
    cup = owners[0] == CUP
    assert np.count_nonzero(part.mask & cup) > 0.8 * np.count_nonzero(cup)
    assert np.count_nonzero(part.mask & ~cup) < 0.2 * np.count_nonzero(cup)


def test_a_box_parts_anything(scene):
    world, _, segmentation = scene
    crate = points_of(scene, CRATE)
    columns = np.nonzero(crate.any((0, 1)))[0]
    half = Box(0, 0, float(columns.mean()), world.height)
    part = cut_off(world, crate, [half], segmentation)
    share = np.count_nonzero(part.points) / np.count_nonzero(crate)
    assert 0.2 < share < 0.8


def test_all_or_nothing_is_no_part(scene):
    world, _, segmentation = scene
    with pytest.raises(WorldTracingError) as caught:
        cut_off(world, points_of(scene, BALL), [Box(0, 0, world.width, world.height)], segmentation)
    assert caught.value.code == "WT-SCENE-SPLIT"
