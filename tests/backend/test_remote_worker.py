"""A worker on another computer: what comes back is what a worker here makes, and who may have it."""

import os
import socket
import stat
import sys

import numpy as np
import pytest
from PIL import Image
from remote_help import TOKEN, ServerProcess, bridge
from toy_world import make_world
from worker_help import Process, plugin_command, until, write_photo

from worldtracing import cli
from worldtracing.errors import WorldTracingError
from worldtracing.image import save_pixels
from worldtracing.meshing.textured import TexturedMesh
from worldtracing.worker import protocol
from worldtracing.worker.remote.address import Address
from worldtracing.worker.remote.client import ask
from worldtracing.worker.remote.server import RemoteServer
from worldtracing.world import LayeredWorld


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("remote")) as process:
        yield process


@pytest.fixture(scope="module")
def remote(server):
    """One client for all tests that leave the connection alive."""
    with bridge(server) as process:
        yield process


@pytest.fixture(scope="module")
def local():
    with Process(plugin_command()) as process:
        yield process


@pytest.fixture
def photo(tmp_path):
    return str(write_photo(tmp_path / "phöto 1.png"))


def finish(worker, message):
    """Ask for a trace or mesh; its last message."""
    worker.tell(message)
    last = None
    while last is None or last["type"] == "progress" or last["id"] != message["id"]:
        last = worker.hear()
    return last


def test_the_hello_tells_where_the_worker_is(remote, server):
    hello = remote.hello
    assert hello["address"] == str(server.address) and "remote" in hello["capabilities"]
    assert hello["pid"] == remote.process.pid, "the client removes temporary files by this number"
    assert hello["protocol"] == protocol.PROTOCOL_VERSION and "silhouette" in hello["engines"]


def test_a_trace_is_the_same_byte_for_byte(remote, local, server, photo, tmp_path):
    mask = np.zeros((48, 48), np.uint8)
    mask[12:30, 10:40] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    results = {}
    for place, worker in (("here", local), ("there", remote)):
        output = tmp_path / place / "world.safetensors"
        options = {"mask": str(tmp_path / "mask.png"), "engine": "silhouette", "fov_degrees": 50.0}
        result = finish(worker, protocol.trace("t", photo, str(output), **options))
        assert (result["type"], result["path"]) == ("result", str(output)), result
        assert [path.name for path in output.parent.iterdir()] == [output.name]
        results[place] = output.read_bytes(), {**result["summary"], "seconds": 0}
    assert results["here"] == results["there"]
    assert LayeredWorld.load(tmp_path / "there" / "world.safetensors").metadata["image"] == "phöto 1.png"
    assert server.all_files() == []


def test_names_that_could_be_mistaken_for_others(remote, photo, tmp_path):
    save_pixels(tmp_path / "hand-off.safetensors", np.asarray(Image.open(photo)))
    for name in ("image.safetensors", "tree_seed5.safetensors", "sent", "[x]_seed1.safetensors"):
        request = protocol.trace("t", str(tmp_path / "hand-off.safetensors"), str(tmp_path / name), engine="silhouette")
        assert finish(remote, request)["type"] == "result"
        assert LayeredWorld.load(tmp_path / name).layers


def test_several_seeds_come_back_as_files(remote, local, photo, tmp_path):
    kept = {}
    for place, worker in (("here", local), ("there", remote)):
        folder = tmp_path / place
        extra = {"seeds": [5, 9], "steps": 1, "keep_seeds": str(folder / "wörld")}
        output = str(folder / "wörld.safetensors")
        result = finish(worker, protocol.trace("t", photo, output, engine="wt-bundled", extra=extra))
        assert result["type"] == "result", result
        kept[place] = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(kept["there"]) == ["wörld.safetensors", "wörld_seed5.safetensors", "wörld_seed9.safetensors"]
    assert kept["here"] == kept["there"]


@pytest.mark.parametrize("suffix", [".glb", ".safetensors"])
def test_a_mesh_is_the_same(remote, local, tmp_path, suffix):
    make_world(LayeredWorld).save(tmp_path / "world.safetensors")
    outputs = []
    for place, worker in (("here", local), ("there", remote)):
        outputs.append(tmp_path / place / f"mug{suffix}")
        options = {"faces": 400, "texture_size": 64, "resolution": 24}
        result = finish(worker, protocol.mesh("m", str(tmp_path / "world.safetensors"), str(outputs[-1]), **options))
        assert result["type"] == "result" and result["summary"]["generator"] == "layers", result
    if suffix == ".glb":
        assert outputs[0].read_bytes() == outputs[1].read_bytes()
    else:  # it tells how long it took
        here, there = map(TexturedMesh.load, outputs)
        for name in ("vertices", "faces", "uvs", "base_color"):
            np.testing.assert_array_equal(getattr(here, name), getattr(there, name))


