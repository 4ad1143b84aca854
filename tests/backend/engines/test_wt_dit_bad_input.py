"""Bad input given to the command line: a code and a fix, and weights, results and the next trace as they were."""

import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_weights import SCENE, TINY, write_checkpoint

torch = pytest.importorskip("torch")

from worldtracing import cli  # noqa: E402

SUPPORT = Path(__file__).parents[2] / "support"


class Workplace:
    """Converted weights, a photo and a folder of results, used through the command line."""

    def __init__(self, tmp_path, photo, capsys):
        self.folder, self.photo, self.capsys = tmp_path, photo, capsys

    def run(self, *arguments):
        """The exit code, and what was printed as an error."""
        code = cli.main([str(argument) for argument in arguments])
        return code, self.capsys.readouterr().err

    def trace(self, photo=None, *options):
        out = self.folder / "out"
        return self.run("trace", photo or self.photo, "--engine", "wt-dit", "--device", "cpu", "-o", out, *options)

    def files(self):
        """Everything in the folders of weights and results."""
        found = (path for name in ("weights", "out") for path in (self.folder / name).rglob("*"))
        return {path: path.read_bytes() for path in found if path.is_file()}


@pytest.fixture
def workplace(tmp_path, photo, make_weights, capsys):
    make_weights()
    workplace = Workplace(tmp_path, photo, capsys)
    assert workplace.trace() == (0, "")
    return workplace


def assert_refused(workplace, code, action):
    before = workplace.files()
    exit_code, error = action()
    assert exit_code == 1
    assert f"[{code}]" in error
    assert workplace.files() == before
    assert workplace.trace() == (0, "")
    assert workplace.files() == before


class Payload:
    def __init__(self, victim):
        self.victim = victim

    def __reduce__(self):
        return os.mkdir, (str(self.victim),)


def of_another_model(path):
    write_checkpoint(path, SCENE)


def cut_short(path):
    path.write_bytes(write_checkpoint(path, TINY["r75b"]).read_bytes()[:-1000])


def with_code(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(Payload(path.with_name("created")), protocol=2))
        archive.writestr("model/version", "3")


def not_numbers(path):
    write_checkpoint(path, TINY["r75b"], lambda state: state["layer_embed.weight"].fill_(float("nan")))


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (of_another_model, "WT-MODEL-KEYS"),
        (cut_short, "WT-MODEL-TRUNCATED"),
        (with_code, "WT-MODEL-PICKLE"),
        (not_numbers, "WT-MODEL-NAN"),
    ],
)
def test_a_bad_checkpoint_does_not_replace_the_weights(workplace, write, code):
    bad = workplace.folder / "bad.pt"
    write(bad)
    convert = ("weights", "convert", "r75b", "--precision", "fp32", "--from", bad)
    assert_refused(workplace, code, lambda: workplace.run(*convert))
    assert not (workplace.folder / "created").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--steps", 0), "WT-MODEL-STEPS"),
        (("--steps", 21), "WT-MODEL-STEPS"),
        (("--seeds", 17), "WT-MODEL-SEEDS"),
        (("--device", "cuda:99"), "WT-ENV-DEVICE"),
    ],
    ids=str,
)
def test_options_out_of_range_leave_the_result_of_before(workplace, options, code):
    assert_refused(workplace, code, lambda: workplace.trace(None, *options))


def test_a_mask_of_another_shape_and_a_tiny_photo_are_refused(workplace):
    mask = workplace.folder / "mask.png"
    Image.fromarray(np.full((60, 60), 255, np.uint8)).save(mask)
    assert_refused(workplace, "WT-IMG-MASK-SIZE", lambda: workplace.trace(None, "--mask", mask))
    tiny = workplace.folder / "tiny.png"
    Image.open(workplace.photo).resize((14, 14)).save(tiny)
    assert_refused(workplace, "WT-IMG-SMALL", lambda: workplace.trace(tiny))


REAL_LIMIT = """
import dataclasses, resource, sys
from pathlib import Path

import numpy as np
import torch
from tiny_weights import OBJECT, write_checkpoint

from worldtracing.engines.wt_dit import WTDiTEngine
from worldtracing.errors import WorldTracingError
from worldtracing.model import config
from worldtracing.tracing import TraceRequest, trace_photo
from worldtracing.weights.catalogue import RELEASED
from worldtracing.weights.convert import convert_checkpoint

torch.set_num_threads(1)
photo, folder = Path(sys.argv[1]), Path(sys.argv[2])
config.MODELS["r75b"] = dataclasses.replace(OBJECT, image_size=252, width=192, heads=4)
checkpoint, weights = write_checkpoint(folder / "a.pt", config.MODELS["r75b"]), folder / "a.safetensors"
convert_checkpoint(checkpoint, weights, RELEASED["r75b"], "fp32")
engine = WTDiTEngine()

def trace(room=None, seeds=1):
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = resource.RLIM_INFINITY if room is None else used + room
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    extra = {"model": str(weights), "device": "cpu", "steps": 1, "seeds": seeds, "flyers": False}
    try:
        return trace_photo(TraceRequest(photo, engine="wt-dit", extra=extra), engine)
    except WorldTracingError as error:
        print(error.code, error.message)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

first = trace()
assert trace(room=8 << 20, seeds=8) is None  # the network is loaded
engine.free_memory()
assert trace(room=weights.stat().st_size // 2) is None
assert np.array_equal(trace().points, first.points)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="limits its memory as Linux does")  # noqa: PTH110
def test_memory_that_really_runs_out_in_the_middle_and_on_load(photo, tmp_path):
    """A process that gets no more memory from the system, and then as much as it wants."""
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", REAL_LIMIT, photo, tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    middle, loading = done.stdout.splitlines()
    assert middle.startswith("WT-MEM-TRACE Memory ran out on cpu")
    assert loading.startswith("WT-MEM-TRACE Memory ran out on cpu")
    assert "a.safetensors do not fit" in loading
