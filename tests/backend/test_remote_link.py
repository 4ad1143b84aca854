"""The connection itself: what was changed on the way is noticed, strangers are turned away, paths stay at home."""

import socket
import threading

import pytest
from remote_help import TOKEN

from worldtracing.errors import WorldTracingError
from worldtracing.worker import protocol
from worldtracing.worker.remote import handshake
from worldtracing.worker.remote.address import Address, parse_address
from worldtracing.worker.remote.client import ask
from worldtracing.worker.remote.link import DATA, MESSAGE, Link, LinkBrokenError
from worldtracing.worker.remote.server import RemoteServer


@pytest.fixture
def sockets():
    """Two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    with one, other:
        for end in (one, other):
            end.settimeout(60)
        yield one, other


@pytest.fixture
def links(sockets):
    """Two links that have shaken hands."""
    one, other = map(Link, sockets)
    admitted = []

    def admit():
        admitted.append(handshake.admit(other, TOKEN))
        other.tell({"type": "welcome"})

    thread = threading.Thread(target=admit, daemon=True)
    thread.start()
    assert handshake.join(one, TOKEN) == {"type": "welcome"}
    thread.join(60)
    assert admitted == [True]
    yield one, other
    one.close()
    other.close()


@pytest.fixture
def server():
    """A server in this process, whose guests are never served."""
    server = RemoteServer(Address("127.0.0.1", 0), TOKEN)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield server
    server.close()
    thread.join(60)


def between(links):
    """Frames of a link as bytes: what one end sends, read from the other end's socket."""
    one, other = links
    one.send(DATA, b"first")
    one.send(MESSAGE, b'{"type":"second"}')
    size = 5 + 5 + 16 + 5 + 17 + 16
    data = b""
    while len(data) < size:
        data += other._socket.recv(size - len(data))
    return data


def replayed(links, data):
    """Let the receiving end have other bytes in the place of those."""
    links[0]._socket.sendall(data)
    return links[1]


def test_frames_arrive_as_they_were_sent(links):
    data = between(links)
    link = replayed(links, data)
    assert link.receive() == (DATA, b"first") and link.hear() == {"type": "second"}


@pytest.mark.parametrize("place", [0, 1, 4, 6, 12, 25])
def test_a_changed_frame_is_noticed(links, place):
    data = bytearray(between(links))
    data[place] ^= 2
    links[0]._socket.sendall(data)
    links[0].close()
    with pytest.raises(LinkBrokenError):
        links[1].receive()


def test_a_frame_that_is_left_out_or_repeated_is_noticed(links):
    data = between(links)
    first, second = data[:26], data[26:]
    link = replayed(links, first + first + second)
    assert link.receive() == (DATA, b"first")
    with pytest.raises(LinkBrokenError):
        link.receive()


def test_what_one_side_said_cannot_be_sent_back_to_it(links):
    data = between(links)
    links[1]._socket.sendall(data)
    with pytest.raises(LinkBrokenError):
        links[0].receive()


def test_the_token_is_not_told_and_no_handshake_is_like_another(sockets):
    one, other = Link(sockets[0]), sockets[1]
    thread = threading.Thread(target=lambda: _join_quietly(one), daemon=True)
    thread.start()
    said = other.recv(4096)
    assert TOKEN.encode() not in said and TOKEN.encode().hex().encode() not in said
    answer = {"type": "challenge", "protocol": protocol.PROTOCOL_VERSION, "nonce": "00" * 32, "proof": "00" * 32}
    line = protocol.encode(answer)
    other.sendall(b"M" + len(line).to_bytes(4, "big") + line)
    thread.join(60)
    assert other.recv(4096) == b"", "who cannot show the token gets no proof to try tokens on"


def _join_quietly(link):
    with pytest.raises(WorldTracingError, match="WT-WORKER-REMOTE-TOKEN"):
        handshake.join(link, TOKEN)
    link.close()


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"M\x00\x00\x00\x02{}", b"M\xff\xff\xff\xff"],
)
def test_another_program_at_that_address(answer):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)
                connection.recv(4096)

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(WorldTracingError) as caught:
            ask(Address(*listener.getsockname()), TOKEN)
    assert caught.value.code == "WT-WORKER-REMOTE-STRANGER"


def test_another_version_of_the_protocol_is_refused_by_both_sides(server, monkeypatch):
    link = Link(socket.create_connection(server.address))
    link.tell({"type": "join", "protocol": 99, "nonce": "00" * 32})
    error = link.hear()
    assert error["code"] == "WT-WORKER-PROTOCOL" and "99" in error["message"]
    link.close()
    monkeypatch.setattr(handshake, "admit", None)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            link = Link(listener.accept()[0])
            link.hear()
            link.tell({"type": "challenge", "protocol": 99, "nonce": "", "proof": ""})

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(WorldTracingError, match="WT-WORKER-PROTOCOL"):
            ask(Address(*listener.getsockname()), TOKEN)


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"M\x00\x10\x00\x00" + b"x" * 100,
        b"M\x00\x00\x00\x05hello",
        b'M\x00\x00\x00\x1c{"type":"join","protocol":1}',
        b"",
    ],
)
def test_strangers_are_turned_away_and_the_server_lives_on(server, said):
    with socket.create_connection(server.address) as connection:
        connection.settimeout(60)
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(4096) == b""
    assert ask(server.address, TOKEN).version


def test_who_says_nothing_does_not_stay(server, monkeypatch):
    monkeypatch.setattr("worldtracing.worker.remote.server.HANDSHAKE_SECONDS", 0.3)
    with socket.create_connection(server.address) as connection:
        connection.settimeout(60)
        assert connection.recv(4096) == b""


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("workstation", "workstation", 47310),
        (" Workstation.studio:5000 ", "workstation.studio", 5000),
        ("192.168.0.7:1", "192.168.0.7", 1),
        ("[::1]:47310", "::1", 47310),
        ("[fe80::1]", "fe80::1", 47310),
    ],
)
def test_addresses(text, host, port):
    address = parse_address(text)
    assert address == (host, port) and parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "  ", ":5000", "host:port", "host:70000", "http://host", "host/path", "a b", "me@host", "::1", "[::1", "a\nb"],
)
def test_what_is_no_address(text):
    with pytest.raises(WorldTracingError) as caught:
        parse_address(text)
    assert caught.value.code == "WT-WORKER-REMOTE-ADDRESS"


def test_which_addresses_stay_on_this_computer():
    assert all(parse_address(text).is_this_computer for text in ("localhost", "127.0.0.1:5", "127.8.8.8", "[::1]:5"))
    assert not any(
        parse_address(text).is_this_computer for text in ("workstation", "10.0.0.1", "localhost.example.com")
    )
