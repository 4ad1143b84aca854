import weakref

import pytest

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from worldtracing.errors import WorldTracingError  # noqa: E402
from worldtracing.model.config import MODELS, R69L, R75B, R76, EncoderConfig, ModelConfig  # noqa: E402
from worldtracing.model.offload import offload_blocks  # noqa: E402
from worldtracing.model.precision import PRECISIONS, set_precision  # noqa: E402
from worldtracing.model.wt_dit import WTDiT  # noqa: E402
from worldtracing.weights.network import build_on_meta  # noqa: E402
from worldtracing.weights.plan import (  # noqa: E402
    STATES,
    activation_bytes,
    free_memory,
    is_out_of_memory,
    needed_bytes,
    plan_memory,
    weight_bytes,
)

GB = 10**9


@pytest.mark.parametrize(
    ("config", "parameters"),
    [(R75B, 1_705_047_628), (R69L, 1_549_175_884), (R76, 2_101_800_012)],
    ids=("r75b", "r69l", "r76"),
)
def test_weights_are_those_of_the_specified_parameter_counts(config, parameters):
    buffers = 6  # the encoder's picture statistics
    assert weight_bytes(config, "fp32") == 4 * (parameters + buffers)
    assert 2 * parameters < weight_bytes(config, "fast") < 2.2 * parameters


def test_offload_leaves_what_the_offloading_leaves():
    encoder = EncoderConfig(width=32, depth=5, heads=2, pos_grid=3)
    config = ModelConfig(width=48, heads=3, blocks=9, head_blocks=3, layers=2, temporal=True, encoder=encoder)
    for name, precision in PRECISIONS.items():
        model = set_precision(WTDiT(config), precision)
        total = sum(tensor.nbytes for tensor in model.state_dict().values())
        streams = offload_blocks(model, "cpu")
        stored = sum(tensor.nbytes for stream in streams for block in stream.stored for tensor in block.tensors)
        room = sum(tensor.nbytes for stream in streams for slot in stream.slots for tensor in slot.tensors)
        assert weight_bytes(config, name) == total
        assert weight_bytes(config, name, offload=True) == total - stored + room


class LivePeak(TorchDispatchMode):
    """The most bytes that new tensors take at one time."""

    def __init__(self, existing):
        super().__init__()
        self.known = {tensor.untyped_storage()._cdata for tensor in existing}
        self.live = self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage):
        address, size = storage._cdata, storage.nbytes()
        if size and address not in self.known:
            self.known.add(address)
            self.live += size
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._free, address, size)

    def _free(self, address, size):
        self.known.discard(address)
        self.live -= size


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("options", [{}, {"layer_adaln": True}, {"temporal": True}], ids=str)
def test_activations_are_what_a_run_allocates(precision, options):
    seeds, frames, size, width = 2, 2 if options.get("temporal") else 1, 84, 384  # as wide that blocks dominate
    encoder = EncoderConfig(width=16, depth=4, heads=2, pos_grid=3)
    config = ModelConfig(width=width, heads=6, blocks=3, head_blocks=3, layers=4, encoder=encoder, **options)
    model = set_precision(WTDiT(config).eval(), PRECISIONS[precision])
    with torch.no_grad():
        conditioning = model.condition(torch.rand(1, frames, 3, size, size))
        x = torch.randn(seeds, 3, frames * 4, size, size)
        existing = [x, *model.state_dict().values(), *tensors_of(conditioning)]
        with LivePeak(existing) as run:
            model.predict(x, torch.tensor(0.5), conditioning)
    tokens = seeds * frames * 4 * (size // 14) ** 2
    states = STATES * 3 * 4 * 14**2 * tokens  # the sampler's, and the picture's tokens, exist already
    estimate = activation_bytes(config, precision, seeds, frames, size) - states - 2 * width * tokens // seeds
    assert run.peak == pytest.approx(estimate, rel=0.1)


def tensors_of(conditioning):
    values = [list(v) if isinstance(v, tuple) else v for v in vars(conditioning).values()]
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]


