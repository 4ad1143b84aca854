"""The GitHub workflow, which can only run there: it parses, pins what it uses, and runs what exists."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
COMMANDS = "\n".join(step["run"] for step in STEPS if "run" in step)


def test_every_action_is_pinned_to_a_commit():
    actions = [step["uses"] for step in STEPS if "uses" in step]
    assert actions and all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in actions), actions


def test_it_runs_what_the_local_run_runs_on_three_systems():
    systems = {WORKFLOW["jobs"]["linux"]["runs-on"], *WORKFLOW["jobs"]["desktop"]["strategy"]["matrix"]["os"]}
    assert {system.split("-")[0] for system in systems} == {"ubuntu", "windows", "macos"}
    assert ".ci/run" in COMMANDS
    assert "make test" in COMMANDS and "make test" in (ROOT / ".ci/run").read_text()


@pytest.mark.parametrize("target", re.findall(r"(?m)^make (\w+)", COMMANDS))
def test_every_make_target_exists(target):
    assert re.search(rf"(?m)^{target}:", (ROOT / "Makefile").read_text())


def test_only_the_release_may_write_and_it_waits_for_the_tests():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    writers = [name for name, job in WORKFLOW["jobs"].items() if "permissions" in job]
    assert writers == ["release"] and set(WORKFLOW["jobs"]["release"]["needs"]) == {"linux", "desktop"}
    uploaded = [step["with"]["name"] for step in STEPS if "upload-artifact" in step.get("uses", "")]
    fetched = [step["with"]["name"] for step in STEPS if "download-artifact" in step.get("uses", "")]
    assert set(fetched) <= set(uploaded)
