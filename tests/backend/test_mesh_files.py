"""Meshes as files, from the command line and from a worker's process."""

import json
import struct
from io import BytesIO

import numpy as np
import pytest
from mesh_help import ball_world
from PIL import Image
from worker_help import Process

from worldtracing import cli
from worldtracing.errors import WorldTracingError
from worldtracing.export.glb import export_glb
from worldtracing.meshing.base import GENERATORS
from worldtracing.meshing.making import MeshRequest, make_mesh
from worldtracing.meshing.textured import TexturedMesh
from worldtracing.worker import job, protocol


def toy_mesh(**changes):
    """A tetrahedron with one color per quarter of its texture."""
    rng = np.random.default_rng(0)
    values = {
        "vertices": np.array([[0, 0, 1], [1, 0, 2], [0, 1, 2], [-1, -1, 2]], np.float32),
        "faces": np.array([[2, 1, 0], [3, 2, 0], [1, 3, 0], [2, 3, 1]], np.int32),
        "uvs": rng.random((4, 3, 2)).astype(np.float32),
        "base_color": np.concatenate([rng.integers(0, 256, (8, 8, 3)), np.full((8, 8, 1), 255)], 2).astype(np.uint8),
        "metadata": {"generator": "toy", "notes": ["a note"]},
    }
    return TexturedMesh(**values | changes)


@pytest.fixture
def world(tmp_path):
    return ball_world(48).save(tmp_path / "world.safetensors")


SMALL = ("--faces", "500", "--texture-size", "64", "--resolution", "24")


def test_a_saved_mesh_is_read_back(tmp_path):
    maps = {"metallic": np.full((4, 4), 9, np.uint8), "normal": np.full((4, 4, 3), 128, np.uint8)}
    mesh = toy_mesh(**maps)
    read = TexturedMesh.load(mesh.save(tmp_path / "mesh.safetensors"))
    assert read.tensors().keys() == mesh.tensors().keys()
    assert all(np.array_equal(value, read.tensors()[name]) for name, value in mesh.tensors().items())
    assert dict(read.metadata) == dict(mesh.metadata) and read.roughness is None


def test_a_mesh_never_changes():
    with pytest.raises(ValueError):
        toy_mesh().vertices[0] = 0


@pytest.mark.parametrize(
    "changes",
    [
        {"vertices": np.zeros((4, 2), np.float32)},
        {"vertices": np.full((4, 3), np.nan, np.float32)},
        {"faces": np.array([[0, 1, 4]], np.int32), "uvs": np.zeros((1, 3, 2), np.float32)},
        {"faces": np.zeros((0, 3), np.int32), "uvs": np.zeros((0, 3, 2), np.float32)},
        {"faces": np.array([[0, 1, 2]], np.int32)},
        {"uvs": np.full((4, 3, 2), 1.1, np.float32)},
        {"base_color": np.zeros((8, 8, 3), np.uint8)},
        {"roughness": np.zeros((8, 8), np.float32)},
        {"metadata": {"seconds": float("nan")}},
    ],
)
def test_what_no_reader_could_use_is_refused(changes):
    with pytest.raises(WorldTracingError) as caught:
        toy_mesh(**changes)
    assert caught.value.code == "WT-IO-INVALID"


def test_a_world_is_no_mesh(world):
    with pytest.raises(WorldTracingError) as caught:
        TexturedMesh.load(world)
    assert caught.value.code == "WT-IO-FOREIGN"


def glb_parts(path):
    """The JSON of a GLB file, and a function from an accessor's or picture's number to its content."""
    content = path.read_bytes()
    magic, version, size = struct.unpack("<4sII", content[:12])
    assert (magic, version, size) == (b"glTF", 2, len(content))
    length, kind = struct.unpack("<I4s", content[12:20])
    assert kind == b"JSON" and length % 4 == 0
    document = json.loads(content[20 : 20 + length])
    start = 20 + length + 8
    assert struct.unpack("<I4s", content[start - 8 : start]) == (len(content) - start, b"BIN\0")

    def view(number):
        entry = document["bufferViews"][number]
        assert entry["byteOffset"] % 4 == 0
        return content[start + entry["byteOffset"] :][: entry["byteLength"]]

    def array(number):
        entry = document["accessors"][number]
        values = np.frombuffer(view(entry["bufferView"]), {5126: "<f4", 5125: "<u4"}[entry["componentType"]])
        return values.reshape(entry["count"], -1)

    return document, array, view


