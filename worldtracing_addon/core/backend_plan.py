"""What Set Up Backend would install on this machine: the build of PyTorch, the packages, their sizes and sources."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...backend.worldtracing.errors import WorldTracingError
from .backend_pins import DIRECT, INDIRECT, PIP, TORCH
from .platforms import Platform, this_platform

TORCH_INDEX = "https://download.pytorch.org/whl"
PYTHONS = ((3, 11), (3, 14))
QUERY_SECONDS = 20.0


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU as its driver describes it; `capability` is None where an old driver does not tell."""

    name: str
    driver: str
    capability: float | None
    memory_mb: int

    @property
    def driver_branch(self) -> int:
        return int(self.driver.split(".")[0])

    def __str__(self) -> str:
        return f"{self.name} ({self.memory_mb / 1024:.0f} GB, driver {self.driver})"


@dataclass(frozen=True)
class TorchBuild:
    """One build of PyTorch.

    Attributes:
        name: its folder of the PyTorch index, and the version's local part.
        label: for people.
        driver: the oldest NVIDIA driver that it runs with.
        capabilities: least and greatest compute capability that it has code for.
    """

    name: str
    label: str
    driver: int = 0
    capabilities: tuple[float, float] = (0.0, 0.0)


CPU = TorchBuild("cpu", "for the processor")
MPS = TorchBuild("mps", "for Apple GPUs")
CUDA_BUILDS = (
    TorchBuild("cu130", "for NVIDIA GPUs, CUDA 13.0", 580, (7.5, 12.9)),
    TorchBuild("cu126", "for NVIDIA GPUs, CUDA 12.6", 525, (5.0, 9.9)),
)
"""The best first. 13.0 has dropped what is older than Turing, 12.6 knows no Blackwell."""

BUILDS = {build.name: build for build in (CPU, MPS, *CUDA_BUILDS)}

SIZES_GB = {
    ("linux", "cpu"): (0.4, 1.5),
    ("linux", "cu126"): (2.9, 7.7),
    ("linux", "cu130"): (2.9, 7.2),
    ("windows", "cpu"): (0.3, 1.2),
    ("windows", "cu126"): (2.9, 5.7),
    ("windows", "cu130"): (2.2, 4.7),
    ("macos", "mps"): (0.3, 1.1),
}
"""Download and disk. Linux cu130 and the three without CUDA follow from the packages' sizes, the rest is estimated.
Of these transformers, diffusers and what they need are 0.03 and 0.2."""


@dataclass(frozen=True)
class Source:
    """Where packages come from.

    Attributes:
        index: a package index; empty leaves it to pip, its configuration and its environment variables.
        torch_index: the folder that holds the PyTorch indices of each build, or a mirror of it.
        wheels: a folder of wheels; then nothing else is used, and no network.
    """

    index: str = ""
    torch_index: str = TORCH_INDEX
    wheels: Path | None = None

    @property
    def locked(self) -> Path | None:
        """The list with hashes that `make offline-bundle` puts beside its wheels."""
        path = self.wheels / "requirements.txt" if self.wheels else None
        return path if path is not None and path.is_file() else None


@dataclass(frozen=True)
class BackendPlan:
    """What a set-up will do.

    Attributes:
        python: the interpreter that the environment is made with.
        build: of PyTorch.
        requirements: what to install.
        constraints: versions of whatever else that needs.
        source: where it comes from.
        reason: why this build, a sentence.
        download_gb, disk_gb: about how much that is; 0 where it is not known.
        pip: the requirement of pip itself, installed first; empty keeps Python's own.
    """

    python: Path
    build: TorchBuild
    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    source: Source = Source()
    reason: str = ""
    download_gb: float = 0.0
    disk_gb: float = 0.0
    pip: str = PIP

    @property
    def needs_network(self) -> bool:
        return self.source.wheels is None


