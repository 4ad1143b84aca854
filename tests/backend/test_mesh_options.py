"""The options that generators declare: what they may be, where they come from, and how long all checks may take."""

import json
import threading
import time

import pytest
from fake_comfyui import FakeComfyUI
from fake_server import serving
from hypothesis import given
from hypothesis import strategies as st
from worker_help import Process

from worldtracing.errors import WorldTracingError
from worldtracing.meshing import making
from worldtracing.meshing.base import COMMON, GENERATORS, GeneratorInfo, Health, MeshOptions, create_generator
from worldtracing.meshing.options import TYPES, GeneratorOption, environment_name, read_settings
from worldtracing.worker import protocol

OPTIONS = (
    GeneratorOption("python", "Python", "file", "", "Its Python.", machine=True),
    GeneratorOption("timeout", "Waiting Time", "number", 10.0, "Seconds.", low=1, high=60),
    GeneratorOption("size", "Size", "choice", 3, "Its size.", choices=((3, "Small"), (7, "Large"))),
    GeneratorOption("steps", "Steps", "whole", 12, "Its steps.", low=1),
    GeneratorOption("download", "May Download", "flag", False, "Whether it may."),
)


def read(**extra):
    return read_settings("my-gen", OPTIONS, extra)


def test_what_is_given_goes_before_the_environment_and_that_before_the_default(monkeypatch):
    for name, said in {"PYTHON": "/env/python", "DOWNLOAD": "true", "SIZE": "7", "STEPS": "4"}.items():
        monkeypatch.setenv(f"WORLDTRACING_MY_GEN_{name}", said)
    wanted = {"python": "/env/python", "timeout": 5.0, "size": 7, "steps": 4, "download": True}
    assert read(timeout=5) == wanted and type(read(timeout=5)["timeout"]) is float
    assert read(python="/mine", size=3, steps=1, download=False)["size"] == 3
    other = read_settings("my-gen-again", OPTIONS, {}, owner="my-gen")
    assert other["python"] == "/env/python"


@pytest.mark.parametrize(
    ("extra", "fix"),
    [
        ({"pyton": "x"}, "Its options are python, timeout, size, steps, download."),
        ({"steps": "many"}, "Give a whole number from 1."),
        ({"steps": True}, "Give a whole number from 1."),
        ({"steps": 0}, "Give a whole number from 1."),
        ({"timeout": None}, "Give a number from 1 to 60."),
        ({"timeout": 61}, "Give a number from 1 to 60."),
        ({"timeout": float("nan")}, "Give a number from 1 to 60."),
        ({"size": "3"}, "Give one of 3, 7."),
        ({"size": 4}, "Give one of 3, 7."),
        ({"python": 3}, "Give a text."),
        ({"download": "yes"}, "Give true or false."),
    ],
)
def test_nonsense_is_refused_in_one_sentence(extra, fix):
    with pytest.raises(WorldTracingError) as caught:
        read(**extra)
    error = caught.value
    assert error.code == "WT-MESH-OPTION" and error.fix == fix
    assert next(iter(extra)) in error.message and error.message.count(".") - str(extra).count(".") == 1


def test_nonsense_in_the_environment_is_refused_as_well(monkeypatch):
    monkeypatch.setenv("WORLDTRACING_MY_GEN_STEPS", "twelve")
    with pytest.raises(WorldTracingError, match="WT-MESH-OPTION"):
        read()


@given(st.sampled_from(OPTIONS), st.text() | st.integers() | st.floats() | st.none() | st.booleans())
def test_a_value_fits_or_is_refused(option, value):
    try:
        checked = option.check(value)
    except ValueError:
        return
    assert isinstance(checked, TYPES[option.kind]) and checked == value


@pytest.mark.parametrize(
    "changes",
    [{"kind": "color"}, {"name": "two words"}, {"default": "three"}, {"choices": ((1, "One"),)}, {"kind": "choice"}],
)
def test_an_option_that_cannot_work_is_refused_where_it_is_declared(changes):
    with pytest.raises(ValueError):
        GeneratorOption(
            **{"name": "steps", "label": "Steps", "kind": "whole", "default": 3, "description": "."} | changes
        )


@pytest.mark.parametrize("name", GENERATORS.names())
def test_every_generator_declares_its_options(name):
    info = create_generator(name).info
    names = [option.name for option in info.options]
    assert len(set(names)) == len(names) and set(info.heeds) <= set(COMMON)
    assert all(option.label and option.description.endswith(".") for option in info.options)
    assert all(option.machine for option in info.options if option.kind in ("file", "folder", "address"))
    if info.settings_of:
        shared = [option for option in info.options if option.machine]
        assert shared == [option for option in create_generator(info.settings_of).info.options if option.machine]
    with pytest.raises(WorldTracingError) as caught:
        info.settings({"no_such": 1})
    assert caught.value.code == "WT-MESH-OPTION"


