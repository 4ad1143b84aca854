import io
import threading
import time

import numpy as np
import pytest
from adapter_help import misplacement, silent
from fake_comfyui import JOB, NODES, OPTIONAL, FakeComfyUI
from fake_server import serving
from glb_help import painted_glb
from mesh_world import TRUE_POSE, mesh_world, true_mesh
from PIL import Image

from worldtracing.errors import Cancelled, WorldTracingError
from worldtracing.meshing.adapters import comfyui
from worldtracing.meshing.adapters.comfyui import ComfyUIGenerator
from worldtracing.meshing.adapters.comfyui_workflow import Wish, build_workflow
from worldtracing.meshing.adapters.picture import object_view
from worldtracing.meshing.adapters.pixal3d import camera_distance
from worldtracing.meshing.base import MeshOptions

NAF = "dino_v3_L_naf_fp32.safetensors"


@pytest.fixture(scope="module")
def world():
    return mesh_world()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(comfyui, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(comfyui, "PICTURE_SIZE", 128)


def generate(world, fake, on_progress=silent, **extra):
    with serving(fake.routes) as (server, address):
        options = MeshOptions(faces=500, texture_size=64, seed=7, extra={"address": address, **extra})
        mesh = ComfyUIGenerator().generate(world, None, options, on_progress)
        return mesh, server


def failure(world, fake, **extra):
    with pytest.raises(WorldTracingError) as caught:
        generate(world, fake, **extra)
    return caught.value


def uploaded(fake):
    png = fake.picture.partition(b"\r\n\r\n")[2].rpartition(b"\r\n--")[0]
    return Image.open(io.BytesIO(png))


def test_pixal3d_gets_the_photos_camera_and_covers_its_pixels(world):
    view = object_view(world, world.valid[0], 128, 1.1)
    vertices, faces = true_mesh()
    seen = vertices.astype(np.float64) @ view.rotation
    size = camera_distance(view.fov) / seen[:, 2].mean()
    inside = (seen * size - [0, 0, camera_distance(view.fov)]) * [1, -1, -1]
    fake = FakeComfyUI(painted_glb(inside, faces))
    stages = []
    mesh, server = generate(world, fake, lambda stage, k, n: stages.append(stage))

    assert misplacement(mesh) < 0.004
    picture = uploaded(fake)
    assert picture.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(picture), view.on_black())
    name = next(node["inputs"]["image"] for node in fake.prompt.values() if node["class_type"] == "LoadImage")
    assert name.encode() in fake.picture
    fov = float(np.degrees(view.fov))
    assert fake.prompt == build_workflow(Wish("pixal3d", "", NAF, 1024, name, fov, 7, 500, 64))
    assert ("GET", "/view?filename=mesh_00001_.glb&subfolder=wt&type=output", b"") in server.asked
    assert {"Waiting in ComfyUI's queue", "ComfyUI makes the mesh", "Aligning the mesh"} <= set(stages)
    assert fake.withdrawn == []


def test_trellis2_is_turned_and_scaled_into_place(world):
    vertices, faces = true_mesh()
    front = (vertices - TRUE_POSE.translation) @ object_view(world, world.valid[0], 64, 1.0).rotation * [1, -1, -1]
    fake = FakeComfyUI(painted_glb(front * 0.6, faces))
    mesh, _ = generate(world, fake, model="trellis2")
    assert misplacement(mesh) < 0.01
    kinds = {node["class_type"] for node in fake.prompt.values()}
    assert "Trellis2Conditioning" in kinds
    assert "Pixal3DConditioning" not in kinds


