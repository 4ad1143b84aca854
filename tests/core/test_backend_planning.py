"""What Set Up Backend finds out about Python and this machine before it shows its plan."""

import sys
from pathlib import Path

import pytest
from world_tracing.worldtracing_addon.core.backend_plan import Source
from world_tracing.worldtracing_addon.core.backend_planning import Planning


def planned(*arguments):
    task = Planning(*arguments)
    task.start()
    return task.wait(60)


def test_the_plan_for_this_python(tmp_path, monkeypatch):
    monkeypatch.setenv("WT_TEST_PYTHON", sys.executable)
    state = planned(Source(wheels=tmp_path), Path("$WT_TEST_PYTHON"), "cpu")
    assert state.result.python == Path(sys.executable) and state.result.build.name == "cpu"
    assert planned(Source()).result.needs_network


@pytest.mark.skipif(sys.platform == "win32", reason="these are shell scripts")
def test_pythons_that_cannot_be_used(tmp_path):
    silent = tmp_path / "python"
    silent.write_text("#!/bin/sh\necho 'a library is missing'; exit 1\n")
    silent.chmod(0o755)
    narrow = tmp_path / "python32"
    narrow.write_text("#!/bin/sh\necho 'python 3 11 False'\n")
    narrow.chmod(0o755)
    old = tmp_path / "python2"
    old.write_text("#!/bin/sh\necho 'python 2 7 True'\n")
    old.chmod(0o755)
    for python, word in ((tmp_path / "no", "No such file"), (silent, "is missing"), (narrow, "32-bit"), (old, "2.7")):
        error = planned(Source(), python).error
        assert error.code == "WT-ENV-PYTHON" and word in error.message and error.fix


def test_a_folder_of_wheels_that_is_none(tmp_path):
    assert planned(Source(wheels=tmp_path / "no")).error.code == "WT-ENV-NO-WHEEL"