def test_memory_grows_with_the_wish():
    for config in (R75B, R69L, R76):
        for precision in PRECISIONS:
            base = needed_bytes(config, precision)
            assert needed_bytes(config, precision, seeds=2) > base
            assert needed_bytes(config, precision, frames=2) > base
            assert needed_bytes(config, precision, size=config.image_size + 14) > base
            assert needed_bytes(config, precision, offload=True) < base
        assert needed_bytes(config, "fp32") > needed_bytes(config, "fast")
        assert needed_bytes(R69L, "fast", 1, 1, 840) > needed_bytes(R69L, "fast", 1, 1, 504)


def test_objects_fit_8_gb_and_scenes_12_gb():
    assert plan_memory(R75B, 8 * GB, seeds=4).needed <= 8 * GB
    assert plan_memory(R69L, 12 * GB, seeds=4).needed <= 12 * GB


def test_a_wish_that_fits_is_granted_without_a_word():
    plan = plan_memory(R75B, 80 * GB, "fp32", seeds=4)
    assert (plan.precision, plan.seeds, plan.offload, plan.sentence) == ("fp32", 4, False, "")
    assert plan_memory(R75B, None, "fp32", seeds=4).sentence == ""  # nobody knows better


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("config", [R75B, R69L, MODELS["r69e"]], ids=lambda c: c.name)
def test_less_memory_never_asks_for_more(config, precision):
    needed = []
    for free in range(80 * GB, 0, -GB // 2):
        try:
            plan = plan_memory(config, free, precision, seeds=4)
        except WorldTracingError as error:
            assert error.code == "WT-MEM-TOO-SMALL"
            assert plan.offload  # all has been tried before
            assert (plan.seeds, plan.precision) == (1, "fast")
            break
        assert plan.needed <= free
        assert plan.needed == needed_bytes(config, plan.precision, plan.seeds, offload=plan.offload)
        needed.append(plan.needed)
    assert len(set(needed)) >= 4


def test_seeds_are_split_first_then_blocks_offloaded_then_precision_lowered():
    four, one = needed_bytes(R75B, "fp32", 4), needed_bytes(R75B, "fp32", 1)
    assert plan_memory(R75B, four - 1, "fp32", seeds=4).seeds == 2
    plan = plan_memory(R75B, one - 1, "fp32", seeds=4)
    assert plan.offload
    assert plan.precision == "fp32"
    assert "offloaded" in plan.sentence
    plan = plan_memory(R75B, needed_bytes(R75B, "fp32", 1, offload=True) - 1, "fp32", seeds=4)
    assert plan.precision == "fast"
    assert "bf16" in plan.sentence
    assert "GB are free" in plan.sentence


def test_too_little_memory_is_told_with_figures():
    with pytest.raises(WorldTracingError, match=r"r76 needs at least .* GB") as caught:
        plan_memory(R76, GB, frames=16)
    assert caught.value.code == "WT-MEM-TOO-SMALL"
    assert caught.value.fix


def test_free_memory_of_this_machine_is_plausible():
    free = free_memory("cpu")
    assert free is None or 10**8 < free < 10**14


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `cublasGemmEx`"), False),
        (RuntimeError("shape mismatch"), False),
        (ValueError("no"), False),
    ],
)
def test_out_of_memory_is_told_apart(error, expected):
    assert is_out_of_memory(error) is expected


def test_the_cpus_allocator_is_recognized():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_counting_needs_no_memory():
    assert all(tensor.is_meta for tensor in build_on_meta(R76).state_dict().values())


@pytest.mark.parametrize(("device", "index"), [("cuda", None), ("cuda:1", 1)])
def test_cached_memory_of_a_gpu_is_free(monkeypatch, device, index):
    figures = {"memory_reserved": 5, "memory_allocated": 2, "mem_get_info": (10, 99)}
    for name in figures:
        monkeypatch.setattr(torch.cuda, name, lambda asked, name=name: figures[name] if asked == index else 1 / 0)
    assert free_memory(device) == 13


def test_cached_memory_of_mps_is_free(monkeypatch):
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 100)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 90)
    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 30)
    assert free_memory("mps") == 70


def test_a_limit_counts_where_less_is_free_than_that(monkeypatch):
    monkeypatch.setenv("WORLDTRACING_MEMORY_GB", "0.001")
    assert free_memory("cpu") == 1_000_000
    monkeypatch.setenv("WORLDTRACING_MEMORY_GB", "1e9")
    assert free_memory("cpu") < 1e15
    monkeypatch.setenv("WORLDTRACING_MEMORY_GB", "much")
    assert free_memory("cpu") > 1_000_000
