"""The figures of docs/models.md are those of the memory plan."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from worldtracing.model.config import R69E, R69L, R75B, R76
from worldtracing.weights.plan import needed_bytes, weight_bytes

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "models.md").read_text(encoding="utf-8")


def row(title):
    line = next(line for line in TEXT.splitlines() if line.startswith(f"| {title} |"))
    return [cell.strip() for cell in line.split("|")[2:-1]]


@pytest.mark.parametrize(
    ("title", "precision", "seeds", "offload"),
    [
        ("fast, 1 seed", "fast", 1, False),
        ("fast, 4 seeds at once", "fast", 4, False),
        ("fast, 1 seed, offloaded", "fast", 1, True),
        ("fp32, 1 seed", "fp32", 1, False),
        ("fp32, 4 seeds at once", "fp32", 4, False),
        ("fp32, 1 seed, offloaded", "fp32", 1, True),
    ],
)
def test_memory(title, precision, seeds, offload):
    models = ((R75B, 1), (R69L, 1), (R76, 16), (R69E, 1))
    found = [needed_bytes(config, precision, seeds, frames, 0, offload) / 1e9 for config, frames in models]
    assert row(title) == [f"{gigabytes:.1f}" for gigabytes in found]


@pytest.mark.parametrize("config", [R75B, R69L, R76], ids=lambda config: config.name)
def test_downloads(config):
    assert row(f"`{config.name}`")[3] == f"{weight_bytes(config, 'fp32') / 1e9:.1f} GB"