def test_an_assistant_there_answers_as_one_here(remote, local, server, tmp_path):
    world = make_world(LayeredWorld).save(tmp_path / "world.safetensors")
    there = remote.ask(protocol.assistants_request("q"))["assistants"]
    assert {"kind": "detector", "name": "blue"}.items() <= next(e for e in there if e["name"] == "blue").items()
    prompts = [{"type": "click", "x": 1.0, "y": 1.0}]
    for name, code in (("half", None), ("../half", "WT-MODEL-UNKNOWN"), ("/etc/half", "WT-MODEL-UNKNOWN")):
        answers = []
        for place, worker in (("here", local), ("there", remote)):
            output = tmp_path / place / "mask.safetensors"
            message = protocol.assist("a", "segmenter", name, str(world), str(output), prompts=prompts)
            last = finish(worker, message)
            assert last.get("code") == code, last
            answers.append(last.get("message") if code else output.read_bytes())
        assert answers[0] == answers[1]
    assert server.all_files() == []


def test_the_other_requests_are_answered(remote):
    assert remote.ask(protocol.status_request("s"))["job"] is None
    engines = remote.ask(protocol.engines_request("e"))["engines"]
    assert "steps" in {entry["name"] for entry in engines}
    assert remote.ask(protocol.free_memory("f")) == {"type": "ok", "id": "f"}
    assert remote.ask(protocol.cancel("c", "nothing")) == {"type": "ok", "id": "c", "found": False}
    assert remote.ask(b"juggle\n")["code"] == "WT-WORKER-REQUEST"


