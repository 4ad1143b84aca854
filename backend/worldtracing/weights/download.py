"""Checkpoints from the Hugging Face Hub, resumable across calls.

The hub library's own `hf_hub_download` throws an unfinished file away when it is interrupted, and reports every 10 MB.
So its parts are used here: it resolves names, signs requests, follows redirects (to a file server that does not get
the token), goes through the proxies of the environment and tells failures apart; writing and resuming is ours.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import WorldTracingError
from ..extras import need
from ..files import write_atomically, write_error
from ..progress import OnProgress, silent
from .catalogue import ReleasedModel
from .download_errors import incomplete, is_transient, not_a_hub, translate
from .store import WeightStore, download_record
from .tensorfile import file_sha256

REPORT_SECONDS = 0.1  # between progress reports while data flow; a cancel is honoured at one
ATTEMPTS = 5  # in a row without a new byte
RETRY_SECONDS = 1.0
MEGABYTE = 10**6


def download(
    store: WeightStore,
    model: ReleasedModel,
    on_progress: OnProgress = silent,
    endpoint: str | None = None,
    token: str | None = None,
    revision: str = "main",
) -> Path:
    """The checkpoint of a model in the weights folder, downloaded if it is not there.

    Args:
        store: where to; the model's licence must have been accepted in it.
        model: from the catalogue.
        on_progress: gets "Downloading r75b, 35.2 MB/s", MB done and MB in all. What it raises stops the download,
            which the next call resumes.
        endpoint: a mirror of the hub; by default the one of the environment variable HF_ENDPOINT, else the hub.
        token: for gated repositories; by default the one of HF_TOKEN or of `hf auth login`.
        revision: branch, tag or commit of the repository.

    Raises:
        WorldTracingError: WT-MODEL-LICENCE, WT-MODEL-GATED, WT-MODEL-NOT-FOUND, WT-MODEL-CHECKSUM, WT-MODEL-BUSY,
            WT-NET-OFFLINE, WT-NET-UNREACHABLE, WT-NET-PROXY, WT-NET-SERVER, WT-NET-LOST, WT-IO-FULL, WT-IO-WRITE,
            WT-ENV-PACKAGE. A file that was complete before stays.
    """
    store.require_licence(model)
    return download_file(model, store.download_path(model), on_progress, endpoint, token, revision)


def download_file(
    model: ReleasedModel,
    target: Path,
    on_progress: OnProgress = silent,
    endpoint: str | None = None,
    token: str | None = None,
    revision: str = "main",
) -> Path:
    """`model.file` of its repository as `target`, downloaded if it is not there; but for the license as `download`."""
    if target.is_file() and download_record(target).is_file():
        return target
    hub = need("huggingface_hub", "hub", "download weights")
    endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or hub.constants.ENDPOINT).rstrip("/")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target):
            return _download(hub, model, target, on_progress, endpoint, token, revision)
    except OSError as error:
        # The hub's and the network's errors are often OSErrors too; a failure of the disk has none of their names.
        raise translate(error, model, endpoint, token) or write_error(target, error) from error
    except Exception as error:
        known = translate(error, model, endpoint, token)
        if known is None:
            raise
        raise known from error


def _download(
    hub: Any,
    model: ReleasedModel,
    target: Path,
    on_progress: OnProgress,
    endpoint: str,
    token: str | None,
    revision: str,
) -> Path:
    stage = f"Downloading {model.name}"
    on_progress(stage, 0, 0)
    url = hub.hf_hub_url(model.repo, model.file, revision=revision, endpoint=endpoint)
    metadata = hub.get_hf_file_metadata(url, token=token, endpoint=endpoint)
    if not (metadata.commit_hash and metadata.etag and metadata.size):
        raise not_a_hub(endpoint)
    partial = target.with_name(f"{target.name}.{_safe(metadata.etag)[:16]}.partial")  # another file has another name
    done = partial.stat().st_size if partial.exists() else 0
    _check_space(target, metadata.size - done)
    url = hub.hf_hub_url(model.repo, model.file, revision=metadata.commit_hash, endpoint=endpoint)
    with partial.open("ab") as file:
        _fetch(hub, url, token, file, metadata.size, stage, on_progress)
    sha256 = _check_sum(partial, metadata.etag, model, on_progress)
    partial.replace(target)
    record = {"repo": model.repo, "file": model.file, "commit": metadata.commit_hash, "sha256": sha256}
    write_atomically(download_record(target), json.dumps({**record, "size": metadata.size}, indent=1).encode())
    return target


def _fetch(
    hub: Any, url: str, token: str | None, file: BinaryIO, size: int, stage: str, on_progress: OnProgress
) -> None:
    """Append what is missing to a file, trying again as long as some bytes arrive."""
    failures = 0
    while (done := file.tell()) < size:
        try:
            _stream(hub, url, token, file, size, stage, on_progress)
        except Exception as error:
            if not is_transient(error):
                raise
            failures = 1 if file.tell() > done else failures + 1
            if failures == ATTEMPTS:
                raise incomplete(file.tell(), size, error) from error
            on_progress(f"{stage}, connection lost, trying again", file.tell() // MEGABYTE, size // MEGABYTE)
            time.sleep(RETRY_SECONDS)


def _stream(
    hub: Any, url: str, token: str | None, file: BinaryIO, size: int, stage: str, on_progress: OnProgress
) -> None:
    done = file.tell()
    headers = hub.utils.build_hf_headers(token=token) | {"Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    speed = Speed()
    with hub.utils.http_stream_backoff(
        "GET",
        url,
        headers=headers,
        timeout=hub.constants.HF_HUB_DOWNLOAD_TIMEOUT,
        retry_on_exceptions=(),  # retried by the caller, which can resume and report
        retry_on_status_codes=(),
    ) as response:
        hub.utils.hf_raise_for_status(response)
        if done and response.status_code != 206:  # the server sends everything
            file.truncate(0)
            file.seek(0)
        next_report = time.monotonic()
        for chunk in response.iter_bytes():
            if time.monotonic() >= next_report:
                on_progress(f"{stage}, {speed}", file.tell() // MEGABYTE, size // MEGABYTE)
                next_report = time.monotonic() + REPORT_SECONDS
            file.write(chunk)
            speed.add(len(chunk))
    if file.tell() < size:
        raise ConnectionError("the server closed the connection early")
    if file.tell() > size:
        file.truncate(0)
        file.seek(0)
        raise ConnectionError("the server sent more than the file's size")


class Speed:
    """Bytes per second over about the last five seconds."""

    MEMORY_SECONDS = 5.0

    def __init__(self) -> None:
        self._bytes, self._start = 0.0, time.monotonic()

    def add(self, count: int) -> None:
        now = time.monotonic()
        excess = now - self._start - self.MEMORY_SECONDS
        if excess > 0:  # forget the oldest at the average rate
            self._bytes *= 1 - excess / (now - self._start)
            self._start += excess
        self._bytes += count

    def __str__(self) -> str:
        return f"{self._bytes / max(time.monotonic() - self._start, 1e-3) / MEGABYTE:.1f} MB/s"


def _check_space(target: Path, needed: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise WorldTracingError(
            "WT-IO-FULL",
            f"The download needs {needed / 1e9:.1f} GB more, and {target.parent} has {free / 1e9:.1f} GB free.",
            "Free some space or choose another weights folder.",
        )


def _check_sum(partial: Path, etag: str, model: ReleasedModel, on_progress: OnProgress) -> str:
    """The file's SHA-256. For large files the hub's etag is that too, and a file that differs is deleted."""
    sha256 = file_sha256(partial, f"Verifying {model.name}", on_progress)
    if len(etag) == 64 and sha256 != etag:
        partial.unlink()
        raise WorldTracingError(
            "WT-MODEL-CHECKSUM",
            f"The download of {model.name} arrived damaged: its checksum is not the hub's.",
            "Download it again; if it happens twice, use another network or mirror.",
        )
    return sha256


def _safe(text: str) -> str:
    return "".join(c for c in text if c.isalnum())


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    """One process at a time writes a download; filelock comes with the hub library."""
    filelock = need("filelock", "hub", "download weights")
    lock = filelock.FileLock(target.with_name(f"{target.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise WorldTracingError(
            "WT-MODEL-BUSY",
            f"Another process is downloading to {target}.",
            "Wait for it to finish or stop it.",
        ) from error
    try:
        yield
    finally:
        lock.release()
