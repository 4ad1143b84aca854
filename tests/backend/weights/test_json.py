"""`worldtracing weights … --json`: what the add-on reads of a download, of its failure and of an unfinished one."""

import json

import pytest

from worldtracing.cli import main

pytest.importorskip("huggingface_hub")


def messages(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_progress_and_errors_come_as_lines_of_json(hub, tiny, store, checkpoint, capsys):
    hub.serve(checkpoint.read_bytes())
    command = ["weights", "--folder", str(store.folder), "download", "tiny", "--json", "--endpoint", hub.endpoint]
    assert main(command) == 1
    (refused,) = messages(capsys)
    assert refused["error"]["code"] == "WT-MODEL-LICENCE" and refused["error"]["fix"]

    assert main([*command, "--accept-licence"]) == 0
    stages = [message["progress"] for message in messages(capsys)]
    assert any(stage.startswith("Downloading tiny") for stage, _, _ in stages)
    assert all(isinstance(k, int) and isinstance(n, int) for _, k, n in stages)
    assert store.find("tiny").is_file()

    assert main(["weights", "--folder", str(store.folder), "remove", "tiny", "--json"]) == 0
    assert messages(capsys) == []
