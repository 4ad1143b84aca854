"""Brings the node groups of an older version up to date when a file is opened."""

from __future__ import annotations

import bpy

from .layer_group import ensure_group, outdated_groups
from .transaction import Transaction


@bpy.app.handlers.persistent
def _on_file_opened(*_) -> None:
    if outdated_groups():
        with Transaction() as transaction:
            ensure_group(transaction)


def register() -> None:
    bpy.app.handlers.load_post.append(_on_file_opened)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(_on_file_opened)
