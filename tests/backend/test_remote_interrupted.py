"""A remote trace that does not go through: cancelled, cut off, or on a server that dies. Nothing half is ever left."""

import os
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from remote_help import TOKEN, ServerProcess, Wire, bridge
from worker_help import Conversation, until, write_photo

from worldtracing.files import temporary_path
from worldtracing.worker import protocol
from worldtracing.worker.remote import link, transfer
from worldtracing.worker.remote.address import Address
from worldtracing.worker.remote.bridge import Bridge
from worldtracing.worker.remote.handshake import admit
from worldtracing.worker.remote.link import Link
from worldtracing.worker.remote.server import RemoteServer
from worldtracing.world import LayeredWorld


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("remote")) as process:
        yield process


@pytest.fixture
def wire(server):
    with Wire(server.address) as wire:
        yield wire


@pytest.fixture
def photo(tmp_path):
    return str(write_photo(tmp_path / "photo.png"))


@pytest.fixture
def large_photo(tmp_path):
    """Its world has some 18 MB, so that it cannot wait in the buffers of a connection."""
    picture = np.full((1100, 1100, 3), 255, np.uint8)
    picture[300:800, 300:800] = (200, 30, 30)
    Image.fromarray(picture).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


@pytest.fixture
def output(tmp_path):
    return tmp_path / "world.safetensors"


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "photo.png")


def steps(id, photo, output, count=1, seconds=0.02):
    return protocol.trace(id, photo, str(output), engine="steps", extra={"steps": count, "seconds": seconds})


def working(client, photo, output):
    """A long trace, in its steps."""
    client.tell(steps("long", photo, output, 100_000))
    client.hear_until("progress", stage="Working")


class InProcessBridge(Conversation):
    """A bridge in a thread of this process; leaving the block ends it."""

    def __init__(self, address):
        requests, to_bridge = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
        from_bridge, replies = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
        super().__init__(to_bridge, from_bridge)
        self.code = None
        self.thread = threading.Thread(target=self._run, args=(requests, replies, address), daemon=True)
        self.thread.start()
        self.hello = self.hear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.requests.close()
        self.thread.join(60)
        assert not self.thread.is_alive()

    def _run(self, requests, replies, address):
        with replies:
            self.code = Bridge(requests, replies, address, TOKEN).run()


def test_a_cancel_reaches_the_other_computer(server, photo, output, tmp_path):
    with bridge(server) as client:
        working(client, photo, output)
        client.tell(steps("second", photo, output))
        assert client.hear_until("error")[-1]["code"] == "WT-WORKER-BUSY"
        client.tell(protocol.cancel("c", "long"))
        heard = client.hear_until("cancelled", id="long")
        if not any(message["type"] == "ok" for message in heard):
            client.hear_until("ok", id="c", found=True)
        assert leftovers(tmp_path) == [] and server.all_files() == []
        client.tell(steps("next", photo, output))
        assert client.hear_until("result")[-1]["id"] == "next" and output.exists()


def test_a_cancel_while_the_photo_is_on_its_way(server, wire, output, tmp_path):
    (tmp_path / "photo.png").write_bytes(bytes(32 << 20))
    with bridge(server, wire.address) as client:
        wire.hold("up", after=1 << 20)
        client.tell(steps("t", str(tmp_path / "photo.png"), output))
        until(lambda: wire.held("up"))
        client.tell(protocol.cancel("c", "t"))
        client.hear_until("ok", id="c", found=True)
        wire.release()
        client.hear_until("cancelled", id="t")
        until(lambda: server.all_files() == [])
        write_photo(tmp_path / "photo.png")
        client.tell(steps("next", str(tmp_path / "photo.png"), output))
        client.hear_until("result", id="next")


def test_a_cancel_just_as_the_last_piece_is_sent(server, photo, output, tmp_path, monkeypatch):
    """The other computer works already, and the next trace may come only once it has stopped."""

    def send(link, message, files, stopped, on_bytes):
        sent = transfer.send_with_files(link, message, files, stopped, on_bytes)
        stopped.set()
        return sent

    with InProcessBridge(server.address) as client:
        monkeypatch.setattr("worldtracing.worker.remote.bridge.send_with_files", send)
        client.tell(steps("t", photo, output, 100_000, seconds=0.3))
        client.hear_until("cancelled", id="t")
        monkeypatch.undo()
        client.tell(steps("next", photo, output))
        client.hear_until("result", id="next")
    assert client.code == 0 and leftovers(tmp_path) == [output.name]


def test_a_cancel_while_the_result_is_on_its_way(server, wire, large_photo, output, tmp_path):
    with bridge(server, wire.address) as client:
        wire.hold("down", after=1 << 20)
        client.tell(steps("t", large_photo, output))
        client.hear_until("progress", stage="Receiving the result")
        until(lambda: wire.held("down"))
        before = wire.passed["up"]
        client.tell(protocol.cancel("c", "t"))
        until(lambda: wire.passed["up"] > before)
        wire.release()
        heard = client.hear_until("cancelled", id="t")
        assert not any(message["type"] == "result" for message in heard)
        assert leftovers(tmp_path) == [] and server.all_files() == []
        client.tell(steps("next", large_photo, output))
        client.hear_until("result", id="next")
    assert LayeredWorld.load(output).width == 1100