@pytest.mark.parametrize("model", ["trellis2", "pixal3d"])
@pytest.mark.parametrize("resolution", [512, 1024, 1536])
def test_the_workflow_is_whole(model, resolution):
    """Every input is one that ComfyUI's node has, none that it requires is missing, and every node is of use."""
    workflow = build_workflow(Wish(model, "", NAF, resolution, "photo.png", 30.0, 7, 500, 64))
    used = {"save"}
    for node in workflow.values():
        given = {name for name in node["inputs"] if "." not in name}
        required, optional = NODES[node["class_type"]].split(), OPTIONAL.get(node["class_type"], "").split()
        assert set(required) <= given <= {*required, *optional}
        links = [value for value in node["inputs"].values() if isinstance(value, list)]
        assert all(link[0] in workflow for link in links)
        used |= {link[0] for link in links}
    assert used == set(workflow)
    stages = [node["inputs"] for node in workflow.values() if node["class_type"] == "Trellis2UpsampleStage"]
    assert [stage["target_resolution"] for stage in stages] == ([] if resolution == 512 else [str(resolution)])
    samplers = [node["inputs"] for node in workflow.values() if node["class_type"] == "KSampler"]
    steps = [(sampler["steps"], sampler["cfg"], sampler["scheduler"]) for sampler in samplers]
    upsampling = [] if resolution == 512 else [(12, 7.5, "simple")]
    assert steps == [(12, 7.5, "normal"), (20, 7.5, "normal"), *upsampling, (12, 1, "normal")]
    assert {sampler["seed"] for sampler in samplers} == {7}


def test_another_checkpoint_may_be_named():
    loaders = [
        node["inputs"]
        for node in build_workflow(Wish("trellis2", "mine.safetensors", NAF, 512, "a.png", 30.0, 7, 500, 64)).values()
        if node["class_type"] == "UNETLoader"
    ]
    assert loaders == [{"unet_name": "mine.safetensors", "weight_dtype": "default"}]


@pytest.mark.parametrize(
    ("files", "used"),
    [([NAF], NAF), (["dino_v3_vit_l.safetensors"], "dino_v3_vit_l.safetensors"), ([], None)],
)
def test_trellis2_takes_either_file_of_the_encoder(world, files, used):
    fake = FakeComfyUI(painted_glb(*true_mesh()))
    fake.files["clip_name"] = files
    if used is None:
        assert failure(world, fake, model="trellis2").code == "WT-MESH-WEIGHTS"
    else:
        generate(world, fake, model="trellis2")
        assert {"clip_name": used} in [node["inputs"] for node in fake.prompt.values()]


def test_an_old_comfyui_is_told_before_the_job(world):
    fake = FakeComfyUI()
    del fake.nodes["Pixal3DConditioning"]
    fake.nodes["UnwrapMesh"] = "mesh"
    error = failure(world, fake)
    assert error.code == "WT-MESH-VERSION"
    assert "Pixal3DConditioning, UnwrapMesh" in error.message
    assert "0.35" in error.fix
    assert fake.picture is None


def test_a_missing_model_file_is_named_before_the_job(world):
    fake = FakeComfyUI()
    fake.files["vae_name"] = ["other.safetensors"]
    error = failure(world, fake)
    assert error.code == "WT-MESH-WEIGHTS"
    assert "trellis_2_shape_vae_bf16.safetensors" in error.message
    assert "models/vae" in error.fix
    assert fake.picture is None


def test_something_else_at_the_address(world):
    fake = FakeComfyUI()
    fake.routes["GET", "/system_stats"] = lambda path, body: (200, b"<html>")
    assert failure(world, fake).code == "WT-MESH-VERSION"


def test_a_refused_workflow_says_why(world):
    fake = FakeComfyUI()
    fault = {"message": "Value not in list", "details": "scheduler: 'normal'"}
    refusal = {"error": {"message": "Prompt outputs failed validation"}, "node_errors": {"3": {"errors": [fault]}}}
    fake.routes["POST", "/prompt"] = lambda path, body: (400, refusal)
    error = failure(world, fake)
    assert error.code == "WT-MESH-VERSION"
    assert "Value not in list: scheduler" in error.message


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (
            {
                "status": {
                    "status_str": "error",
                    "messages": [
                        ["execution_error", {"node_type": "KSampler", "exception_message": "out of memory\n"}]
                    ],
                }
            },
            "KSampler: out of memory",
        ),
        ({"status": {"status_str": "error", "messages": [["execution_interrupted", {}]]}}, "interrupted"),
        ({"status": {"status_str": "success"}, "outputs": {}}, "no mesh"),
        ("lost", "forgotten"),
    ],
)
def test_a_job_that_fails_says_why(world, ending, words):
    fake = FakeComfyUI()
    fake.ending = ending
    error = failure(world, fake)
    assert error.code == "WT-MESH-FAILED"
    assert words in error.message


