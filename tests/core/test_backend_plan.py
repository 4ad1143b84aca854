"""Which PyTorch suits which machine, and what pip is told."""

import subprocess
from pathlib import Path

import pytest
from world_tracing.backend.worldtracing.errors import WorldTracingError
from world_tracing.worldtracing_addon.core import backend_pins
from world_tracing.worldtracing_addon.core.backend_plan import (
    CPU,
    SIZES_GB,
    Gpu,
    Source,
    choose_build,
    find_gpus,
    index_arguments,
    make_plan,
)
from world_tracing.worldtracing_addon.core.platforms import Platform

LINUX, WINDOWS, MAC = Platform("linux", "x64"), Platform("windows", "x64"), Platform("macos", "arm64")
PYTHON = Path("/python")


def gpu(driver, capability=8.9, memory=8188):
    return Gpu("Card", f"{driver}.10", capability, memory)


@pytest.mark.parametrize(
    ("cards", "build"),
    [
        ([], "cpu"),
        ([gpu(580)], "cu130"),
        ([gpu(595, 12.0)], "cu130"),
        ([gpu(579)], "cu126"),
        ([gpu(590, 6.1)], "cu126"),
        ([gpu(550, None)], "cu126"),
        ([gpu(570, 12.0)], "cpu"),
        ([gpu(470, 8.6)], "cpu"),
        ([gpu(590, 3.5)], "cpu"),
        ([gpu(590, 3.5, 1000), gpu(590, 8.9, 8000)], "cu130"),
    ],
)
@pytest.mark.parametrize("platform", [LINUX, WINDOWS])
def test_the_build_follows_from_driver_and_capability(platform, cards, build):
    found, reason = choose_build(platform, cards)
    assert found.name == build
    assert "No NVIDIA" in reason if not cards else "Card" in reason
    assert (platform.system, build) in SIZES_GB


def test_macs_use_their_own_gpu_and_some_machines_have_no_pytorch():
    assert choose_build(MAC, [])[0].name == "mps"
    for platform in (Platform("macos", "x64"), Platform("windows", "arm64")):
        with pytest.raises(WorldTracingError, match="WT-ENV-PLATFORM"):
            choose_build(platform, [])


@pytest.mark.parametrize(
    ("platform", "wanted", "torch", "index"),
    [
        (LINUX, "cu130", "", False),
        (LINUX, "cpu", "+cpu", True),
        (LINUX, "cu126", "+cu126", True),
        (WINDOWS, "cpu", "", False),
        (WINDOWS, "cu130", "+cu130", True),
        (MAC, "mps", "", False),
    ],
)
def test_only_builds_that_the_general_index_lacks_need_pytorch_s_own(platform, wanted, torch, index):
    plan = make_plan(PYTHON, (3, 11), Source(), [], wanted, platform)
    assert plan.requirements[0] == f"torch=={backend_pins.TORCH}{torch}"
    arguments = index_arguments(plan)
    assert arguments == (["--extra-index-url", f"https://download.pytorch.org/whl/{wanted}"] if index else [])
    assert plan.needs_network and plan.disk_gb > plan.download_gb > 0


def test_mirrors_and_a_folder():
    plan = make_plan(PYTHON, (3, 13), Source("https://mirror/simple", "https://mirror/torch/"), [], "cu126", LINUX)
    assert index_arguments(plan) == [
        *("--index-url", "https://mirror/simple"),
        *("--extra-index-url", "https://mirror/torch/cu126"),
    ]
    plan = make_plan(PYTHON, (3, 13), Source("https://mirror/simple", wheels=Path("/w")), [gpu(580)], "", LINUX)
    assert index_arguments(plan) == ["--no-index", "--find-links", "/w"]
    assert not plan.needs_network and plan.download_gb == 0


@pytest.mark.parametrize("version", [(3, 10), (3, 15)])
def test_pythons_without_packages(version):
    with pytest.raises(WorldTracingError, match="WT-ENV-PYTHON") as caught:
        make_plan(PYTHON, version, Source(), [], "", LINUX)
    assert "3.11 to 3.14" in caught.value.message


def smi(*answers):
    """Stands in for `subprocess.run`; an answer is the output, a return code or an exception."""
    remaining = list(answers)

    def run(command, **options):
        assert command[2] == "--format=csv,noheader,nounits" and options["timeout"]
        assert options["encoding"] == "utf-8" and options["errors"] == "replace", "not by the system's code page"
        answer = remaining.pop(0)
        if isinstance(answer, Exception):
            raise answer
        code = answer if isinstance(answer, int) else 0
        return subprocess.CompletedProcess(command, code, answer if code == 0 else "", "")

    return run


def test_what_the_driver_tells():
    line = "NVIDIA GeForce RTX 4090, 580.65.06, 24564, 8.9\n"
    (found,) = find_gpus(LINUX, {}, smi(line))
    assert found == Gpu("NVIDIA GeForce RTX 4090", "580.65.06", 8.9, 24564)
    assert str(found) == "NVIDIA GeForce RTX 4090 (24 GB, driver 580.65.06)"
    (old,) = find_gpus(LINUX, {}, smi(2, "Quadro K2000, 470.1, 2000\n"))
    assert old.capability is None
    assert find_gpus(LINUX, {}, smi("No devices were found\n")) == []
    (later,) = find_gpus(WINDOWS, {}, smi(FileNotFoundError(), line))
    assert later.memory_mb == 24564
    assert find_gpus(LINUX, {}, smi(subprocess.TimeoutExpired("x", 1), FileNotFoundError())) == []
    assert find_gpus(MAC, {}, smi()) == []


def test_every_package_is_pinned_once():
    pins = [backend_pins.PIP, *backend_pins.DIRECT, *backend_pins.INDIRECT]
    names = [pin.split("==")[0].lower() for pin in pins]
    assert all(pin.count("==") == 1 for pin in pins) and len(set(names)) == len(names)
    assert CPU.name == "cpu" and len(backend_pins.digest()) == 16
