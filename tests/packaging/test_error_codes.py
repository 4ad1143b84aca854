"""Every error code that the source can give is in docs/troubleshooting.md, and no other; and a test provokes it."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"WT-[A-Z]+-[A-Z]+(?:-[A-Z]+)*")


def codes_in_source() -> set[str]:
    """The string constants that are a code as a whole, from all modules of both packages."""
    found = set()
    for folder in ("backend/worldtracing", "worldtracing_addon"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                    found.add(node.value)
    return found


def test_every_code_is_documented_and_every_documented_code_exists():
    documented = set(CODE.findall((ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")))
    assert codes_in_source() == documented


def test_every_code_is_provoked_by_a_test():
    tests = (path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__))
    named = set(CODE.findall("".join(path.read_text(encoding="utf-8") for path in tests)))
    assert codes_in_source() - named == set()
