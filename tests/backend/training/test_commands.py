import json

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("embreex")

from safetensors.numpy import load_file

from worldtracing.cli import main
from worldtracing.engines.wt_numpy import NumpyWTDiT
from worldtracing.training.calibration import BIAS
from worldtracing.training.config import TrainingConfig


def box(folder):
    """A pool of one cube under names of both splits."""
    from worldtracing.data.pool import is_held_out

    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)], np.float32)
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = np.array([[q[i] for i in tri] for q in quads for tri in ((0, 1, 2), (0, 2, 3))], np.int32)
    folder.mkdir()
    names = [folder / f"thing{'x' * k}.npz" for k in range(40)]
    for split in (True, False):
        path = next(path for path in names if is_held_out(path) == split)
        np.savez(path, v=corners, f=faces, fm=np.zeros(12, np.int32), mc=np.array([[0.8, 0.3, 0.2, 1]], np.float32))
    return folder


def test_one_command_renders_and_trains(tmp_path):
    """Two steps of the bundled model on samples rendered meanwhile, then one more in a second call."""
    config = tmp_path / "run.toml"
    text = f"""
        train = "{(tmp_path / "train").as_posix()}"
        held_out = "{(tmp_path / "held").as_posix()}"
        validation_samples = 2
        steps = 2
        [[phases]]
        batch = 2
        """
    config.write_text(text)
    pool = str(box(tmp_path / "pool"))
    arguments = ["train", str(config), "--out", str(tmp_path / "run"), "--pool", pool, "--samples", "3"]
    assert main(arguments) == 0
    assert [path.name for path in (tmp_path / "run").glob("step-*")] == ["step-00000002"]
    assert json.loads((tmp_path / "held" / "dataset.json").read_text())["split"] == "held-out"
    config.write_text(text.replace("steps = 2", "steps = 3"))
    assert main(arguments) == 0
    trained = load_file(tmp_path / "run" / "step-00000003" / "weights.safetensors")
    exported = tmp_path / "small.safetensors"
    assert main([*arguments, "--export", str(exported)]) == 0
    tensors = load_file(exported)
    calibrated = tensors.pop(BIAS)
    assert all(np.array_equal(x, trained[name].astype(np.float16)) for name, x in tensors.items())
    moved = (calibrated != trained[BIAS].astype(np.float16)).reshape(2, 6, 16)
    assert not moved[0].any()  # depth
    assert not moved[1, :2].any()  # the layers that are always there
    assert NumpyWTDiT.load(exported).layers == 6


def test_a_run_without_a_checkpoint_has_nothing_to_export(tmp_path, capsys):
    config = tmp_path / "run.toml"
    config.write_text("steps = 1")
    assert main(["train", str(config), "--out", str(tmp_path), "--export", str(tmp_path / "x")]) == 1
    assert "WT-TRAIN-CHECKPOINT" in capsys.readouterr().err


def test_the_pool_must_have_meshes(tmp_path, capfd):
    config = tmp_path / "run.toml"
    config.write_text(f"held_out = '{(tmp_path / 'held').as_posix()}'")
    (tmp_path / "pool").mkdir()
    arguments = ["train", str(config), "--out", str(tmp_path / "run"), "--pool", str(tmp_path / "pool")]
    assert main(arguments) == 1
    assert "WT-TRAIN-RENDER" in capfd.readouterr().err


def test_phases_share_the_run():
    config = TrainingConfig()
    assert config.phase_at(0.0) == (0, 0.0)
    assert config.phase_at(0.65 / 2) == (0, pytest.approx(0.5))
    assert config.phase_at(0.825) == (1, pytest.approx(0.5))
    assert config.phase_at(1.0) == (1, 1.0)


@pytest.mark.parametrize(
    "line",
    [
        "minutes = 0",
        "minutes = -1",
        "steps = -5",
        "warmup = -1",
        "model = 'r75b'",
        "phases = []",
        "epochs = 3",
        "minutes =",
    ],
)
def test_a_run_that_cannot_be_is_told(tmp_path, capsys, line):
    config = tmp_path / "run.toml"
    config.write_text(line)
    assert main(["train", str(config), "--out", str(tmp_path / "run")]) == 1
    assert "WT-TRAIN-CONFIG" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
