"""Blender installs the extension from a repository on localhost, then updates it: run by test_repository.py.

    python repository_client.py FIRST SECOND      folders with zips; each becomes the repository in turn

Prints one JSON object: the versions that were installed, and whether Blender had the extension enabled each time.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import bpy

REPOSITORY, PACKAGE = "self_hosted", "world_tracing"
MODULE = f"bl_ext.{REPOSITORY}.{PACKAGE}"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def publish(zips: Path, folder: Path) -> None:
    """Make `folder` the repository of `zips`, with the command that `make repository` uses."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(zips, folder)
    command = Path(bpy.utils.system_resource("SCRIPTS")) / "addons_core/bl_pkg/cli/blender_ext.py"
    subprocess.run([sys.executable, command, "server-generate", "--repo-dir", folder, "--html"], check=True)


def installed(repository) -> dict:
    import addon_utils  # which bpy puts on the path

    manifest = Path(repository.directory) / PACKAGE / "blender_manifest.toml"
    return {
        "version": tomllib.loads(manifest.read_text())["version"],
        "enabled": addon_utils.check(MODULE) == (True, True),
        "button": hasattr(bpy.types, "WT_OT_trace_world"),
    }


def main(first: Path, second: Path) -> None:
    folder = Path(tempfile.mkdtemp()) / "repository"
    publish(first, folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    preferences = bpy.context.preferences
    preferences.system.use_online_access = True
    repository = preferences.extensions.repos.new(
        name="Self-Hosted",
        module=REPOSITORY,
        remote_url=f"http://127.0.0.1:{server.server_port}/index.json",
    )
    index = preferences.extensions.repos.find(repository.name)
    bpy.ops.extensions.repo_sync(repo_index=index)
    bpy.ops.extensions.package_install(repo_index=index, pkg_id=PACKAGE, enable_on_install=True)
    states = [installed(repository)]
    publish(second, folder)
    bpy.ops.extensions.repo_sync(repo_index=index)
    bpy.ops.extensions.package_upgrade_all()
    states.append(installed(repository))
    server.shutdown()
    print("STATES", json.dumps(states), flush=True)
    os._exit(0)  # 4.2 as a module, and only that, crashes when Python ends after the update


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
