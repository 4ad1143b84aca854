import os
import threading
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import torch.multiprocessing as multiprocessing  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from worldtracing.errors import WorldTracingError  # noqa: E402
from worldtracing.training.checkpoint import checkpoints  # noqa: E402
from worldtracing.training.config import Phase, TrainingConfig, read_config  # noqa: E402
from worldtracing.training.processes import Processes, join_processes  # noqa: E402
from worldtracing.training.targets import make_targets  # noqa: E402
from worldtracing.training.trainer import Trainer, noise_levels  # noqa: E402
from worldtracing.training.validation import relative_errors  # noqa: E402

PHASES = (Phase("regression", 0.5, 1e-3, 4, 32), Phase("flow", 0.5, 1e-3, 4, 32))


def trainer(tiny, run, spheres, **changes):
    config = TrainingConfig(**{"model": tiny, "steps": 6, "phases": PHASES, "warmup": 2} | changes)
    held_out = [type(spheres)().draw(900, 4, 32)]
    return Trainer(config, run, spheres, held_out, Processes(), torch.device("cpu"))


class Killed(BaseException):
    """As sudden as a signal."""


def killed_at(spheres, number):
    draw = spheres.draw

    def dying(first, count, size):
        if first >= number:
            raise Killed
        return draw(first, count, size)

    spheres.draw = dying
    return spheres


