"""A folder of wheels from which Set Up Backend works without any network: `python tools/offline_bundle.py --help`.

The folder holds every package by its pinned version, and requirements.txt with their checksums, which the set-up
checks. Builds for another system are fetched without asking pip for their dependencies, as pip would name those of the
system that it runs on.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from checkout import load_extension

load_extension()

from world_tracing.worldtracing_addon.core.backend_pins import DIRECT, INDIRECT  # noqa: E402
from world_tracing.worldtracing_addon.core.backend_plan import (  # noqa: E402
    BUILDS,
    SIZES_GB,
    TORCH_INDEX,
    BackendPlan,
    Source,
    index_arguments,
    torch_requirement,
)
from world_tracing.worldtracing_addon.core.platforms import Platform, this_platform  # noqa: E402

TAGS = {
    "linux-x64": [f"manylinux_2_{glibc}_x86_64" for glibc in (28, 27, 24, 17, 12, 5)] + ["manylinux2014_x86_64"],
    "windows-x64": ["win_amd64"],
    "macos-arm64": ["macosx_14_0_arm64"],
}
"""pip's names of each platform, the newest first; pip takes each literally on Linux."""

ONLY_WINDOWS = ("colorama",)


def main() -> int:
    options = _options()
    platform = Platform(*options.platform.split("-"))
    build = options.build or ("mps" if platform.system == "macos" else "cpu")
    if (platform.system, build) not in SIZES_GB:
        raise SystemExit(f"There is no build {build} of PyTorch for {platform.name}.")
    if build.startswith("cu") and platform.system == "linux" and this_platform().system != "linux":
        raise SystemExit("The CUDA libraries for Linux can only be listed on Linux: make this bundle there.")
    folder = options.out or Path("build") / f"offline-{platform.name}-py{options.python}-{build}"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    command = download_command(platform, options.python, build, folder, Source(options.index, options.torch_index))
    print(" ".join(command), flush=True)
    if code := subprocess.run(command).returncode:
        return code
    wheels = write_lock(folder, f"World Tracing backend: {platform.name}, Python {options.python}, PyTorch {build}")
    size = sum(wheel.stat().st_size for wheel in wheels) / 1e9
    print(f"{folder}: {len(wheels)} wheels, {size:.2f} GB. Choose it in the preferences, Folder of Wheels.")
    return 0


def download_command(platform: Platform, python: str, build: str, folder: Path, source: Source) -> list[str]:
    """pip's command that fetches all wheels for a platform, a Python ("3.11") and a build into a folder."""
    requirements = (torch_requirement(platform, BUILDS[build]), *DIRECT, *_indirect(platform))
    plan = BackendPlan(Path(sys.executable), BUILDS[build], requirements, source=source)
    target = [part for tag in TAGS[platform.name] for part in ("--platform", tag)]
    alone = [] if platform.system == this_platform().system else ["--no-deps"]
    return [
        *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--dest", str(folder)),
        *("--only-binary=:all:", "--implementation", "cp", "--python-version", python),
        *(*target, *alone, *index_arguments(plan), *requirements),
    ]


def write_lock(folder: Path, title: str) -> list[Path]:
    """Write requirements.txt with the name, version and checksum of every wheel in the folder; the wheels."""
    wheels = sorted(folder.glob("*.whl"))
    lines = [f"# {title}"]
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        lines.append(f"{name}=={version} --hash=sha256:{_sha256(wheel)}")
    (folder / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return wheels


def _indirect(platform: Platform) -> list[str]:
    return [pin for pin in INDIRECT if platform.system == "windows" or pin.split("==")[0] not in ONLY_WINDOWS]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", choices=TAGS, default=this_platform().name)
    parser.add_argument("--python", default="3.11", help="Blender's: 3.11 up to Blender 5.0, 3.13 from 5.1 on")
    parser.add_argument("--build", choices=BUILDS, help="of PyTorch (default: cpu, on Macs mps)")
    parser.add_argument("--out", type=Path, help="the folder (default: build/offline-PLATFORM-pyPYTHON-BUILD)")
    parser.add_argument("--index", default="", help="package index (default: pip's own)")
    parser.add_argument("--torch-index", default=TORCH_INDEX, help="default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
