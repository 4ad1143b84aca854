"""Messages: what is written can be read, and what cannot be used is refused with a sentence."""

import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldtracing.errors import WorldTracingError
from worldtracing.worker import protocol

DOCUMENT = (Path(__file__).parents[2] / "docs/protocol.md").read_text("utf-8")

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=6))
def test_messages_survive_the_line(fields):
    message = {**fields, "type": "x"}
    line = protocol.encode(message)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert protocol.decode(line) == message


def test_file_names_that_are_not_unicode_survive():
    message = protocol.trace("1", image="/photos/\udcff.png", output="/out/ä.safetensors")
    assert protocol.decode(protocol.encode(message)) == message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_lacks_are_never_written(value):
    with pytest.raises(ValueError):
        protocol.encode({"type": "x", "value": value})


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"[]",
        b"null",
        b'"trace"',
        b"{}",
        b'{"type": 3}',
        b'{"type": "status", "id": NaN}',
        b'{"type": "status", "id": "\xff"}',
        b'{"type": "status"',
        b"[" * 100_000,
        b"1" * 10_000,
    ],
)
def test_lines_that_are_no_messages(line):
    with pytest.raises(WorldTracingError) as caught:
        protocol.decode(line)
    assert caught.value.code == "WT-WORKER-REQUEST"


def test_requests_that_the_client_builds_are_accepted():
    options = {
        "engine": "silhouette",
        "mode": "scene",
        "seed": 7,
        "resolution": 256,
        "mask": "/m.png",
        "intrinsics": [500, 500, 320, 240.5],
        "extra": {"steps": 3},
        "name": "Photo.001",
    }
    request = protocol.parse_request(protocol.trace("t", "/a.png", "/b.safetensors", **options))
    assert (request.type, request.id) == ("trace", "t")
    assert request.values == {"image": "/a.png", "output": "/b.safetensors", **options}
    assert protocol.parse_request(protocol.cancel("c", "t")).values == {"target": "t"}
    for build in (protocol.status_request, protocol.engines_request, protocol.free_memory, protocol.shutdown):
        assert protocol.parse_request(build("x")).id == "x"


def test_null_means_not_given_and_unknown_fields_are_ignored():
    message = protocol.trace("t", "/a.png", "/b", mask=None, from_the_future=1)
    assert protocol.parse_request(message).values == {"image": "/a.png", "output": "/b"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 1),
        ("id", ""),
        ("id", "x" * 5000),
        ("image", ["a"]),
        ("image", "a\0b"),
        ("output", {}),
        ("seed", 1.5),
        ("seed", True),
        ("seed", -1),
        ("seed", 1 << 70),
        ("resolution", "512"),
        ("fov_degrees", "wide"),
        ("fov_degrees", float("inf")),
        ("fov_degrees", 10**400),
        ("intrinsics", [1, 2, 3]),
        ("intrinsics", [1, 2, 3, "4"]),
        ("extra", []),
        ("mode", 3),
    ],
)
def test_fields_of_a_wrong_type_are_named(field, value):
    message = protocol.trace("t", "/a.png", "/b") | {field: value}
    with pytest.raises(WorldTracingError, match=f'"{field}" of the trace request must be') as caught:
        protocol.parse_request(message)
    assert caught.value.code == "WT-WORKER-REQUEST"


@pytest.mark.parametrize("field", ["id", "image", "output"])
def test_missing_fields_are_named(field):
    message = protocol.trace("t", "/a.png", "/b")
    del message[field]
    with pytest.raises(WorldTracingError, match=f'lacks "{field}"'):
        protocol.parse_request(message)


@given(st.text(string.printable))
def test_unknown_types_are_quoted_in_short(kind):
    kind = "x" + kind
    with pytest.raises(WorldTracingError) as caught:
        protocol.parse_request({"type": kind, "id": "1"})
    assert len(caught.value.message) < 500 and json.dumps(kind[:20])[:-1] in caught.value.message


def test_errors_survive_the_message():
    error = WorldTracingError("WT-X", "A sentence.", "A fix.")
    assert protocol.to_error(protocol.decode(protocol.encode(protocol.error("t", error)))).args == error.args


def test_the_document_names_all_there_is():
    fields = (name for type in ("trace", "mesh", "assist") for name in protocol._REQUESTS[type])
    names = [*protocol._REQUESTS, *fields, *protocol.CAPABILITIES]
    assert [name for name in names if f"`{name}`" not in DOCUMENT] == []
    assert f"protocol version **{protocol.PROTOCOL_VERSION}**" in DOCUMENT
    assert f"{protocol.MAX_LINE_BYTES:,} bytes" in DOCUMENT
    assert f"every {protocol.HEARTBEAT_SECONDS:g} seconds" in DOCUMENT


def test_the_document_s_example_speaks_the_protocol():
    lines = [line for line in DOCUMENT.splitlines() if line.startswith(("< {", "> {"))]
    messages = [protocol.decode(line[2:].encode()) for line in lines]
    for line, message in zip(lines, messages, strict=True):
        if line.startswith(">"):
            protocol.parse_request(message)
    assert messages[0]["protocol"] == protocol.PROTOCOL_VERSION
    assert messages[0]["capabilities"] == list(protocol.CAPABILITIES)
