import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from worldtracing.cli import main as command  # noqa: E402
from worldtracing.errors import WorldTracingError  # noqa: E402
from worldtracing.parity import Check, main, run_parity  # noqa: E402

GOLDEN = Path(__file__).resolve().parents[2] / "data" / "golden"


@pytest.mark.parametrize("case", ["eps", "clip", "misc"])
def test_recorded_outputs_are_reproduced(case):
    checks = run_parity(GOLDEN / case)
    assert not [check for check in checks if not check.ok]
    assert len(checks) >= 7


def test_eps_covers_the_network_step_by_step():
    names = {check.name: check.tolerance for check in run_parity(GOLDEN / "eps")}
    assert {"eps/enc.tokens", "eps/dec.feat", "eps/dec.block00.attn_out", "eps/head.proj", "eps/pred"} < set(names)
    assert names["eps/v_step0"] == pytest.approx(1e-6)


def test_a_folder_of_cases_runs_them_all(capsys):
    assert main([str(GOLDEN)]) == 0
    printed = capsys.readouterr().out
    assert all(f" {case}/" in printed for case in ("eps", "clip", "misc"))
    assert "FAIL" not in printed


def test_another_weight_fails(tmp_path, capsys):
    case = shutil.copytree(GOLDEN / "clip", tmp_path / "clip")
    weights = load_file(case / "weights.safetensors")
    weights["temporal_blocks.0.block.attn.q_norm.bias"] += 0.01
    save_file(weights, case / "weights.safetensors")
    assert main([str(case)]) == 1
    assert "FAIL clip/v_step0" in capsys.readouterr().out


def test_command_line(tmp_path, capsys):
    assert command(["parity", str(GOLDEN / "clip")]) == 0
    assert "7 of 7 checks" in capsys.readouterr().out
    assert command(["parity", str(tmp_path)]) == 1
    assert "WT-MODEL-PARITY" in capsys.readouterr().err


def test_nan_is_never_within_tolerance():
    assert not Check("x", float("nan"), 1.0).ok


def test_folder_without_a_case(tmp_path):
    with pytest.raises(WorldTracingError) as caught:
        run_parity(tmp_path)
    assert caught.value.code == "WT-MODEL-PARITY"


@pytest.mark.parametrize("content", ["[]", "{}", "5", "no JSON"])
def test_a_configuration_that_is_none(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(WorldTracingError) as caught:
        run_parity(tmp_path)
    assert caught.value.code == "WT-MODEL-PARITY"


def test_weights_of_another_network(tmp_path):
    case = shutil.copytree(GOLDEN / "clip", tmp_path / "clip")
    shutil.copy(GOLDEN / "eps" / "weights.safetensors", case)
    with pytest.raises(WorldTracingError) as caught:
        run_parity(case)
    assert caught.value.code == "WT-MODEL-PARITY"
    assert "clip" in caught.value.message