def test_glb_holds_the_same_triangles_with_y_up_and_v_down(tmp_path):
    mesh = toy_mesh()
    document, array, view = glb_parts(export_glb(mesh, tmp_path / "mesh.glb", "toy"))
    primitive = document["meshes"][0]["primitives"][0]
    index = array(primitive["indices"])[:, 0]
    positions = array(primitive["attributes"]["POSITION"])
    assert np.array_equal(positions[index].reshape(4, 3, 3), mesh.vertices[mesh.faces] * [1, -1, -1])
    uvs = array(primitive["attributes"]["TEXCOORD_0"])[index].reshape(4, 3, 2)
    assert np.allclose(uvs, mesh.uvs * [1, -1] + [0, 1], atol=1e-6)
    normals = array(primitive["attributes"]["NORMAL"])
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    assert (normals * (positions - positions.mean(0))).sum(1).min() > 0  # outward
    extent = document["accessors"][primitive["attributes"]["POSITION"]]
    assert extent["min"] == positions.min(0).tolist() and extent["max"] == positions.max(0).tolist()
    picture = Image.open(BytesIO(view(document["images"][0]["bufferView"])))
    assert np.array_equal(np.asarray(picture), mesh.base_color)
    assert document["materials"][0]["pbrMetallicRoughness"]["metallicFactor"] == 0


def test_glb_packs_roughness_and_metal_as_gltf_wants(tmp_path):
    maps = {"metallic": np.full((4, 4), 200, np.uint8), "normal": np.full((4, 4, 3), 128, np.uint8)}
    clear = toy_mesh().base_color.copy()
    clear[0, 0, 3] = 0
    document, _, view = glb_parts(export_glb(toy_mesh(base_color=clear, **maps), tmp_path / "mesh.glb"))
    material = document["materials"][0]
    number = material["pbrMetallicRoughness"]["metallicRoughnessTexture"]["index"]
    picture = Image.open(BytesIO(view(document["images"][document["textures"][number]["source"]]["bufferView"])))
    assert np.asarray(picture)[0, 0, 1:].tolist() == [178, 200]
    assert material["normalTexture"]["index"] == 2 and material["alphaMode"] == "BLEND"


def test_mesh_command_writes_glb_and_reports(world, tmp_path, capsys):
    out = tmp_path / "out" / "ball.glb"
    assert cli.main(["mesh", str(world), "--out", str(out), *SMALL, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    document, array, _ = glb_parts(out)
    assert report["file"] == str(out) and report["metadata"]["watertight"]
    assert len(array(document["meshes"][0]["primitives"][0]["indices"])) == 3 * report["faces"]


def test_mesh_command_takes_a_mask_of_any_size(world, tmp_path):
    Image.fromarray(np.repeat(np.array([[255, 0]], np.uint8), 2, 0)).save(tmp_path / "mask.png")
    out = tmp_path / "half.safetensors"
    assert cli.main(["mesh", str(world), "--out", str(out), *SMALL, "--mask", str(tmp_path / "mask.png")]) == 0
    mesh = TexturedMesh.load(out)
    assert (mesh.vertices[:, 0] / mesh.vertices[:, 2]).max() < 0.03


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (["--out", "mesh.obj"], "WT-MESH-FORMAT"),
        (["--faces", "5"], "WT-MESH-OPTION"),
        (["--mask", "missing.png"], "WT-IMG-MISSING"),
    ],
)
def test_mesh_command_says_what_is_wrong(world, tmp_path, capsys, changes, code, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["mesh", str(world), "--out", "mesh.glb", *changes]) == 1
    assert f"[{code}]" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["world.safetensors"]