def test_a_job_that_takes_too_long_is_taken_back(world):
    fake = FakeComfyUI()
    fake.ending = "never"
    assert failure(world, fake, timeout=0.3).code == "WT-MESH-TIMEOUT"
    assert fake.withdrawn == [("queue", {"delete": [JOB]}), ("interrupt", {"prompt_id": JOB})]


def test_cancelling_takes_the_job_back(world):
    fake = FakeComfyUI()
    fake.ending = "never"

    def cancel(stage, k, n):
        if stage == "ComfyUI makes the mesh":
            raise Cancelled

    with pytest.raises(Cancelled):
        generate(world, fake, cancel)
    assert fake.withdrawn == [("queue", {"delete": [JOB]}), ("interrupt", {"prompt_id": JOB})]


@pytest.mark.parametrize(
    "asked",
    [
        ("GET", "/system_stats"),
        ("GET", "/object_info/KSampler"),
        ("POST", "/upload/image"),
        ("POST", "/prompt"),
        ("GET", "/queue"),
        ("GET", "/view"),
        ("POST", "/queue"),
    ],
    ids=lambda asked: "".join(asked).replace("/", "_"),
)
def test_cancelling_does_not_wait_for_a_server_that_hangs(world, asked):
    """Each request waits for seconds at the least, and the cancel for none of them."""
    fake, hanging, release = FakeComfyUI(painted_glb(*true_mesh())), threading.Event(), threading.Event()

    def hang(path, body):
        hanging.set()
        release.wait(60)
        return 200, b""

    fake.routes[asked] = hang
    if asked == ("POST", "/queue"):
        fake.ending = "never"

    def cancel(stage, k, n):
        if hanging.is_set() or (asked == ("POST", "/queue") and stage == "ComfyUI makes the mesh"):
            raise Cancelled

    before = threading.active_count()
    with serving(fake.routes) as (server, address):
        options = MeshOptions(faces=500, texture_size=64, extra={"address": address})
        with pytest.raises(Cancelled):
            ComfyUIGenerator().generate(world, None, options, cancel)
        assert not release.is_set()
        release.set()
        deadline = time.monotonic() + 60
        while threading.active_count() > before + 1 and time.monotonic() < deadline:  # the server's own is one
            time.sleep(0.01)
    mine = [body["prompt_id"] for body in server.bodies("/prompt")]  # of a job whose own number has not come yet
    job = {("POST", "/prompt"): mine, ("GET", "/queue"): [JOB]}.get(asked, [])
    assert [body["delete"] for where, body in fake.withdrawn if where == "queue"] == ([job] if job else [])


@pytest.mark.parametrize("extra", [{"model": "trellis3"}, {"resolution": 2048}, {"adress": "x"}])
def test_wrong_options_are_refused(world, extra):
    assert failure(world, FakeComfyUI(), **extra).code == "WT-MESH-OPTION"


def test_health(monkeypatch):
    fake = FakeComfyUI()
    with serving(fake.routes) as (_, address):
        monkeypatch.setenv("WORLDTRACING_COMFYUI_ADDRESS", address)
        health = ComfyUIGenerator().check()
        assert health.ok
        assert "0.38.0" in health.message
        fake.files["clip_name"] = []
        health = ComfyUIGenerator().check()
        assert not health.ok
        assert "dino_v3" in health.message
