"""What Copy Diagnostics puts on the clipboard: enough to understand a problem, nothing private."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .tasks import without_secrets

LOG_LINES = 60


def report(facts: Mapping[str, str], checks: Sequence[Mapping[str, Any]], logs: Iterable[Path]) -> str:
    """A text of facts, the doctor's findings and the ends of logs."""
    lines = [f"{name}: {value}" for name, value in facts.items()]
    lines += [f"[{'ok' if check['ok'] else 'FAILS'}] {check['name']}: {check['detail']}" for check in checks]
    for log in logs:
        if tail := _tail(log):
            lines += ["", f"--- {log.name}", *tail]
    return private("\n".join(lines)) + "\n"


def private(text: str, home: Path | None = None, user: str | None = None) -> str:
    """The text without the home folder's path, the user's name, and passwords in addresses."""
    home = home or Path.home()
    for written in {str(home), home.as_posix(), str(home).replace("\\", "\\\\")} - {"/"}:
        text = re.sub(re.escape(written) + r"(?![\w-])", "~", text, flags=re.IGNORECASE)
    user = user if user is not None else _user()
    if len(user) > 2:
        text = re.sub(rf"(?<![\w]){re.escape(user)}(?![\w])", "<user>", text, flags=re.IGNORECASE)
    return without_secrets(text)


def _tail(log: Path) -> list[str]:
    try:
        return log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    except OSError:
        return []


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user, as in some containers
        return ""
