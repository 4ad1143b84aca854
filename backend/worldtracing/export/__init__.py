"""Worlds as files that other programs read."""

from .exr import export_exr
from .ply import export_ply

__all__ = ["export_exr", "export_ply"]
