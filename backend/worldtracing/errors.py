"""Errors that say what happened and what to do about it.

Codes are stable and documented in `docs/troubleshooting.md`: WT-IMG (picture and mask), WT-IO (files),
WT-MODEL (engines and weights), WT-MESH (mesh generators), WT-MEM (memory), WT-NET (the network), WT-WORKER (the worker
process), WT-ENV (Python and packages), WT-SCENE (Blender).
"""

from __future__ import annotations

import traceback


class WorldTracingError(Exception):
    """One clear sentence with a stable code and a fix the user can carry out."""

    def __init__(self, code: str, message: str, fix: str = "") -> None:
        super().__init__(code, message, fix)  # all arguments, so that pickling and repr keep them
        self.code = code
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} {self.fix} [{self.code}]".replace("  ", " ")

    def to_dict(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message, "fix": self.fix}


class Cancelled(Exception):  # noqa: N818 - a request that was honoured, not an error
    """Raised out of a progress callback when the user has cancelled."""


def last_line(error: BaseException) -> str:
    """Type and text of an exception on one line, also of one whose own text cannot be had."""
    return "".join(traceback.format_exception_only(error)).strip().splitlines()[-1][:300]
