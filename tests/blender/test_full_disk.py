"""The disk fills up while the worker traces: the scene stays as it was, and nothing half written is left."""

from trace_help import disk_image, poll_until, snapshot

SIZE = 1024


def test_a_disk_that_fills_up_leaves_no_half_built_world(api, submodule, tmp_path):
    session = submodule("worldtracing_addon.client.session")
    temporary_path = submodule("backend.worldtracing.files").temporary_path
    (image, _), output = disk_image(size=SIZE), tmp_path / "disk.safetensors"
    before = snapshot()
    trace = api.start_trace(image, settings=api.TraceSettings(resolution=SIZE), output=output)
    # By then the worker has tried the folder and found it good.
    poll_until(trace, lambda state: state.stage == "Denoising")
    temporary_path(output, session._worker.pid).symlink_to("/dev/full")  # the kernel's "no space left on device"
    state = trace.wait()
    assert (state.status, state.error.code) == ("failed", "WT-IO-FULL")
    assert snapshot() == before
    assert list(tmp_path.iterdir()) == []
    small = api.trace_world(image, settings=api.TraceSettings(resolution=64), output=output)
    assert len(small.layers) == 2, "the next trace works"
