"""What Blender's own validation lets pass: versions, licence, platforms, wheels, and what the zips hold."""

import re
import tomllib
import zipfile
from pathlib import Path

import pytest

import worldtracing

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
PLATFORM_OF_WHEEL = {
    "win_amd64": "windows-x64",
    "win_arm64": "windows-arm64",
    "macosx_10_12_x86_64": "macos-x64",
    "macosx_11_0_arm64": "macos-arm64",
    "manylinux_2_17_x86_64.manylinux2014_x86_64": "linux-x64",
}
KNOWN_KEYS = {
    *("schema_version", "id", "version", "name", "tagline", "maintainer", "type", "license", "copyright", "tags"),
    *("blender_version_min", "platforms", "wheels", "permissions", "build"),
}


def wheel_parts(path: str) -> list[str]:
    return Path(path).name.removesuffix(".whl").split("-")


def test_the_version_is_the_same_everywhere():
    assert MANIFEST["version"] == worldtracing.__version__
    backend = tomllib.loads((ROOT / "backend/pyproject.toml").read_text())
    assert backend["project"]["dynamic"] == ["version"], "the package takes it from version.py"
    changes = re.findall(r"(?m)^## (\d+\.\d+\.\d+)\b", (ROOT / "CHANGELOG.md").read_text())
    assert changes[0] == MANIFEST["version"]


def test_permissions_have_reasons_that_a_dialog_can_show():
    assert set(MANIFEST["permissions"]) == {"files", "network", "clipboard"}
    for reason in MANIFEST["permissions"].values():
        assert 0 < len(reason) <= 64 and reason[-1].isalnum()


def test_keys_license_and_name_are_what_blender_knows():
    assert set(MANIFEST) == KNOWN_KEYS
    assert MANIFEST["license"] == ["SPDX:GPL-3.0-or-later"]
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text()[:200]
    assert "blender" not in MANIFEST["name"].lower()


def test_every_platform_has_one_stable_abi_wheel():
    platforms = [PLATFORM_OF_WHEEL[wheel_parts(wheel)[-1]] for wheel in MANIFEST["wheels"]]
    assert sorted(platforms) == sorted(MANIFEST["platforms"])
    for wheel in MANIFEST["wheels"]:
        assert wheel_parts(wheel)[3] == "abi3", wheel


def test_wheels_are_pinned_by_hash():
    requirements = (ROOT / "wheels/requirements.txt").read_text()
    for name, version in {tuple(wheel_parts(wheel)[:2]) for wheel in MANIFEST["wheels"]}:
        assert f"{name}=={version}" in requirements
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", requirements)) == len(MANIFEST["wheels"])


@pytest.mark.parametrize("platform", MANIFEST["platforms"])
def test_the_zip_holds_the_add_on_the_backend_and_its_one_wheel(platform):
    path = ROOT / "dist" / f"{MANIFEST['id']}-{MANIFEST['version']}-{platform.replace('-', '_')}.zip"
    if not path.is_file():
        pytest.fail(f"{path.name} is not built; run make extension.")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    assert {"__init__.py", "blender_manifest.toml", "LICENSE"} <= names
    assert {"worldtracing_addon/registration.py", "backend/worldtracing/world.py"} <= names
    assert len([name for name in names if name.endswith(".whl")]) == 1
    folders = {name.split("/")[0] for name in names if "/" in name}
    assert folders == {"worldtracing_addon", "backend", "wheels"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