@pytest.mark.parametrize("died_after", [2, 4])
def test_a_killed_run_continues_as_if_nothing_had_happened(tiny, tmp_path, spheres, died_after):
    whole = trainer(tiny, tmp_path / "whole", spheres)
    whole.train()
    broken = trainer(tiny, tmp_path / "broken", killed_at(type(spheres)(), 4 * died_after), checkpoint_minutes=0)
    with pytest.raises(Killed):
        broken.train()
    continued = trainer(tiny, tmp_path / "broken", spheres)
    assert continued.step == died_after
    continued.train()
    for folder in ("whole", "broken"):
        assert [path.name for path in checkpoints(tmp_path / folder)][-1] == "step-00000006"
    one, two = (load_file(checkpoints(tmp_path / f)[-1] / "weights.safetensors") for f in ("whole", "broken"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    regressed = load_file(tmp_path / "whole" / "phase-0.safetensors")
    assert not regressed["net.geo_noise_projection.0.weight"].any()
    assert one["net.geo_noise_projection.0.weight"].any()
    assert all(torch.equal(a, b) for a, b in zip(whole.model.parameters(), continued.model.parameters(), strict=True))


def test_a_source_is_asked_by_one_thread_at_a_time_and_none_stays(tiny, tmp_path, spheres):
    """The sample drawn ahead is of another size than the next phase wants."""
    before = set(threading.enumerate())
    draw, busy, together = spheres.draw, threading.Lock(), []

    def slow(*wanted):
        together.append(not busy.acquire(blocking=False))
        time.sleep(0.05)
        busy.release()
        return draw(*wanted)

    spheres.draw = slow
    phases = (Phase("regression", 0.5, 1e-3, 4, 32), Phase("regression", 0.5, 1e-3, 2, 64))
    trainer(tiny, tmp_path, spheres, steps=2, phases=phases).train()
    assert len(together) > 2
    assert not any(together)
    assert set(threading.enumerate()) <= before


def test_what_tensorboard_was_told_is_written_at_the_end(tiny, tmp_path, spheres):
    class Board:
        told, closed = [], False

        def add_scalar(self, name, value, step):
            self.told.append(name)

        def close(self):
            assert "scores/r0" in self.told
            self.closed = True

    run = trainer(tiny, tmp_path, spheres, steps=1, phases=PHASES[:1])
    run.log.board = Board()
    run.train()
    assert run.log.board.closed


def test_a_continued_run_does_not_hold_on_to_its_checkpoint(tiny, tmp_path, spheres):
    """Windows removes no file that is mapped."""
    trainer(tiny, tmp_path, spheres, steps=1, phases=PHASES[:1]).train()
    before = _mapped(tmp_path)
    continued = trainer(tiny, tmp_path, spheres, steps=2, phases=PHASES[:1])
    assert continued.step == 1
    assert _mapped(tmp_path) == before == []


def _mapped(folder):
    maps = Path("/proc/self/maps")
    if not maps.is_file():
        pytest.skip("looks mappings up in /proc")
    return [line for line in maps.read_text().splitlines() if str(folder) in line]


def test_eight_samples_are_learned(tiny, tmp_path, spheres):
    """Regression, then flow matching: the relief of the training pictures is found, with one step and with several."""
    draw = spheres.draw
    spheres.draw = lambda first, count, size: draw(0, 8, size)
    phases = (Phase("regression", 0.6, 3e-3, 8, 32), Phase("flow", 0.4, 1e-3, 8, 32))
    run = trainer(tiny, tmp_path, spheres, steps=150, phases=phases, ema=0.9, warmup=10)
    run.held_out = [draw(0, 8, 32)]
    run.train()
    rows = [line.split(",") for line in (tmp_path / "scores.csv").read_text().splitlines()]
    scores = [dict(zip(rows[0], map(float, row), strict=True)) for row in rows[1:]]
    assert [row["steps"] for row in scores] == [0, 1, 4]
    assert all(row["r0"] < 0.5 and row["iou1"] > 0.9 for row in scores), scores


def test_noise_does_not_matter_before_flow_matching(tiny, tmp_path, spheres):
    run = trainer(tiny, tmp_path, spheres, steps=2, phases=PHASES[:1])
    run.train()
    batch = make_targets(spheres.draw(0, 4, 32))
    noise = torch.randn(batch.x0.shape)
    with torch.no_grad():
        conditioning = run.model.condition(batch.picture, batch.rays)
        clean = run.model.predict(torch.zeros_like(noise), torch.tensor(1.0), conditioning)
        noisy = run.model.predict(noise, torch.full((4,), 0.3), conditioning)
    torch.testing.assert_close(noisy.x0, clean.x0)


def test_relative_errors_against_a_constant_a_scale_and_the_truth():
    true = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(1))
    valid = torch.ones(1, 16, 16, dtype=torch.bool)
    for pred, scaled, shifted in (
        (torch.zeros_like(true), 1.0, 1.0),
        (true + 4, 0.0, 0.0),
        (0.5 * true, 0.0, 0.5),
        (-true, 1.0, 2.0),
    ):
        found = relative_errors(pred, true, valid)
        assert [float(x) for x in found] == pytest.approx([scaled, shifted], abs=1e-3)
    assert relative_errors(true, true, ~valid)[0].numel() == 0


def test_half_of_the_noise_levels_are_pure_noise():
    t = noise_levels(4000, torch.Generator().manual_seed(0))
    assert float((t == 1).float().mean()) == pytest.approx(0.5, abs=0.04)
    assert t.min() >= 0.02
    assert float(t[t < 1].mean()) == pytest.approx(0.54, abs=0.03)


def _average(rank, port, folder):
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": "0", "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    processes, _ = join_processes()
    layer = torch.nn.Linear(3, 2)
    layer.weight.grad, layer.bias.grad = torch.full((2, 3), 1.0 + rank), None
    processes.average_gradients(layer)
    agreed = processes.agree(10.0 + rank, torch.device("cpu"))
    torch.save([layer.weight.grad, agreed], Path(folder) / f"{rank}.pt")
    processes.wait()


def test_two_processes_average_their_gradients_and_agree(tmp_path):
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(_average, (port, str(tmp_path)), nprocs=2)
    for rank in (0, 1):
        gradient, agreed = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert torch.equal(gradient, torch.full((2, 3), 1.5))
        assert agreed == 10.0


def test_two_processes_share_one_batch(tiny, tmp_path, spheres):
    seen = []
    spheres.draw = lambda first, count, size, draw=spheres.draw: seen.append((first, count)) or draw(first, count, size)
    run = trainer(tiny, tmp_path, spheres)
    for rank in (0, 1):
        run.processes = Processes(rank, 2)
        run._draw(PHASES[0])
    run.reader.shutdown()
    assert sorted(seen) == [(0, 2), (2, 2), (4, 2), (6, 2)]  # each its half, and its half of the next batch ahead


def test_configurations_in_the_repository_are_read():
    folder = Path(__file__).resolve().parents[3] / "backend/configs"
    names = [read_config(path).model for path in sorted(folder.glob("*.toml"))]
    assert "bundled" in names


@pytest.mark.parametrize(
    "text", ["model = ", "nonsense = 1", "[[phases]]\nobjective = 'dream'", "[[phases]]\nspeed = 1", "phases = []"]
)
def test_a_wrong_configuration_is_refused(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(WorldTracingError) as caught:
        read_config(path)
    assert caught.value.code == "WT-TRAIN-CONFIG"


def test_a_broken_checkpoint_says_so(tiny, tmp_path, spheres):
    folder = tmp_path / "step-00000004"
    folder.mkdir()
    (folder / "training.pt").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(WorldTracingError) as caught:
        trainer(tiny, tmp_path, spheres)
    assert caught.value.code == "WT-TRAIN-CHECKPOINT"
