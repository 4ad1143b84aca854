"""Painters continue textures and nothing else; what objects hid and their backs get painted where they are."""

from dataclasses import replace

import numpy as np
import pytest
from editing_world import BALL, CRATE, FLOOR, SIZE, WALL, room

from worldtracing.editing import PAINTERS, fill, lift, repaint_back, repaint_hidden, segment
from worldtracing.editing.painters import PainterInfo
from worldtracing.editing.pull_push import pull_push
from worldtracing.errors import Cancelled

TILE = 12


@pytest.fixture(scope="module")
def patches():
    return PAINTERS.load("patches")()


def tiles(height=120, width=140):
    """A checkerboard under light that grows to the right."""
    rows, columns = np.mgrid[:height, :width]
    board = np.where((rows // TILE + columns // TILE) % 2, 200, 80) * np.linspace(0.7, 1, width)
    return np.repeat(board[..., None], 3, -1).astype(np.uint8)


def gap(shape, rows, columns):
    unknown = np.zeros(shape[:2], bool)
    unknown[rows, columns] = True
    return unknown


def psnr(picture, true, where):
    return -10 * np.log10(np.mean((picture[where] / 255.0 - true[where] / 255.0) ** 2))


def test_a_pattern_goes_on_where_smooth_colors_do_not(patches):
    true = tiles()
    unknown = gap(true.shape, slice(40, 85), slice(45, 95))
    picture = np.where(unknown[..., None], np.uint8(255), true)
    painted = patches.paint(picture, unknown)
    np.testing.assert_array_equal(painted[~unknown], true[~unknown])
    assert psnr(painted, true, unknown) > 20
    assert psnr(pull_push(true, ~unknown), true, unknown) < 15


def test_a_gap_at_the_border_is_painted_too(patches):
    true = tiles()
    unknown = gap(true.shape, slice(90, None), slice(0, 40))
    assert psnr(patches.paint(true, unknown), true, unknown) > 20


def test_the_same_seed_paints_the_same(patches):
    picture = np.random.default_rng(0).integers(0, 256, (60, 60, 3)).astype(np.uint8)
    unknown = gap(picture.shape, slice(20, 40), slice(20, 40))
    first, same, *others = (patches.paint(picture, unknown, seed=seed) for seed in (1, 1, 2, -1, 2**70 + 3))
    np.testing.assert_array_equal(first, same)
    assert all((first != other).any() for other in others)


def test_nothing_is_taken_from_outside_the_source(patches):
    picture = np.zeros((80, 100, 3), np.uint8)
    picture[:, :50, 0] = np.random.default_rng(0).integers(100, 256, (80, 50))
    picture[:, 50:, 2] = np.random.default_rng(1).integers(100, 256, (80, 50))
    unknown = gap(picture.shape, slice(30, 50), slice(45, 60))
    source = gap(picture.shape, slice(None), slice(50, None))
    painted = patches.paint(picture, unknown, source=source)
    assert painted[unknown][:, 0].max() == 0 and painted[unknown][:, 2].mean() > 120


def test_without_a_whole_patch_to_take_colors_go_on(patches):
    picture = np.full((30, 30, 3), 90, np.uint8)
    unknown = gap(picture.shape, slice(2, 28), slice(2, 28))
    assert (patches.paint(np.where(unknown[..., None], np.uint8(0), picture), unknown) == 90).all()
    everything = np.ones((30, 30), bool)
    np.testing.assert_array_equal(patches.paint(picture, everything), picture)


def test_it_stops_between_rounds(patches):
    def cancelled(_stage, k, _n):
        if k == 2:
            raise Cancelled

    true = tiles()
    with pytest.raises(Cancelled):
        patches.paint(true, gap(true.shape, slice(40, 85), slice(45, 95)), on_progress=cancelled)


# Worlds ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def without_crate():
    """A room with red grain on the floor and blue grain on the wall, without its crate: world, owners, rest, planes."""
    world, owners = room((CRATE, BALL))
    grain = np.random.default_rng(0).integers(0, 156, (SIZE, SIZE)).astype(np.uint8)
    rgb = world.rgb.copy()
    for owner, channel in ((FLOOR, 0), (WALL, 2)):
        rgb[owners[0] == owner] = 0
        rgb[owners[0] == owner, channel] = 100 + grain[owners[0] == owner]
    world = replace(world, rgb=rgb)
    planes = segment(world).planes
    return world, owners, world.valid & ~lift(world, owners[0] == CRATE, planes).points, planes


def test_each_surface_that_was_hidden_takes_its_own_texture(patches, without_crate):
    world, owners, rest, planes = without_crate
    painted = repaint_hidden(world, rest, planes, patches)
    front = np.where(rest.any(0), rest.argmax(0), -1)
    hidden = front > 0
    np.testing.assert_array_equal(painted.layer[hidden], np.where(painted.layer >= 0, front, -1)[hidden])
    assert not painted.of_fill.any()
    owner = np.take_along_axis(owners, np.maximum(front, 0)[None], 0)[0]
    for surface, own, other in ((FLOOR, 0, 2), (WALL, 2, 0)):
        where = hidden & (owner == surface)
        assert np.count_nonzero(where & (painted.layer >= 0)) > 0.9 * np.count_nonzero(where) > 30
        colors = painted.rgb[where & (painted.layer >= 0)]
        assert (colors[:, other] < 20).mean() > 0.95
        assert colors[:, own].std() > 15  # uniform grain has 45, smooth colors next to nothing


def test_only_what_is_wanted_is_painted(patches, without_crate):
    world, _, rest, planes = without_crate
    wanted = gap(world.rgb.shape, slice(None), slice(0, 60))
    everything = repaint_hidden(world, rest, planes, patches).layer >= 0
    some = repaint_hidden(world, rest, planes, patches, wanted=wanted).layer >= 0
    assert some.any() and not (some & ~wanted).any() and not (some & ~everything).any()


def test_a_fill_is_painted_like_the_support_it_continues(patches, without_crate):
    world, _, rest, planes = without_crate
    seen = rest.copy()
    seen[1:] = False  # as if no layer showed what the crate hid
    filled = fill(world, seen, planes)
    painted = repaint_hidden(world, seen, planes, patches, filled=filled)
    assert filled.valid.any() and np.count_nonzero(painted.of_fill) > 0.9 * np.count_nonzero(filled.valid)
    assert not (painted.of_fill & (painted.layer >= 0)).any()
    floor = painted.of_fill & (np.abs(filled.points @ planes[0].normal - planes[0].offset) < 1e-3)
    assert painted.rgb[floor, 0].std() > 15 and (painted.rgb[floor, 2] < 20).mean() > 0.95


class Imagines:
    """A generative painter that paints all green, and remembers what it was asked."""

    info = PainterInfo("imagines", "Imagines", "", generative=True)

    def paint(self, rgb, unknown, text="", seed=0, on_progress=None, source=None):
        self.asked, self.source = (rgb, unknown, text, seed), source
        result = rgb.copy()
        result[unknown] = (0, 255, 0)
        result[unknown & (np.cumsum(unknown, 1) == 1)] = (0, 0, 255)  # the leftmost of each row
        return result


def test_a_generative_painter_sees_the_whole_picture_at_once(without_crate):
    world, _, rest, planes = without_crate
    painter = Imagines()
    painted = repaint_hidden(world, rest, planes, painter, seed=7)
    rgb, unknown, _, seed = painter.asked
    assert seed == 7 and rgb.shape == world.rgb.shape
    np.testing.assert_array_equal(unknown, painted.layer >= 0)
    assert unknown[rest.any(0) & (rest.argmax(0) > 0)].all()


def test_the_back_is_the_mirrored_answer_on_the_last_points(without_crate):
    world, owners, _, planes = without_crate
    ball = lift(world, owners[0] == BALL, planes).points
    painter = Imagines()
    painted = repaint_back(world, ball, "ball", painter, seed=5)
    canvas, unknown, text, seed = painter.asked
    half = canvas.shape[1] // 2
    assert "ball" in text and seed == 5
    assert not unknown[:, :half].any() and unknown[:, half:].any()
    assert (canvas[:, half:] == 128).all() and (canvas[:, :half] != 128).any()
    assert np.count_nonzero(painter.source) == np.count_nonzero(ball[0]) and not painter.source[:, half:].any()
    assert (canvas[~painter.source] == 128).all()
    has_back = ball.sum(0) > 1
    np.testing.assert_array_equal(painted.layer >= 0, has_back)
    rows, columns = np.nonzero(has_back)
    assert (
        painted.layer[has_back] == [np.flatnonzero(ball[:, r, c])[-1] for r, c in zip(rows, columns, strict=True)]
    ).all()
    blue = painted.rgb[..., 2] == 255
    last = has_back & (np.cumsum(has_back[:, ::-1], 1)[:, ::-1] == 1)  # the leftmost behind is the rightmost in front
    np.testing.assert_array_equal(blue, last)


def test_what_has_no_back_is_not_painted(without_crate):
    world, owners, _, planes = without_crate
    front = lift(world, owners[0] == BALL, planes).points.copy()
    front[1:] = False
    painted = repaint_back(world, front, "ball", Imagines())
    assert (painted.layer == -1).all() and not painted.rgb.any()
