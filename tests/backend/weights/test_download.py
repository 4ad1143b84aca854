import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest
from worker_help import until

from worldtracing.errors import Cancelled, WorldTracingError
from worldtracing.weights import download as downloading
from worldtracing.weights.catalogue import RELEASED
from worldtracing.weights.download import Speed, download
from worldtracing.weights.store import download_record


@pytest.fixture(autouse=True)
def _small_and_quick(monkeypatch):
    monkeypatch.setattr(downloading, "REPORT_SECONDS", 0)
    monkeypatch.setattr(downloading, "RETRY_SECONDS", 0.01)


@pytest.fixture
def accepted(store, tiny):
    store.accept_licence(tiny)
    return store


def fails(code, *args, **kwargs):
    with pytest.raises(WorldTracingError) as caught:
        download(*args, **kwargs)
    assert caught.value.code == code
    assert caught.value.fix
    return caught.value


def test_nothing_is_asked_of_the_hub_before_the_licence_is_accepted(store, tiny, hub):
    error = fails("WT-MODEL-LICENCE", store, tiny, endpoint=hub.endpoint)
    assert "non-commercial" in error.message
    assert not hub.requests
    store.accept_licence(tiny)
    assert download(store, tiny, endpoint=hub.endpoint).read_bytes() == hub.content


@pytest.mark.parametrize("redirect", [False, True])
def test_a_download_is_complete_recorded_and_not_repeated(accepted, tiny, hub, redirect):
    hub.redirect = redirect
    path = download(accepted, tiny, endpoint=hub.endpoint)
    assert path.read_bytes() == hub.content
    record = json.loads(download_record(path).read_text())
    assert (record["sha256"], record["commit"], record["repo"]) == (hub.etag, hub.commit, tiny.repo)
    assert not list(path.parent.glob("*.partial"))
    assert hub.commit in hub.gets()[0][1]  # the file of that commit, whatever `main` becomes meanwhile
    count = len(hub.requests)
    assert download(accepted, tiny, endpoint=hub.endpoint) == path
    assert len(hub.requests) == count