def test_a_connection_that_is_cut_while_the_result_is_on_its_way(server, wire, large_photo, output, tmp_path):
    output.write_bytes(b"older")
    with bridge(server, wire.address) as client:
        wire.hold("down", after=1 << 20)
        client.tell(steps("t", large_photo, output))
        client.hear_until("progress", stage="Receiving the result")
        until(lambda: wire.held("down") and any(name.endswith(".tmp") for name in leftovers(tmp_path)))
        wire.cut()
        error = client.hear_until("error")[-1]
        assert (error["id"], error["code"]) == ("t", "WT-WORKER-REMOTE-LOST") and str(wire.address) in error["message"]
        assert client.hear() is None and client.end() == 1
    assert leftovers(tmp_path) == [output.name] and output.read_bytes() == b"older"
    until(lambda: server.all_files() == [])


def test_a_connection_that_says_nothing_any_more(server, wire, photo, output, tmp_path, monkeypatch):
    """As when a cable is pulled: nobody tells that it is lost."""
    monkeypatch.setattr(link, "SILENCE_SECONDS", 5.0)
    with InProcessBridge(wire.address) as client:
        working(client, photo, output)
        wire.hold("down")
        error = client.hear_until("error")[-1]
        assert (error["id"], error["code"]) == ("long", "WT-WORKER-REMOTE-LOST")
        assert "nothing came for 5 seconds" in error["message"]
        assert client.hear() is None
    assert client.code == 1 and leftovers(tmp_path) == []


def test_a_server_that_cannot_start_its_worker(monkeypatch):
    server = RemoteServer(Address("127.0.0.1", 0), TOKEN)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    monkeypatch.setattr("worldtracing.worker.remote.guest._worker_command", lambda: ["/nowhere/python"])
    with InProcessBridge(server.address) as client:
        assert (client.hello["id"], client.hello["code"]) == (None, "WT-WORKER-DIED")
        assert client.hear() is None
    assert client.code == 1
    server.close()
    thread.join(60)


def test_a_connection_that_breaks_before_the_worker_says_hello():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            link = Link(listener.accept()[0])
            assert admit(link, TOKEN)
            link.tell({"type": "welcome", "version": "1", "python": "3", "engines": [], "busy": False})
            link.hear()
            link.close()

        threading.Thread(target=serve, daemon=True).start()
        with InProcessBridge(Address(*listener.getsockname())) as client:
            assert (client.hello["id"], client.hello["code"]) == (None, "WT-WORKER-REMOTE-LOST")
            assert client.hear() is None


def test_a_server_that_is_killed_in_mid_trace(photo, output, tmp_path):
    folder = tmp_path / "remote"
    folder.mkdir()
    with ServerProcess(folder) as server:
        client = bridge(server)
        working(client, photo, output)
        server.process.kill()
        error = client.hear_until("error")[-1]
        assert (error["id"], error["code"]) == ("long", "WT-WORKER-REMOTE-LOST") and error["fix"]
        assert client.hear() is None and client.end() == 1
    assert leftovers(tmp_path) == ["remote"]


def test_a_client_that_is_killed_in_mid_trace(server, photo, output):
    """As when Blender crashes: the other computer is free for the next one."""
    client = bridge(server)
    working(client, photo, output)
    client.process.kill()
    with bridge(server) as second:
        assert second.hello["type"] == "hello"
        second.tell(steps("t", photo, output))
        second.hear_until("result", id="t")
    until(lambda: server.all_files() == [])


def test_the_end_of_stdin_and_a_shutdown_end_the_bridge(server, photo, output):
    for last in (None, protocol.shutdown("bye")):
        with bridge(server) as client:
            working(client, photo, output)
            if last is None:
                client.requests.close()
            else:
                client.tell(last)
                client.hear_until("ok", id="bye")
            assert client.end() == 0
        until(lambda: server.all_files() == [])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full")
def test_a_disk_here_that_fills_up(server, photo, output, tmp_path):
    output.write_bytes(b"older")
    with bridge(server) as client:
        client.tell(steps("t", photo, output, count=50))
        client.hear_until("progress", stage="Working")
        temporary_path(output, client.hello["pid"]).symlink_to("/dev/full")
        error = client.hear_until("error")[-1]
        assert (error["id"], error["code"]) == ("t", "WT-IO-FULL")
        assert leftovers(tmp_path) == [output.name] and output.read_bytes() == b"older"
        client.tell(steps("next", photo, output))
        client.hear_until("result", id="next")


def test_what_is_too_large_or_shrinks_is_not_sent(server, photo, output, monkeypatch):
    with InProcessBridge(server.address) as client:
        monkeypatch.setattr(transfer, "MAX_FILE_BYTES", 100)
        assert client.ask(steps("t", photo, output))["code"] == "WT-WORKER-REMOTE-SIZE"
        monkeypatch.undo()
        read = transfer._read
        monkeypatch.setattr(transfer, "_read", lambda stream, count, path: read(stream, count + 1, path)[:count])
        client.tell(steps("t", photo, output))
        assert client.hear_until("error")[-1]["code"] == "WT-IO-READ"
        monkeypatch.undo()
        monkeypatch.setattr("worldtracing.worker.remote.bridge.for_the_network", lambda request: 1 / 0)
        assert client.ask(steps("t", photo, output))["code"] == "WT-WORKER-FAILED", "a defect leaves nobody waiting"
        monkeypatch.undo()
        client.tell(steps("next", photo, output))
        client.hear_until("result", id="next")
    assert client.code == 0
