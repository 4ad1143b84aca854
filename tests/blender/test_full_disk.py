"""A disk that fills up, a folder that cannot be made: the scene stays as it was, and nothing half written is left."""

import pytest
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


@pytest.mark.parametrize("kind", ["worlds", "meshes"])
def test_an_own_folder_that_cannot_be_made(api, errors, submodule, tmp_path, monkeypatch, kind):
    """Nothing may go elsewhere, least of all to where Blender was started."""
    image, _ = disk_image()
    world = api.trace_world(image, output=tmp_path / "disk.safetensors")
    own = submodule("worldtracing_addon.preferences").own_folder(kind)
    aside = own.with_name("aside")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    if own.exists():
        own.rename(aside)
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("in the way")
    try:
        with pytest.raises(errors.WorldTracingError) as caught:
            if kind == "worlds":
                api.trace_world(image)
            else:
                api.make_mesh(world)
    finally:
        own.unlink()
        if aside.exists():
            aside.rename(own)
    assert caught.value.code == "WT-IO-WRITE" and str(own) in caught.value.message
    assert sorted(tmp_path.iterdir()) == before
