"""Editing layered worlds: segments, lifted objects, fills. See docs/editing.md."""
