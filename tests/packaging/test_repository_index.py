"""The static repository of `make repository`: every zip is in its index, whole, and reachable from where it lies."""

import hashlib
import json
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "dist" / "repository"
MANIFEST = tomllib.loads((ROOT / "blender_manifest.toml").read_text())


@pytest.fixture
def packages():
    if not (FOLDER / "index.json").is_file():
        pytest.fail("dist/repository is not built; run make repository.")
    index = json.loads((FOLDER / "index.json").read_text())
    assert index["version"] == "v1"
    return index["data"]


def test_every_platform_has_its_zip_with_size_and_hash(packages):
    assert sorted(platform for package in packages for platform in package["platforms"]) == sorted(
        MANIFEST["platforms"]
    )
    for package in packages:
        path = FOLDER / package["archive_url"]  # relative, so that the folder works at any address
        content = path.read_bytes()
        assert package["archive_size"] == len(content)
        assert package["archive_hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_blender_is_told_what_the_manifest_says(packages):
    for package in packages:
        for key in ("id", "version", "license", "permissions", "blender_version_min", "tags"):
            assert package[key] == MANIFEST[key], key


def test_the_page_links_every_zip(packages):
    page = (FOLDER / "index.html").read_text()
    assert all(package["archive_url"] in page for package in packages)
