"""docs/python_api.md tells of everything that scripts may call."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python_api.md"


def test_the_page_lists_the_whole_api_and_nothing_else(api):
    listed = re.findall(r"(?m)^### `(\w+)", PAGE.read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(api.__all__), "run docs/python_api.py to write the page anew"


def test_every_public_name_says_what_it_does(api):
    assert [name for name in api.__all__ if not getattr(api, name).__doc__] == []
