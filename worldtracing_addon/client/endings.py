"""Why a worker is of no more use, as sentences."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.worker import protocol


def died(exit_code: int | None, tail: Sequence[str]) -> WorldTracingError:
    """It has ended by itself, with an exit code if it was a process; `tail` holds its last lines of stderr."""
    how, fix = "ended unexpectedly", "Try again; if it happens again, report it with the worker's log."
    if exit_code is not None and exit_code < 0:
        how = f"was ended by {_signal_name(-exit_code)}"
        if -exit_code == getattr(signal, "SIGKILL", None):
            fix = "The system may have run out of memory: choose a smaller resolution, or close other programs."
    elif exit_code is not None:
        how = f"ended unexpectedly with exit code {_shown_code(exit_code)}"
    said = next((line for line in reversed(tail) if line.strip()), "")
    said = f' It last said: "{said.strip()[:200]}".' if said else ""
    return WorldTracingError("WT-WORKER-DIED", f"The worker {how}.{said}", fix)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _shown_code(exit_code: int) -> str:
    """Windows tells crashes as large codes, which are known in hexadecimal (0xC0000005 is an access violation)."""
    return f"0x{exit_code:08X}" if exit_code > 0xFFFF else str(exit_code)


def stalled(seconds: float) -> WorldTracingError:
    """It has neither said hello nor written to stderr for `seconds`."""
    return WorldTracingError(
        "WT-WORKER-STALLED",
        f"The worker has not said hello within {seconds:g} seconds.",
        "Check the Python that is chosen in the preferences, or clear the field to use Blender's own.",
    )


def wrong_protocol(version: object) -> WorldTracingError:
    """It speaks another version of the protocol."""
    return WorldTracingError(
        "WT-WORKER-PROTOCOL",
        f"The worker speaks protocol {version}, and this extension speaks {protocol.PROTOCOL_VERSION}.",
        "Update the extension and the backend to the same version.",
    )
