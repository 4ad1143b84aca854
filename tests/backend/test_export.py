import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from worldtracing.errors import WorldTracingError
from worldtracing.export import export_exr, export_ply
from worldtracing.files import temporary_path
from worldtracing.image import load_photo
from worldtracing.srgb import srgb_to_linear
from worldtracing.world import LayeredWorld

SCALARS = {"float": "<f4", "uchar": "u1"}


def make_world(layers=3, confidence=True, scale="relative"):
    random = np.random.default_rng(5)
    valid = random.random((layers, 20, 30)) < 0.5
    points = random.normal(size=(layers, 20, 30, 3)).astype(np.float32)
    certainty = random.random((layers, 20, 30), np.float32)
    points[~valid] = certainty[~valid] = np.nan  # a world may hold anything there; exports must not
    return LayeredWorld(
        points=points,
        valid=valid,
        rgb=random.integers(0, 256, (20, 30, 3), np.uint8),
        K=np.array([[40.0, 0, 15], [0, 40, 10], [0, 0, 1]]),
        scale=scale,
        confidence=certainty if confidence else None,
        metadata={"engine": "silhouette", "seed": 3},
    )


def read_ply(path):
    """A reader of its own for what the header says."""
    header, _, body = path.read_bytes().partition(b"end_header\n")
    lines = [line.split() for line in header.decode("ascii").splitlines()]
    assert lines[:2] == [["ply"], ["format", "binary_little_endian", "1.0"]]
    count = next(int(line[2]) for line in lines if line[:2] == ["element", "vertex"])
    vertices = np.frombuffer(body, [(line[2], SCALARS[line[1]]) for line in lines if line[0] == "property"])
    assert len(vertices) == count
    return vertices, header.decode("ascii")


@pytest.mark.parametrize("confidence", [True, False])
def test_ply_holds_every_valid_point(tmp_path, confidence):
    world = make_world(confidence=confidence)
    vertices, header = read_ply(export_ply(world, tmp_path / "world.ply"))
    np.testing.assert_array_equal(np.stack([vertices[axis] for axis in "xyz"], -1), world.points[world.valid])
    layers, rows, columns = np.nonzero(world.valid)
    np.testing.assert_array_equal(vertices["layer"], layers)
    colours = np.stack([vertices[name] for name in ("red", "green", "blue")], -1)
    np.testing.assert_array_equal(colours, world.rgb[rows, columns])
    assert ("confidence" in vertices.dtype.names) == confidence
    if confidence:
        np.testing.assert_array_equal(vertices["confidence"], world.confidence[world.valid])
    assert "x right, y down, z forward" in header
    assert "comment units: relative" in header


def test_ply_of_some_layers_and_of_none(tmp_path):
    world = make_world(scale="metric")
    vertices, header = read_ply(export_ply(world, tmp_path / "world.ply", layers=[2]))
    assert len(vertices) == world.valid[2].sum() and set(vertices["layer"]) == {2}
    assert "comment units: meters" in header
    assert len(read_ply(export_ply(world, tmp_path / "none.ply", layers=[]))[0]) == 0


def test_blender_imports_the_ply(tmp_path):
    pytest.importorskip("bpy", reason="needs Blender as a module", exc_type=ImportError)
    world = make_world()
    path = export_ply(world, tmp_path / "world.ply")
    script = """
import bpy, json, sys
bpy.ops.wm.ply_import(filepath=sys.argv[1])
mesh = bpy.context.object.data
found = {"count": len(mesh.vertices), "point": list(mesh.vertices[-1].co)}
found["colour"] = list(mesh.color_attributes[0].data[-1].color)
found["layer"] = mesh.attributes["layer"].data[-1].value
print("FOUND" + json.dumps(found))
"""
    # In a process of its own, as importing bpy changes the one that runs the tests.
    result = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    found = json.loads(result.stdout.partition("FOUND")[2].splitlines()[0])
    layer, row, column = (index[-1] for index in np.nonzero(world.valid))
    assert found["count"] == world.valid.sum()
    np.testing.assert_allclose(found["point"], world.points[layer, row, column], rtol=1e-6)
    np.testing.assert_allclose(found["colour"][:3], srgb_to_linear(world.rgb[row, column]), atol=1e-4)
    assert found["layer"] == layer