def test_progress_tells_size_and_speed(accepted, tiny, hub, monkeypatch):
    monkeypatch.setattr(downloading, "MEGABYTE", 1000)
    calls = []
    download(accepted, tiny, lambda *call: calls.append(call), hub.endpoint)
    fetching = [call for call in calls if "MB/s" in call[0]]
    assert fetching[0][1] == 0
    assert [k for _, k, _ in fetching] == sorted(k for _, k, _ in fetching)
    assert {n for _, _, n in fetching} == {len(hub.content) // 1000}


def test_a_cancelled_download_goes_on_where_it_stopped(accepted, tiny, hub):
    def cancel(stage, k, n):
        cancel.calls += 1
        if cancel.calls == 8:
            raise Cancelled

    cancel.calls = 0
    with pytest.raises(Cancelled):
        download(accepted, tiny, cancel, hub.endpoint)
    (partial,) = accepted.download_path(tiny).parent.glob("*.partial")
    done = partial.stat().st_size
    assert 0 < done < len(hub.content)
    assert [file.kind for file in accepted.files()] == ["partial"]

    path = download(accepted, tiny, endpoint=hub.endpoint)
    assert path.read_bytes() == hub.content
    assert hub.gets()[-1][2]["Range"] == f"bytes={done}-"


def test_lost_connections_are_resumed(accepted, tiny, hub):
    hub.drop_after, hub.drops = 300_000, 3
    assert download(accepted, tiny, endpoint=hub.endpoint).read_bytes() == hub.content
    assert len(hub.gets()) == 4
    assert hub.gets()[3][2]["Range"] == "bytes=900000-"


@pytest.mark.skipif(os.name == "nt", reason="a program cannot press Ctrl-C for another one on Windows")
def test_ctrl_c_leaves_what_arrived_and_what_was_there(store, hub):
    """The command line in a process of its own."""
    ready = store.weights_path("r75b", "fp32")
    ready.parent.mkdir(parents=True)
    ready.write_bytes(b"weights of before")
    hub.stall = threading.Event()
    command = [sys.executable, "-m", "worldtracing", "weights", "--folder", store.folder, "download", "r75b"]
    command += ["--accept-licence", "--endpoint", hub.endpoint]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        partial = until(lambda: next((p for p in store.folder.rglob("*.partial") if p.stat().st_size), None))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read().splitlines()[-1] == "Interrupted."
    hub.stall.set()
    done = partial.stat().st_size
    assert partial.read_bytes() == hub.content[:done]
    assert ready.read_bytes() == b"weights of before"

    hub.stall = None
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1  # not a checkpoint after all
    assert hub.gets()[-1][2]["Range"] == f"bytes={done}-"
    assert store.download_path(RELEASED["r75b"]).read_bytes() == hub.content
    assert ready.read_bytes() == b"weights of before"


def test_a_connection_that_stays_lost_keeps_what_arrived(accepted, tiny, hub):
    hub.drop_after, hub.drops = 0, 100
    (accepted.download_path(tiny).parent).mkdir(parents=True)
    partial = accepted.download_path(tiny).with_name(f"model.pt.{hub.etag[:16]}.partial")
    partial.write_bytes(hub.content[:5000])
    fails("WT-NET-LOST", accepted, tiny, endpoint=hub.endpoint)
    assert partial.read_bytes() == hub.content[:5000]
    hub.drops = 0
    assert download(accepted, tiny, endpoint=hub.endpoint).read_bytes() == hub.content


def test_a_server_without_ranges_starts_over(accepted, tiny, hub):
    hub.ranges, hub.drop_after, hub.drops = False, 300_000, 1
    assert download(accepted, tiny, endpoint=hub.endpoint).read_bytes() == hub.content


def test_a_busy_server_is_asked_again(accepted, tiny, hub):
    def revive(stage, k, n):
        if "again" in stage:
            hub.status = 200
        elif hub.requests and hub.requests[-1][0] == "HEAD":
            hub.status = 503

    hub.drop_after, hub.drops = 300_000, 1
    assert download(accepted, tiny, revive, hub.endpoint).read_bytes() == hub.content


def test_a_file_that_was_replaced_on_the_hub_is_not_mixed_with_the_old_one(accepted, tiny, hub):
    path = accepted.download_path(tiny)
    path.parent.mkdir(parents=True)
    path.with_name(f"model.pt.{'0' * 16}.partial").write_bytes(b"of the old file")
    assert download(accepted, tiny, endpoint=hub.endpoint).read_bytes() == hub.content


def test_a_damaged_download_is_deleted(accepted, tiny, hub):
    hub.content = bytes([hub.content[0] ^ 1]) + hub.content[1:]
    fails("WT-MODEL-CHECKSUM", accepted, tiny, endpoint=hub.endpoint)
    assert accepted.files() == []
    assert not list(accepted.folder.rglob("*.partial"))


def test_gated_repositories_need_a_token_which_only_the_hub_sees(accepted, tiny, hub, monkeypatch):
    hub.token, hub.redirect = "hf_secret", True
    error = fails("WT-MODEL-GATED", accepted, tiny, endpoint=hub.endpoint)
    assert "HF_TOKEN" in error.fix
    fails("WT-MODEL-GATED", accepted, tiny, endpoint=hub.endpoint, token="hf_wrong")
    path = download(accepted, tiny, endpoint=hub.endpoint, token="hf_secret")
    assert path.read_bytes() == hub.content
    to_cdn = [headers for _, request_path, headers in hub.requests if request_path.startswith("/cdn/")]
    assert to_cdn
    assert not any("Authorization" in headers for headers in to_cdn)


def test_a_token_without_access_is_told(accepted, tiny, hub):
    hub.status, hub.error_code = 403, "GatedRepo"
    assert "no access" in fails("WT-MODEL-GATED", accepted, tiny, endpoint=hub.endpoint, token="hf_x").message


@pytest.mark.parametrize("code", ["RepoNotFound", "EntryNotFound", "RevisionNotFound"])
def test_what_does_not_exist_is_told(accepted, tiny, hub, code):
    hub.status, hub.error_code = 404, code
    assert tiny.repo in fails("WT-MODEL-NOT-FOUND", accepted, tiny, endpoint=hub.endpoint).message


def test_a_server_error_is_told(accepted, tiny, hub):
    hub.status = 500
    assert "500" in fails("WT-NET-SERVER", accepted, tiny, endpoint=hub.endpoint).message


def test_a_login_page_is_not_a_hub(accepted, tiny, hub):
    hub.is_hub = False
    fails("WT-NET-SERVER", accepted, tiny, endpoint=hub.endpoint)


def test_an_unreachable_hub_is_told(accepted, tiny, hub):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
    error = fails("WT-NET-UNREACHABLE", accepted, tiny, endpoint=endpoint)
    assert "convert tiny --from" in error.fix


def test_the_mirror_of_the_environment_is_used(accepted, tiny, hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint + "/")
    assert download(accepted, tiny).read_bytes() == hub.content


def test_the_proxy_of_the_environment_is_used(accepted, tiny, hub, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", hub.endpoint)  # the fake hub answers a proxy's requests too
    assert download(accepted, tiny, endpoint="http://hub.invalid").read_bytes() == hub.content
    assert all(path.startswith("http://hub.invalid/") for _, path, _ in hub.requests)


def test_offline_mode_is_respected(accepted, tiny, hub, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    fails("WT-NET-OFFLINE", accepted, tiny, endpoint=hub.endpoint)
    assert not hub.requests


def test_too_little_space_is_told_before_the_download(accepted, tiny, hub, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(downloading.shutil, "disk_usage", lambda _: usage)
    fails("WT-IO-FULL", accepted, tiny, endpoint=hub.endpoint)
    assert not hub.gets()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")  # noqa: PTH110
def test_a_disk_that_fills_up_on_the_way_is_told(accepted, tiny, hub):
    path = accepted.download_path(tiny)
    path.parent.mkdir(parents=True)
    path.with_name(f"model.pt.{hub.etag[:16]}.partial").symlink_to("/dev/full")
    fails("WT-IO-FULL", accepted, tiny, endpoint=hub.endpoint)


def test_two_downloads_of_one_file_do_not_mix(accepted, tiny, hub):
    def second(stage, k, n):
        fails("WT-MODEL-BUSY", accepted, tiny, endpoint=hub.endpoint)

    assert download(accepted, tiny, second, hub.endpoint).read_bytes() == hub.content


def test_without_the_hub_library_the_error_says_what_to_install(accepted, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "worldtracing[hub]" in fails("WT-ENV-PACKAGE", accepted, tiny).fix


def test_speed_forgets_what_was_long_ago(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(downloading.time, "monotonic", lambda: now[0])
    speed = Speed()
    for rate in (8e6, 1e6):
        for _ in range(60):
            now[0] += 0.5
            speed.add(int(rate / 2))
    assert str(speed) in ("1.0 MB/s", "1.1 MB/s")