def test_failures_are_told_in_the_client_s_words(remote, server, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    output = str(tmp_path / "world.safetensors")
    error = finish(remote, protocol.trace("t", str(tmp_path / "text.png"), output, engine="silhouette"))
    assert error["code"].startswith("WT-IMG-") and str(server.files) not in error["message"], error
    error = finish(remote, protocol.trace("t", str(tmp_path / "missing.png"), output))
    assert error["code"] == "WT-IO-READ" and str(tmp_path / "missing.png") in error["message"]
    error = finish(remote, protocol.trace("t", str(tmp_path / "text.png"), str(tmp_path / "text.png" / "x")))
    assert error["code"] == "WT-IO-WRITE"
    assert server.all_files() == []


@pytest.mark.parametrize(
    "extra",
    [
        {"preview": "preview.safetensors"},
        {"model": "/etc/weights.safetensors"},
        {"model": "~"},
        {"model": "C:weights"},
        {"python": "python3"},
        {"nested": {"path": "/etc"}},
        {"names": ["/etc"]},
    ],
)
def test_options_that_could_name_files_there_are_refused(remote, server, photo, tmp_path, extra):
    output = tmp_path / "world.safetensors"
    error = finish(remote, protocol.trace("t", photo, str(output), engine="steps", extra={"steps": 1, **extra}))
    assert error["code"] == "WT-WORKER-REMOTE-OPTION" and error["fix"]
    error = finish(remote, protocol.trace("t", photo, str(tmp_path / "a:b.safetensors"), engine="silhouette"))
    assert error["code"] == "WT-WORKER-REMOTE-OPTION"
    assert not output.exists() and server.all_files() == []


@pytest.mark.skipif(os.name != "posix", reason="a shell script in the place of a program")
def test_a_client_cannot_start_programs_there(remote, local, tmp_path):
    program, traces = tmp_path / "python", tmp_path / "traces"
    program.write_text(f"#!/bin/sh\necho run >>'{traces}'\n")
    program.chmod(0o755)
    (tmp_path / "pipeline.yaml").touch()
    place = {"python": str(program), "repository": str(tmp_path), "config": str(tmp_path / "pipeline.yaml")}
    options = {"sam3d": place}
    remote.ask(protocol.generators_request("g") | {"options": options})
    assert not traces.exists()
    local.ask(protocol.generators_request("g") | {"options": options})
    assert traces.exists(), "here it is what was asked for"
    make_world(LayeredWorld).save(tmp_path / "world.safetensors")
    for option in ("python", "repository", "model", "low_vram"):
        output, extra = str(tmp_path / "mug.glb"), {option: "word"}
        request = protocol.mesh("m", str(tmp_path / "world.safetensors"), output, generator="pixal3d", extra=extra)
        assert finish(remote, request)["code"] == "WT-WORKER-REMOTE-OPTION", option


def test_a_worker_that_crashes_there_is_told_and_the_next_client_gets_another(server, photo, tmp_path):
    with bridge(server) as client:
        error = finish(client, protocol.trace("t", photo, str(tmp_path / "w.safetensors"), engine="dies"))
        assert error["code"] == "WT-WORKER-DIED" and "exit code 7" in error["message"]
        assert client.hear() is None and client.end() == 1
    with bridge(server) as client:
        assert finish(client, protocol.trace("t", photo, str(tmp_path / "w.safetensors"), engine="silhouette"))["path"]


def test_who_has_nothing_to_do_gives_way_and_who_traces_does_not(photo, tmp_path):
    with ServerProcess(tmp_path) as server:
        first = bridge(server)
        assert not ask(server.address, TOKEN).busy and first.ask(protocol.status_request("s"))["type"] == "status"
        with bridge(server) as second:
            assert first.hear() is None and first.end() == 1, "idle, so it was sent away"
            extra = {"steps": 100_000, "seconds": 0.02}
            second.tell(protocol.trace("t", photo, str(tmp_path / "w.safetensors"), engine="steps", extra=extra))
            second.hear_until("progress", stage="Working")
            assert ask(server.address, TOKEN).busy
            third = bridge(server)
            assert (third.hello["code"], third.end()) == ("WT-WORKER-BUSY", 1)
            second.tell(protocol.cancel("c", "t"))
            second.hear_until("cancelled", id="t")


def test_a_wrong_missing_or_short_token(server, tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    for token in ("a token that is another one", "", "short"):
        monkeypatch.setenv("WORLDTRACING_TOKEN", token or " ")
        with Process([sys.executable, "-m", "worldtracing", "bridge", str(server.address)]) as client:
            assert client.hello["code"] == "WT-WORKER-REMOTE-TOKEN" and client.hello["id"] is None
            assert client.hear() is None and client.end() == 1
            assert b"WT-WORKER-REMOTE-TOKEN" in client.stderr
    with pytest.raises(WorldTracingError) as caught:
        ask(server.address, "a token that is another one")
    assert caught.value.code == "WT-WORKER-REMOTE-TOKEN"
    assert ask(server.address, f" {TOKEN}\n").engines, "the server is as it was"


def test_nobody_there(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(*listener.getsockname())
    for nowhere in (address, Address("a..b", 1)):  # which is no name at all
        with pytest.raises(WorldTracingError) as caught:
            ask(nowhere, TOKEN)
        assert caught.value.code == "WT-WORKER-REMOTE-UNREACHABLE" and str(nowhere) in caught.value.message


def test_the_server_makes_a_token_once_for_this_user_alone(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("WORLDTRACING_TOKEN", raising=False)
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(RemoteServer, "run", lambda self: None)
    assert cli.main(["serve", "--listen", "127.0.0.1:0"]) == 0
    file = tmp_path / ".worldtracing" / "token"
    token = file.read_text().strip()
    assert len(token) >= 32 and token in capsys.readouterr().out
    assert os.name != "posix" or stat.S_IMODE(file.stat().st_mode) == 0o600
    assert cli.main(["serve", "--listen", "127.0.0.1:0"]) == 0
    assert token not in capsys.readouterr().out and file.read_text().strip() == token
    assert cli.main(["serve", "--listen", "0.0.0.0:0"]) == 0
    assert "not encrypted" in capsys.readouterr().out


def test_an_address_that_cannot_be_served(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORLDTRACING_TOKEN", TOKEN)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert cli.main(["serve", "--listen", "127.0.0.1:%s" % taken.getsockname()[1]]) == 1  # noqa: UP031
    assert "WT-WORKER-REMOTE-LISTEN" in capsys.readouterr().err
    assert cli.main(["bridge", "http://example.com/x"]) == 1
    output = capsys.readouterr()
    assert "WT-WORKER-REMOTE-ADDRESS" in output.out and "WT-WORKER-REMOTE-ADDRESS" in output.err


@pytest.mark.skipif(os.name != "posix", reason="Windows ends a process without telling it")
def test_ctrl_c_ends_the_server_its_worker_and_its_files(photo, tmp_path):
    with ServerProcess(tmp_path) as server:
        client = bridge(server)
        extra = {"steps": 100_000, "seconds": 0.02}
        client.tell(protocol.trace("t", photo, str(tmp_path / "w.safetensors"), engine="steps", extra=extra))
        client.hear_until("progress", stage="Working")
        assert server.all_files()
        server.process.terminate()
        assert client.hear_until("error")[-1]["code"] == "WT-WORKER-REMOTE-LOST"
        assert server.process.wait(60) == 130
        until(lambda: list(server.files.iterdir()) == [])
