"""Whatever the layers are, there is a closed mesh or one clear sentence, soon."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mesh_help import ball_world, world_of_depths

from worldtracing.errors import WorldTracingError
from worldtracing.meshing import generator as layers_generator
from worldtracing.meshing.base import MeshOptions, create_generator
from worldtracing.meshing.topology import inspect
from worldtracing.progress import silent

SMALL = MeshOptions(faces=500, texture_size=64, resolution=20)


def attempt(world, mask=None, options=SMALL):
    """The mesh, or the code of the sentence that came instead."""
    try:
        mesh = create_generator("layers").generate(world, mask, options, silent)
    except WorldTracingError as error:
        assert error.message.endswith(".") and error.fix
        return error.code
    topology = inspect(mesh.faces)
    assert topology.watertight and topology.manifold, topology
    assert mesh.metadata["watertight"] and mesh.metadata["manifold"]
    return mesh


@st.composite
def depths(draw):
    """(L, H, W) depths of every bad kind: noise, holes, flyers, crossing and repeated layers, few pixels."""
    layers, height, width = draw(st.integers(1, 6)), draw(st.integers(1, 24)), draw(st.integers(1, 24))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    base = rng.uniform(0.1, 50) * (1 + np.arange(layers) * draw(st.sampled_from([0, 1e-5, 0.03, 0.5])))
    depth = np.broadcast_to(base[:, None, None], (layers, height, width)).copy()
    depth *= 1 + draw(st.sampled_from([0, 1e-4, 0.05, 0.5])) * rng.uniform(-1, 1, depth.shape)
    if draw(st.booleans()):
        depth = rng.permuted(depth, axis=0)  # crossing layers
    depth[rng.random(depth.shape) < draw(st.sampled_from([0, 0.02]))] *= 1000  # flyers
    depth[rng.random(depth.shape) < draw(st.sampled_from([0, 0.1, 0.6, 0.98, 1]))] = 0  # holes
    return depth


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(depths(), st.floats(20, 120))
def test_any_layers_give_a_closed_mesh_or_a_sentence(depth, fov):
    world = world_of_depths(depth, fov)
    outcome = attempt(world)
    assert (outcome == "WT-MESH-EMPTY") == (not world.valid.any())
    assert outcome in ("WT-MESH-EMPTY", "WT-MESH-THIN") or not isinstance(outcome, str)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(depths(), st.integers(0, 1))
def test_so_they_do_with_numpy_alone(depth, coarse):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers_generator, "can_decimate", lambda: False)
        attempt(
            world_of_depths(depth, 50),
            options=MeshOptions(faces=100 if coarse else 5000, texture_size=64, resolution=20),
        )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.floats(0, 1))
def test_any_part_of_an_object_gives_a_closed_mesh(seed, share):
    world = ball_world(32)
    mask = np.random.default_rng(seed).random(world.valid.shape) < share
    outcome = attempt(world, mask)
    assert (outcome == "WT-MESH-EMPTY") == (not (world.valid & mask).any())


def test_two_points_on_one_ray():
    depth = np.zeros((2, 9, 9))
    depth[:, 4, 4] = 1, 3
    assert not isinstance(attempt(world_of_depths(depth, 50)), str)


def test_a_texture_grows_where_it_cannot_hold_the_charts():
    """Hundreds of shreds, which would all get the same texel."""
    rng = np.random.default_rng(0)
    depth = 2 * np.exp(0.3 * rng.standard_normal((2, 40, 40)))
    options = MeshOptions(faces=20_000, texture_size=64, resolution=60)
    mesh = attempt(world_of_depths(depth, 50), options=options)
    assert len(mesh.base_color) > 64
    assert str(len(mesh.base_color)) in mesh.metadata["notes"][-1]
    assert (np.ptp(mesh.uvs.reshape(-1, 2), axis=0) > 0.5).all()


def test_points_behind_the_camera_do_not_count():
    world = world_of_depths(np.full((2, 8, 8), -1.0), 50)
    assert attempt(world) == "WT-MESH-EMPTY"


def test_one_flyer_does_not_blur_the_rest():
    depth = np.full((1, 20, 20), 2.0)
    depth[0, 3, 4] = 2000
    mesh = attempt(world_of_depths(depth, 50))
    assert np.abs(mesh.vertices[:, 2] - 2).max() < 0.3


def test_what_no_volume_can_hold_is_said():
    depth = np.array([1e-30, 1e30]).reshape(2, 1, 1) * np.ones((2, 8, 8))
    assert attempt(world_of_depths(depth, 50)) == "WT-MESH-THIN"
