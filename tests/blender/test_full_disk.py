"""The disk fills up while the worker traces: the scene stays as it was, and nothing half written is left."""

import time

import bpy
import numpy as np
import pytest

SIZE = 1024


@pytest.fixture
def api(submodule):
    yield submodule("worldtracing_addon.api")
    submodule("worldtracing_addon.client.session").shutdown()


def disk_image(size):
    v, u = np.mgrid[0:size, 0:size] / (size - 1) - 0.5
    pixels = np.full((size, size, 4), 0.5, np.float32)
    pixels[..., 3] = u**2 + v**2 < 0.16
    image = bpy.data.images.new("disk.png", size, size, alpha=True)
    image.pixels.foreach_set(pixels.reshape(-1))
    return image


def snapshot():
    kinds = ("objects", "collections", "meshes", "cameras", "images", "materials", "node_groups")
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in kinds}


def test_a_disk_that_fills_up_leaves_no_half_built_world(api, submodule, tmp_path):
    session = submodule("worldtracing_addon.client.session")
    temporary_path = submodule("backend.worldtracing.files").temporary_path
    image, output = disk_image(SIZE), tmp_path / "disk.safetensors"
    before = snapshot()
    trace = api.start_trace(image, settings=api.TraceSettings(resolution=SIZE), output=output)
    deadline = time.monotonic() + 60
    while trace.poll().stage != "Inflating the outline":  # by then the folder has been tried and found good
        assert time.monotonic() < deadline and not trace.state.finished, trace.state
        time.sleep(0.01)
    temporary_path(output, session._worker.pid).symlink_to("/dev/full")  # the kernel's "no space left on device"
    state = trace.wait()
    assert (state.status, state.error.code) == ("failed", "WT-IO-FULL")
    assert snapshot() == before
    assert list(tmp_path.iterdir()) == []
    small = api.trace_world(image, settings=api.TraceSettings(resolution=64), output=output)
    assert len(small.layers) == 2, "the next trace works"