def make_plan(
    python: Path,
    version: tuple[int, int],
    source: Source,
    gpus: Sequence[Gpu],
    wanted: str = "",
    platform: Platform | None = None,
) -> BackendPlan:
    """The plan for a machine.

    Args:
        python: the interpreter to make the environment with.
        version: of that Python.
        source: of the packages.
        gpus: from `find_gpus`.
        wanted: name of a build, or empty for the one that suits.
        platform: this one without it.

    Raises:
        WorldTracingError: WT-ENV-PYTHON for a version without packages, WT-ENV-PLATFORM where PyTorch has no build.
    """
    platform = platform or this_platform()
    if not PYTHONS[0] <= version <= PYTHONS[1]:
        oldest, newest = (".".join(map(str, bound)) for bound in PYTHONS)
        raise WorldTracingError(
            "WT-ENV-PYTHON",
            f"{python} is Python {version[0]}.{version[1]}, and the backend's packages are for {oldest} to {newest}.",
            "Choose another Python for the set-up in the preferences, or clear the field to use Blender's own.",
        )
    build, reason = choose_build(platform, gpus)
    if wanted and wanted != build.name:
        build, reason = BUILDS[wanted], "As chosen in the preferences"
    download, disk = SIZES_GB.get((platform.system, build.name), (0.0, 0.0))
    return BackendPlan(
        python=python,
        build=build,
        requirements=(torch_requirement(platform, build), *DIRECT),
        constraints=INDIRECT,
        source=source,
        reason=reason,
        download_gb=0.0 if source.wheels else download,
        disk_gb=disk,
    )


def choose_build(platform: Platform, gpus: Sequence[Gpu]) -> tuple[TorchBuild, str]:
    """The build of PyTorch that suits a machine, and why, in a sentence.

    Raises:
        WorldTracingError: WT-ENV-PLATFORM.
    """
    if platform.name in ("macos-x64", "windows-arm64"):
        raise WorldTracingError(
            "WT-ENV-PLATFORM",
            f"There is no PyTorch {TORCH} for this computer ({platform.name}).",
            "The engines that need no PyTorch work; or point Backend Python at an environment of your own.",
        )
    if platform.system == "macos":
        return MPS, "The GPU of this Mac is used"
    reasons = []
    for gpu in sorted(gpus, key=lambda gpu: -gpu.memory_mb):
        for build in CUDA_BUILDS:
            least, greatest = build.capabilities
            known = gpu.capability is None or least <= gpu.capability <= greatest
            if gpu.driver_branch >= build.driver and known:
                return build, f"Found {gpu}"
        reasons.append(f"{gpu} needs a newer NVIDIA driver, {CUDA_BUILDS[0].driver} or later, to be used")
    return CPU, reasons[0] if reasons else "No NVIDIA GPU was found"


def torch_requirement(platform: Platform, build: TorchBuild) -> str:
    """The index that everybody has holds one build per system; the others have a local version."""
    general = {"linux": "cu130", "windows": "cpu", "macos": "mps"}[platform.system]
    return f"torch=={TORCH}" if build.name == general else f"torch=={TORCH}+{build.name}"


def index_arguments(plan: BackendPlan) -> list[str]:
    """pip's arguments for where packages come from."""
    source = plan.source
    if source.wheels is not None:
        return ["--no-index", "--find-links", str(source.wheels)]
    arguments = ["--index-url", source.index] if source.index else []
    if any("+" in requirement for requirement in plan.requirements):
        arguments += ["--extra-index-url", f"{source.torch_index.rstrip('/')}/{plan.build.name}"]
    return arguments


def find_gpus(
    platform: Platform | None = None,
    variables: Mapping[str, str] = os.environ,
    run: Callable[..., subprocess.CompletedProcess] = subprocess.run,
) -> list[Gpu]:
    """The NVIDIA GPUs that the driver's own program tells of; it may take seconds, so not on Blender's main thread."""
    platform = platform or this_platform()
    options = {"capture_output": True, "timeout": QUERY_SECONDS, **platform.process_options()}
    for program in platform.nvidia_smi_candidates(variables):
        for fields in ("name,driver_version,memory.total,compute_cap", "name,driver_version,memory.total"):
            command = [program, f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
            try:
                done = run(command, encoding="utf-8", errors="replace", **options)
            except (OSError, subprocess.TimeoutExpired):
                break
            if done.returncode == 0:  # older drivers know no compute_cap
                return [gpu for gpu in map(_gpu, done.stdout.splitlines()) if gpu is not None]
    return []


def _gpu(line: str) -> Gpu | None:
    parts = [part.strip() for part in line.split(",")]
    try:
        gpu = Gpu(parts[0], parts[1], float(parts[3]) if len(parts) > 3 else None, int(parts[2]))
        return gpu if gpu.driver_branch else None
    except (ValueError, IndexError):  # "[N/A]", or a sentence of the driver's
        return None
