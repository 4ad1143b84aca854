import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from worldtracing.camera import Camera  # noqa: E402
from worldtracing.data.scenes import Sample  # noqa: E402
from worldtracing.data.shards import shard_bytes, shard_path  # noqa: E402
from worldtracing.errors import WorldTracingError  # noqa: E402
from worldtracing.training.source import ShardSource  # noqa: E402


def add_shard(folder, index, count=4):
    """Samples whose brightness is their number."""
    folder.mkdir(exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps({}))
    numbers = range(4 * index, 4 * index + count)
    depth = np.zeros((6, 32, 32), np.float32)
    depth[0] = 1
    samples = [Sample(np.full((32, 32, 4), n, np.uint8), depth, Camera.from_fov(32, 32, 50), "object") for n in numbers]
    shard_path(folder, index).write_bytes(shard_bytes(samples))


def numbers(source, first, count):
    return source.draw(first, count, 32).rgba[:, 0, 0, 0].tolist()


def test_an_epoch_has_every_sample_once_and_the_next_another_order(tmp_path):
    add_shard(tmp_path, 0)
    add_shard(tmp_path, 1)
    source = ShardSource(str(tmp_path), seed=1)
    first, second = numbers(source, 0, 8), numbers(source, 8, 8)
    assert sorted(first) == sorted(second) == list(range(8))
    assert first != second
    assert numbers(ShardSource(str(tmp_path), seed=2), 0, 8) != first


def test_shards_that_appear_take_part_from_the_next_epoch_on(tmp_path):
    add_shard(tmp_path, 0)
    source = ShardSource(str(tmp_path), seed=1)
    begin = numbers(source, 0, 2)
    add_shard(tmp_path, 1)
    rest = numbers(source, 2, 4)  # two of the old epoch, two of the new one
    assert sorted(begin + rest[:2]) == [0, 1, 2, 3]
    assert sorted(rest[2:] + numbers(source, 6, 6)) == list(range(8))


def test_a_restored_source_goes_on_where_it_was_though_the_data_grew(tmp_path):
    add_shard(tmp_path, 0)
    source = ShardSource(str(tmp_path), seed=1)
    numbers(source, 0, 2)
    state = source.state()
    expected = numbers(source, 2, 2)
    add_shard(tmp_path, 1)
    restored = ShardSource(str(tmp_path), seed=1)
    restored.restore(state)
    assert numbers(restored, 2, 2) == expected


def test_samples_of_another_size_are_refused(tmp_path):
    add_shard(tmp_path, 0)
    with pytest.raises(WorldTracingError) as caught:
        ShardSource(str(tmp_path), seed=1).draw(0, 2, 64)
    assert caught.value.code == "WT-TRAIN-SIZE"
