"""Mesh generators that other people make, each in its own Python or behind its own server; see docs/generators.md."""
