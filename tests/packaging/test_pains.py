"""docs/pains.md answers fifteen pains, each with something that exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(r"(?m)^\| (\d+) \|.*\| ([^|]+) \|$", (ROOT / "docs/pains.md").read_text(encoding="utf-8"))


def test_there_are_fifteen():
    assert [int(number) for number, _ in ROWS] == list(range(1, 16))


@pytest.mark.parametrize(("number", "answers"), ROWS)
def test_every_answer_exists(number, answers):
    named = re.findall(r"`([^`]+)`", answers)
    assert named
    for answer in named:
        path, _, function = answer.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not function or re.search(rf"(?m)^def {function}\(", text), answer
