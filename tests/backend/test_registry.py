import sys

import pytest

from worldtracing.engines.base import ENGINES
from worldtracing.errors import WorldTracingError
from worldtracing.registry import Registry


@pytest.fixture
def plugin_package(tmp_path, monkeypatch):
    """An installed distribution that declares engines, of which one does not import and one wants to quit."""
    (tmp_path / "my_engines.py").write_text("class Mine: pass\n")
    (tmp_path / "broken_engine.py").write_text("import a_package_that_is_not_there\n")
    (tmp_path / "quitting_engine.py").write_text("raise SystemExit('no license')\n")
    info = tmp_path / "my_engines-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-engines\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[test.engines]\nmine = my_engines:Mine\nbroken = broken_engine:Broken\nquits = quitting_engine:Quits\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("my_engines", None)


def test_builtin_and_third_party_plugins_are_found(plugin_package):
    registry = Registry("engine", "test.engines", {"camera": ".camera:Camera"})
    assert registry.names() == ["camera", "broken", "mine", "quits"]
    assert registry.load("camera").__name__ == "Camera"
    assert registry.load("mine").__name__ == "Mine"


@pytest.mark.parametrize(("name", "said"), [("broken", "a_package_that_is_not_there"), ("quits", "no license")])
def test_a_plugin_that_does_not_import_is_named(plugin_package, name, said):
    registry = Registry("engine", "test.engines", {})
    with pytest.raises(WorldTracingError, match=said) as caught:
        registry.load(name)
    assert caught.value.code == "WT-MODEL-BROKEN"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(WorldTracingError, match="silhouette") as caught:
        ENGINES.load("no-such-engine")
    assert caught.value.code == "WT-MODEL-UNKNOWN"