def test_options_of_a_generator_s_own_are_json_or_text(world, tmp_path, monkeypatch):
    from worldtracing.meshing import commands

    requests = []
    monkeypatch.setattr(commands, "make_mesh", lambda request, _: requests.append(request) or toy_mesh())
    settings = ["--set", "url=http://127.0.0.1:8188", "--set", "steps=12", "--set", "low_vram=true"]
    assert cli.main(["mesh", str(world), "-o", str(tmp_path / "a.glb"), *settings]) == 0
    assert requests[0].extra == {"url": "http://127.0.0.1:8188", "steps": 12, "low_vram": True}


def test_generators_command_lists_them_with_their_health(capsys):
    assert cli.main(["generators", "--json"]) == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert list(entries) == GENERATORS.names()
    assert entries["layers"]["health"]["ok"] and entries["layers"]["memory_gib"] == 0
    assert cli.main(["generators"]) == 0
    assert "layers: From Layers; no GPU" in capsys.readouterr().out


def test_a_mesh_that_cannot_be_made_leaves_an_older_file(tmp_path, world):
    empty = ball_world(48)
    path = type(empty)(empty.points, empty.valid & False, empty.rgb, empty.K, "metric").save(
        tmp_path / "empty.safetensors"
    )
    output = tmp_path / "mesh.glb"
    output.write_text("older")
    with pytest.raises(WorldTracingError) as caught:
        make_mesh(MeshRequest(path, output))
    assert caught.value.code == "WT-MESH-EMPTY" and output.read_text() == "older"


def test_the_worker_makes_meshes_and_lists_generators(world, tmp_path):
    output = tmp_path / "mesh.glb"
    with Process() as worker:
        assert {"mesh", "generators"} <= set(worker.hello["capabilities"])
        worker.tell(protocol.mesh("m", str(world), str(output), faces=500, texture_size=64, resolution=24))
        *progress, result = worker.hear_until("result", id="m")
        assert result["path"] == str(output) and result["summary"]["metadata"]["watertight"]
        assert {"Smoothing", "Painting the texture"} <= {message["stage"] for message in progress}
        glb_parts(output)
        entries = worker.ask(protocol.generators_request("g"))["generators"]
        assert [entry["name"] for entry in entries] == GENERATORS.names()
        refusal = worker.ask(protocol.mesh("x", str(world), str(tmp_path / "x.obj")))
        assert refusal["type"] == "error" and refusal["code"] == "WT-MESH-FORMAT"


def mesh_job(world, output, cancel_at=""):
    """The stages that a job has told, and its last message; it is cancelled as soon as it tells `cancel_at`."""
    stages = []

    def send(message):
        stages.append(message["stage"])
        if message["stage"] == cancel_at:
            work.cancel()

    request = protocol.mesh("m", str(world), str(output), faces=500, texture_size=64, resolution=24)
    work = job.Job(protocol.parse_request(request), send)
    answer = work.run(job.Engines(), job.Assistants())
    return list(dict.fromkeys(stages)), answer


@pytest.mark.parametrize("ending", [".glb", ".safetensors"])
def test_a_cancel_at_any_stage_leaves_no_file(world, tmp_path, ending):
    """A cancel while the file is written comes too late; who has sent it removes the file."""
    output = tmp_path / "out" / f"mesh{ending}"
    stages = mesh_job(world, output)[0]
    output.unlink()
    assert len(stages) >= 8
    for stage in stages[:-1]:
        told, answer = mesh_job(world, output, stage)
        assert answer["type"] == "cancelled" and told[-1] == stage
        assert not list(output.parent.iterdir()), stage


def test_too_little_memory_for_a_mesh_is_said(world, tmp_path, monkeypatch, capfd):
    def too_large(request, on_progress):
        np.empty(1 << 60, np.uint8)

    monkeypatch.setattr(job, "make_mesh", too_large)
    message = protocol.parse_request(protocol.mesh("m", str(world), str(tmp_path / "mesh.glb")))
    answer = job.Job(message, lambda _: None).run(job.Engines(), job.Assistants())
    assert answer["type"] == "error" and answer["code"] == "WT-MEM-MESH"
    assert "MemoryError" in capfd.readouterr().err
