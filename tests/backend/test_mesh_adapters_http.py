"""Hunyuan3D-2.1 and the HTTP client: what is sent, what failures are told apart."""

import base64
import io
import socket
import threading

import numpy as np
import pytest
from adapter_help import misplacement, silent
from fake_server import serving
from glb_help import painted_glb
from mesh_world import TRUE_POSE, mesh_world, true_mesh
from PIL import Image
from worker_help import until

from worldtracing.errors import Cancelled, WorldTracingError
from worldtracing.meshing.adapters.hunyuan3d import Hunyuan3DGenerator
from worldtracing.meshing.adapters.picture import object_view
from worldtracing.meshing.adapters.server import Server
from worldtracing.meshing.align import rotation_from_vector
from worldtracing.meshing.base import MeshOptions

HEALTHY = {("GET", "/health"): lambda path, body: (200, {"status": "healthy", "worker_id": "ab12cd"})}


@pytest.fixture(scope="module")
def world():
    return mesh_world()


def generate(world, address, **extra):
    options = MeshOptions(faces=500, seed=2**33 + 5, extra={"address": address, **extra})
    return Hunyuan3DGenerator().generate(world, None, options, silent)


def failure(world, routes, **extra):
    with serving(routes) as (_, address), pytest.raises(WorldTracingError) as caught:
        generate(world, address, **extra)
    return caught.value


def test_hunyuan3d_gets_the_cut_out_and_its_mesh_finds_its_place(world):
    vertices, faces = true_mesh()
    # What the server makes: the object upright and of its own size; the photo looks down on it by 12 degrees.
    view = object_view(world, world.valid[0], 1024, 1.2)
    front = (vertices - TRUE_POSE.translation) @ view.rotation * [1, -1, -1]
    upright = front @ rotation_from_vector(np.radians([12.0, 0, 0])) * 3.3
    routes = HEALTHY | {("POST", "/generate"): lambda path, body: (200, painted_glb(upright, faces))}
    with serving(routes) as (fake, address):
        mesh = generate(world, address)
    assert misplacement(mesh) < 0.01
    assert mesh.base_color[0, 0].tolist() == [200, 100, 50, 255]
    assert (mesh.roughness[0, 0], mesh.metallic[0, 0]) == (100, 30)
    (request,) = fake.bodies("/generate")
    picture = Image.open(io.BytesIO(base64.b64decode(request.pop("image"))))
    assert (picture.mode, picture.size) == ("RGBA", (1024, 1024))
    np.testing.assert_array_equal(np.asarray(picture), view.rgba)
    assert request == {"remove_background": False, "texture": True, "seed": 5, "face_count": 1000}
    assert mesh.metadata["options"]["faces"] == 500
    assert mesh.metadata["watertight"]


def test_a_job_that_fails_says_so(world):
    refusal = {"text": "**NETWORK ERROR DUE TO HIGH TRAFFIC.**", "error_code": 1}
    error = failure(world, HEALTHY | {("POST", "/generate"): lambda path, body: (404, refusal)})
    assert error.code == "WT-MESH-FAILED"
    assert "HIGH TRAFFIC" in error.message


def test_a_mesh_that_came_without_its_texture_is_refused(world):
    from glb_help import glb

    bare = glb(*true_mesh())
    error = failure(world, HEALTHY | {("POST", "/generate"): lambda path, body: (200, bare)})
    assert error.code == "WT-MESH-RESULT"
    assert "texture" in error.message


@pytest.mark.parametrize(
    "routes",
    [
        {("GET", "/health"): lambda path, body: (404, b"Not Found")},  # its Gradio app, or Hunyuan3D-2's server
        {("GET", "/health"): lambda path, body: (200, b"<html>")},
        HEALTHY | {("POST", "/generate"): lambda path, body: (422, {"detail": "field required"})},
    ],
)
def test_another_server_is_told_apart(world, routes):
    assert failure(world, routes).code == "WT-MESH-VERSION"


def test_a_server_that_takes_too_long(world):
    release = threading.Event()
    routes = HEALTHY | {("POST", "/generate"): lambda path, body: (release.wait(60), b"")}
    try:
        error = failure(world, routes, timeout=0.3)
    finally:
        release.set()
    assert error.code == "WT-MESH-TIMEOUT"


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_no_server_there(world, monkeypatch):
    address = free_address()
    with pytest.raises(WorldTracingError) as caught:
        generate(world, address)
    assert caught.value.code == "WT-MESH-SERVER"
    assert address in caught.value.message
    monkeypatch.setenv("WORLDTRACING_HUNYUAN3D_ADDRESS", address)
    health = Hunyuan3DGenerator().check()
    assert not health.ok
    assert address in health.message


def test_the_health_check_of_a_server_that_works(monkeypatch):
    with serving(HEALTHY) as (_, address):
        monkeypatch.setenv("WORLDTRACING_HUNYUAN3D_ADDRESS", address)
        assert Hunyuan3DGenerator().check().ok


@pytest.mark.parametrize("address", ["", "localhost:8081", "ftp://host", "http://", "http://host:port", "file:///etc"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(WorldTracingError) as caught:
        Server("a server", address).request("GET", "/")
    assert caught.value.code == "WT-MESH-OPTION"


def test_redirects_and_proxies_lead_nowhere(monkeypatch):
    with serving({("GET", "/there"): lambda path, body: (200, b"there")}) as (other, elsewhere):
        monkeypatch.setenv("http_proxy", elsewhere)
        with serving({("GET", "/here"): lambda path, body: (302, b"")}) as (_, address):
            assert Server("a server", address).request("GET", "/here").status == 302
        assert other.asked == []


def test_an_address_may_begin_with_a_path():
    with serving({("GET", "/sub/health"): lambda path, body: (200, {"fine": True})}) as (_, address):
        assert Server("a server", address + "/sub/").request("GET", "/health").json() == {"fine": True}


def test_cancelling_does_not_wait_for_the_server():
    release, begun = threading.Event(), threading.Event()

    def slow(path, body):
        begun.set()
        release.wait(60)
        return 200, b""

    def cancel():
        if begun.is_set():
            raise Cancelled

    with serving({("GET", "/slow"): slow}) as (_, address):
        before = threading.active_count()
        with pytest.raises(Cancelled):
            Server("a server", address).request("GET", "/slow", seconds=60, tick=cancel)
        assert not release.is_set()
        release.set()
    until(lambda: threading.active_count() <= before)


def test_while_blender_is_offline_only_this_computer_is_asked(monkeypatch):
    monkeypatch.setenv("WORLDTRACING_OFFLINE", "1")
    for address in ("http://192.0.2.1:8081", "http://render-node:8188", "http://localhost.example.org"):
        with pytest.raises(WorldTracingError) as caught:
            Server("A server", address, 0.2).request("GET", "/health")
        assert caught.value.code == "WT-ENV-OFFLINE" and address in caught.value.message
    with serving(HEALTHY) as (_, address):
        assert Server("A server", address).request("GET", "/health").status == 200
