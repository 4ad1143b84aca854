"""What travels of a request: files by field, names that are nothing but names, and no path of either computer."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldtracing.errors import WorldTracingError
from worldtracing.worker import protocol
from worldtracing.worker.remote.link import ForeignLinkError
from worldtracing.worker.remote.requests import for_the_network, for_the_worker, seed_path
from worldtracing.worker.remote.transfer import Incoming, file_sizes


def request(**values):
    return protocol.parse_request(
        {"type": "trace", "id": "t", "image": "/home/a/p.png", "output": "/home/a/w.st", **values}
    )


def test_paths_of_the_client_do_not_travel(tmp_path):
    (tmp_path / "p.png").write_bytes(b"x")
    wanted = request(image=str(tmp_path / "p.png"), mask=str(tmp_path / "p.png"), extra={"keep_seeds": "/home/a/w"})
    message, files = for_the_network(wanted)
    assert "/" not in str(protocol.encode(message)) and str(tmp_path) not in str(message)
    assert files == [({"fields": ["image", "mask"], "suffix": ".png"}, tmp_path / "p.png")], "both are one file"
    assert message["name"] == "p.png" and message["output"] == "w.st" and message["extra"] == {"keep_seeds": "w"}


def test_paths_that_a_client_sends_are_not_opened(tmp_path):
    message, _ = for_the_network(request())
    files = [{"fields": ["image"], "suffix": ".png", "size": 1}]
    message |= {"files": files, "image": "/etc/passwd", "mask": "/etc/shadow", "world": "/etc/group"}
    there, paths = for_the_worker(message, tmp_path)
    assert paths == [tmp_path / "sent" / "image.png"] and there.values["image"] == str(paths[0])
    assert "mask" not in there.values and "world" not in there.values and "/etc" not in str(there.values)


@pytest.mark.parametrize(
    "name", ["../w", "/etc/w", "a/b", "a\\b", "..", ".", "", ".w", "C:w", "w\0", "w\n", 5, None, "w" * 300]
)
def test_names_of_results_that_are_more_than_names(name, tmp_path):
    message, _ = for_the_network(request())
    message |= {"files": [], "image": "x", "output": name}
    with pytest.raises(WorldTracingError) as caught:
        for_the_worker(message, tmp_path)
    assert caught.value.code in ("WT-WORKER-REMOTE-OPTION", "WT-WORKER-REQUEST")


@given(st.text())
def test_no_name_leads_out_of_the_folder(name):
    folder = Path("/folder")
    message = {"type": "mesh", "id": "m", "output": name, "files": [{"fields": ["world"], "suffix": "", "size": 0}]}
    try:
        there, _ = for_the_worker(message, folder)
    except WorldTracingError:
        return
    assert Path(there.values["output"]).parent == folder / "made" and name not in (".", "..")


@pytest.mark.parametrize(
    "entry",
    [
        {"fields": ["image"], "suffix": "/../x"},
        {"fields": ["image"], "suffix": "." + "x" * 40},
        {"fields": ["output"], "suffix": ".png"},
        {"fields": [], "suffix": ".png"},
        {"suffix": ".png"},
    ],
)
def test_files_of_no_field_or_with_strange_endings(entry, tmp_path):
    message, _ = for_the_network(request())
    with pytest.raises(WorldTracingError, match="WT-WORKER-REQUEST"):
        for_the_worker(message | {"files": [entry | {"size": 1}]}, tmp_path)


def test_a_server_cannot_choose_where_the_client_writes(tmp_path):
    stem = tmp_path / "world"
    assert seed_path(stem, "world_seed42.safetensors") == tmp_path / "world_seed42.safetensors"
    for name in (
        "../world_seed42.safetensors",
        "world_seed4/2.safetensors",
        "other_seed42.safetensors",
        "world",
        None,
        5,
    ):
        assert seed_path(stem, name) is None


@pytest.mark.parametrize(
    "files", [None, 5, [5], [{}], [{"size": -1}], [{"size": 1.5}], [{"size": 1 << 40}], [{"size": 0}] * 65]
)
def test_sizes_that_make_no_sense(files):
    with pytest.raises(ForeignLinkError):
        file_sizes({"files": files})


def test_files_are_put_together_and_more_than_was_announced_is_refused(tmp_path):
    paths = [tmp_path / name for name in ("a", "b", "c")]
    incoming = Incoming({"files": [{"size": 5}, {"size": 0}, {"size": 3}]}, paths)
    for piece in (b"he", b"llo", b"abc"):
        assert not incoming.complete
        incoming.take(piece)
    with pytest.raises(ForeignLinkError):
        incoming.take(b"more")
    incoming.place()
    assert [path.read_bytes() for path in paths] == [b"hello", b"", b"abc"]
    incoming = Incoming({"files": [{"size": 5}]}, paths)
    with pytest.raises(ForeignLinkError):
        incoming.take(b"too much")
    incoming.discard()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]