@pytest.mark.parametrize("confidence", [True, False])
def test_exr_holds_every_layer(tmp_path, confidence):
    OpenEXR = pytest.importorskip("OpenEXR")
    world = make_world(confidence=confidence)
    part = OpenEXR.File(str(export_exr(world, tmp_path / "world.exr")), separate_channels=True).parts[0]
    channels = {name: channel.pixels for name, channel in part.channels.items()}
    linear = srgb_to_linear(world.rgb)
    for i, name in enumerate("RGB"):
        assert channels.pop(name).dtype == np.float16
        for layer in range(3):
            colour = channels.pop(f"L{layer}.Combined.{name}")
            np.testing.assert_allclose(colour, linear[..., i] * world.valid[layer], rtol=1e-3)
    for layer in range(3):
        valid = world.valid[layer]
        np.testing.assert_array_equal(channels.pop(f"L{layer}.Combined.A"), valid)
        expected = np.where(valid[..., None], world.points[layer], 0)
        for i, axis in enumerate("XYZ"):
            plane = channels.pop(f"L{layer}.P.{axis}")
            assert plane.dtype == np.float32
            np.testing.assert_array_equal(plane, expected[..., i])
        np.testing.assert_array_equal(channels.pop(f"L{layer}.Depth.Z"), expected[..., 2])
        if confidence:
            expected = np.where(valid, world.confidence[layer], 0)
            np.testing.assert_allclose(channels.pop(f"L{layer}.Confidence.V"), expected, atol=1e-3)
    assert not channels
    facts = json.loads(part.header["worldtracing"])
    assert facts["K"] == world.K.tolist()
    assert facts["scale"] == "relative" and facts["engine"] == "silhouette"


def test_the_photo_in_the_exr_reads_back_exactly(tmp_path):
    pytest.importorskip("OpenEXR")
    world = make_world()
    np.testing.assert_array_equal(load_photo(export_exr(world, tmp_path / "world.exr")).rgb, world.rgb)


def test_blender_splits_the_exr_into_layers(tmp_path):
    pytest.importorskip("OpenEXR")
    pytest.importorskip("bpy", reason="needs Blender as a module", exc_type=ImportError)
    path = export_exr(make_world(), tmp_path / "world.exr")
    script = """
import bpy, json, sys
node = bpy.data.node_groups.new("Compositor", "CompositorNodeTree").nodes.new("CompositorNodeImage")
node.image = bpy.data.images.load(sys.argv[1])
found = {}
for layer in ("L0", "L1", "L2"):
    node.layer = layer
    found[layer] = sorted(socket.name for socket in node.outputs if socket.enabled)
print("FOUND" + json.dumps(found))
"""
    result = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    found = json.loads(result.stdout.partition("FOUND")[2].splitlines()[0])
    for layer in ("L0", "L1", "L2"):
        assert {"Combined", "Depth", "P", "Confidence"} <= set(found[layer])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
@pytest.mark.parametrize("export", [export_ply, export_exr])
def test_a_failed_export_leaves_what_was_there(tmp_path, export):
    if export is export_exr:
        pytest.importorskip("OpenEXR")
    path = export(make_world(), tmp_path / "world.out")
    before = path.read_bytes()
    temporary_path(path).symlink_to("/dev/full")  # the kernel's own "no space left on device"
    with pytest.raises(WorldTracingError) as caught:
        export(make_world(layers=1), path)
    assert caught.value.code == "WT-IO-FULL"
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]  # noqa: PTH208

    with pytest.raises(WorldTracingError) as caught:
        export(make_world(), path / "below-a-file.out")
    assert caught.value.code == "WT-IO-WRITE"


def test_without_openexr_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(WorldTracingError, match="OpenEXR") as caught:
        export_exr(make_world(), tmp_path / "world.exr")
    assert caught.value.code == "WT-ENV-PACKAGE"
