"""Names that Blender can hold: at most 63 bytes of UTF-8 before version 5.0, and unique by a ".001" at the end."""

from __future__ import annotations

MAX_BYTES = 63
COUNTER_BYTES = 4  # ".001"


def fit_name(name: str, suffix: str = "") -> str:
    """`name` + `suffix` without control characters, the name cut at a whole character so that all fits.

    The counter that Blender may append fits as well; without it, Blender would cut the suffix instead.
    """
    clean = " ".join("".join(character if character.isprintable() else " " for character in name).split()) or "Untitled"
    room = MAX_BYTES - COUNTER_BYTES - len(suffix.encode())
    return clean.encode()[:room].decode(errors="ignore").rstrip() + suffix