def test_options_travel_as_json():
    info = create_generator("comfyui").info
    (entry,) = [entry for entry in making.generator_entries() if entry["name"] == "comfyui"]
    options = json.loads(json.dumps(entry))["options"]
    assert tuple(GeneratorOption(**option) for option in options) == info.options


def test_a_worker_checks_with_the_options_that_it_is_given():
    fake = FakeComfyUI()
    with serving(fake.routes) as (_, address), Process() as worker:
        request = protocol.generators_request("g", {"comfyui": {"address": address}, "trellis2": {"python": 3}})
        health = {entry["name"]: entry["health"] for entry in worker.ask(request)["generators"]}
        assert health["comfyui"]["ok"] and address in health["comfyui"]["message"]
        assert not health["trellis2"]["ok"] and "python 3" in health["trellis2"]["message"]
        wrong = worker.ask({"type": "generators", "id": "h", "options": {"comfyui": 3}})
        assert wrong["type"] == "error" and wrong["code"] == "WT-WORKER-REQUEST"


def test_no_check_keeps_the_others_waiting(monkeypatch):
    """All begin before one of them has ended, and one that never ends is not waited for."""
    names, release, together = ["a", "b", "hangs", "raises"], threading.Event(), threading.Barrier(4, timeout=60)

    def create(name):
        class Generator:
            info = GeneratorInfo(name, name, "For tests.")

            def check(self, extra):
                together.wait()
                if name == "raises":
                    raise RuntimeError("no driver")
                if name == "hangs":
                    release.wait(60)
                return Health(True, f"{name} {extra}")

        return Generator()

    monkeypatch.setattr(making, "create_generator", create)
    monkeypatch.setattr(making.GENERATORS, "names", lambda: names)
    monkeypatch.setattr(making, "CHECK_SECONDS", 3.0)
    before = threading.active_count()
    health = {entry["name"]: entry["health"] for entry in making.generator_entries({"a": {"x": 1}})}
    release.set()
    assert health["a"] == {"ok": True, "message": "a {'x': 1}", "fix": ""} and health["b"]["ok"]
    assert "longer than 3 seconds" in health["hangs"]["message"] and "no driver" in health["raises"]["message"]
    deadline = time.monotonic() + 60
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_a_plug_in_that_is_broken_does_not_hide_the_others(monkeypatch):
    class WithoutInfo:
        def check(self, extra):
            raise AssertionError

    class WithoutHealth:
        info = GeneratorInfo("without health", "", "For tests.")

        def check(self, extra):
            return None

    class Endless:
        info = GeneratorInfo("endless", "", "For tests.", memory_gib=float("inf"))

    def leaves():
        raise SystemExit("no licence")

    kinds = {"without info": WithoutInfo, "without health": WithoutHealth, "endless": Endless, "leaves": leaves}
    monkeypatch.setattr(making, "create_generator", lambda name: kinds[name]())
    monkeypatch.setattr(making.GENERATORS, "names", lambda: list(kinds))
    entries = {entry["name"]: entry for entry in making.generator_entries()}
    assert not entries["without health"]["health"]["ok"]
    assert {entries[name]["error"]["code"] for name in ("without info", "endless", "leaves")} == {"WT-MODEL-BROKEN"}
    assert "no licence" in entries["leaves"]["error"]["message"]


def test_a_server_that_answers_slowly_is_not_waited_for(monkeypatch):
    from worldtracing.meshing.adapters import comfyui

    monkeypatch.setattr(comfyui, "CHECK_SECONDS", 0.3)
    release = threading.Event()
    fake = FakeComfyUI()
    for path in ("/system_stats", "/object_info/CLIPVisionLoader", "/object_info/KSampler"):
        routes = fake.routes | {("GET", path): lambda path, body: (release.wait(60), b"")}
        with serving(routes) as (_, address):
            health = create_generator("comfyui").check({"address": address})
            release.set()
        release.clear()
        assert not health.ok and "0.3 seconds" in health.message


def test_the_built_in_generator_has_no_options_of_its_own():
    from mesh_help import ball_world

    with pytest.raises(WorldTracingError) as caught:
        create_generator("layers").generate(ball_world(16), None, MeshOptions(extra={"seed": 3}), lambda *_: None)
    assert caught.value.code == "WT-MESH-OPTION" and caught.value.fix == "It has none of its own."


def test_variables_are_named_after_the_generator():
    assert environment_name("trellis2-texture", "python") == "WORLDTRACING_TRELLIS2_TEXTURE_PYTHON"
