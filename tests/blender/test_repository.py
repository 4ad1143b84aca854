"""Blender installs the extension from our static repository, and updates it from there."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

CLIENT = Path(__file__).resolve().parents[1] / "support" / "repository_client.py"
UPDATE = "99.0.0"


def newer(extension_zip: Path, path: Path) -> None:
    """The same extension with the version `UPDATE`."""
    with zipfile.ZipFile(extension_zip) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "blender_manifest.toml":
                content = re.sub(rb'(?m)^version = ".*"$', f'version = "{UPDATE}"'.encode(), content)
            target.writestr(name, content)


def test_blender_installs_and_updates_from_a_repository(extension_zip, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(), second.mkdir()
    (first / extension_zip.name).write_bytes(extension_zip.read_bytes())
    newer(extension_zip, second / f"world_tracing-{UPDATE}.zip")
    environment = os.environ | {"BLENDER_USER_RESOURCES": str(tmp_path / "profile")}
    command = [sys.executable, CLIENT, first, second]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    states = json.loads(re.search(r"^STATES (.*)$", done.stdout, re.MULTILINE)[1])
    assert all(state["enabled"] and state["button"] for state in states), states
    assert states[0]["version"] in extension_zip.name and states[1]["version"] == UPDATE
