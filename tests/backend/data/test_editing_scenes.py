"""Furnished rooms for editing are reproducible, and their owners are those of the surfaces."""

import numpy as np
import pytest

from worldtracing.data.editing_scenes import MIN_PIXELS, editing_scene

pytest.importorskip("embreex")

SIZE = 64


@pytest.fixture(scope="module")
def scene():
    return editing_scene(3, SIZE)


def test_a_scene_is_the_same_every_time(scene):
    again = editing_scene(3, SIZE)
    assert np.array_equal(scene.world.points, again.world.points)
    assert np.array_equal(scene.world.rgb, again.world.rgb)
    assert np.array_equal(scene.owners, again.owners)


def test_every_point_has_an_owner_and_every_object_is_in_sight(scene):
    assert np.array_equal(scene.owners >= 0, scene.world.valid)
    assert scene.world.valid[0].all()  # a room is closed
    assert len(scene.objects) >= 3
    for owner in scene.objects:
        assert np.mean(scene.owners[0] == owner) >= MIN_PIXELS
        assert (scene.owners[1:] == owner).any()


def test_an_object_lies_within_its_own_mesh(scene):
    to_room = np.linalg.inv(scene.pose)
    for owner in scene.objects:
        points = scene.world.points[scene.owners == owner] @ to_room[:3, :3].T + to_room[:3, 3]
        vertices = scene.meshes[owner - 1].vertices
        assert (points > vertices.min(0) - 1e-3).all()
        assert (points < vertices.max(0) + 1e-3).all()


def test_without_an_object_only_its_pixels_and_its_shadow_change(scene):
    owner = 1
    seen = scene.owners[0] == owner
    beyond = np.array([not seen[max(v - 1, 0) : v + 2, max(u - 1, 0) : u + 2].any() for v, u in np.ndindex(seen.shape)])
    beyond = beyond.reshape(seen.shape)
    photo = scene.world.rgb.astype(int)
    with_shadow, without_shadow = (scene.without(owner, scene.pose, shadow).astype(int) for shadow in (True, False))
    assert np.abs(with_shadow - photo)[seen].mean() > 10
    assert np.abs(with_shadow - photo)[beyond].mean() < 4  # noise of soft light
    assert np.abs(without_shadow - photo)[beyond].mean() >= np.abs(with_shadow - photo)[beyond].mean()
