"""How fast the sampler is: ratios from one run, and shares of the matrix-product peak measured in the same run.

    python benchmarks/sampler.py            the CPU part, and the GPU part where there is CUDA
    python benchmarks/sampler.py --json     one JSON object per line: name, value, unit, goal, ok

Weights are random; speed does not depend on them. The "as released" run is made of the same modules but works as the
released code does: image encoder in every step, float32 weights under autocast, float32 head, one seed after the other.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from measuring import inputs, matmul_rate, random_model, seconds, step_flops, synchronize
from report import Report
from torch import Tensor

from worldtracing.model import attention
from worldtracing.model.compilation import LIMIT_SECONDS, compile_blocks
from worldtracing.model.config import MODELS, EncoderConfig, ModelConfig
from worldtracing.model.precision import FAST, FP32, parameter_dtype
from worldtracing.model.tokens import Conditioning, unpatchify
from worldtracing.model.wt_dit import WTDiT, flow_velocity
from worldtracing.sampling import fill_noise, initial_noise, sample, time_grid
from worldtracing.weights.load import load_model
from worldtracing.weights.tensorfile import TensorSpec, WeightsHeader, write_weights

SEEDS = (42, 43, 44, 45)
T = TypeVar("T")
SMALL = ModelConfig(
    name="benchmark",
    image_size=140,
    width=384,
    blocks=6,
    heads=6,
    head_blocks=3,
    encoder=EncoderConfig(width=384, depth=6, heads=6),
)


@torch.inference_mode()
def as_released(model: WTDiT, rgb: Tensor, mask: Tensor, seeds: Sequence[int], steps: int) -> None:
    """What the released sampler does, from a float32 `model`."""
    device, config, head = rgb.device, model.config, model.net.latents_projection
    on_gpu = device.type == "cuda"
    whole = torch.autocast(device.type, torch.bfloat16, enabled=on_gpu)  # around all steps: weights are cast once
    exact = torch.autocast(device.type, enabled=False)
    shape, valid, times = mask[:, None].shape, mask[:, None], time_grid(steps).to(device)
    with whole:
        for seed in seeds:
            generator = torch.Generator(device).manual_seed(seed)
            x = initial_noise(generator, shape)
            for i in range(steps):
                filled = torch.where(valid, x, fill_noise(generator, shape, official=True))
                conditioning = model.condition(rgb)
                modulation = model.time_modulation(times[i])
                tokens = model.decode(model.noise_tokens(filled, conditioning), modulation, conditioning).float()
                with exact, attention_in(torch.bfloat16 if on_gpu else torch.float32):
                    patches = head(tokens, modulation.float(), conditioning.head_film, conditioning.head_rope)
                z = unpatchify(patches.flatten(1, 2), config.patch, conditioning.grid).transpose(1, 2)
                x = x - (times[i] - times[i + 1]) * flow_velocity(x, -z, times[i])


@contextlib.contextmanager
def attention_in(dtype: torch.dtype) -> Iterator[None]:
    """Softmax(q kᵀ) v in a type of its own, as in the released head."""
    plain = attention.attend
    attention.attend = lambda q, k, v, kind: plain(q.to(dtype), k.to(dtype), v.to(dtype), kind).to(q.dtype)
    try:
        yield
    finally:
        attention.attend = plain


@contextlib.contextmanager
def timed_attention() -> Iterator[dict[str, float]]:
    """Seconds spent in softmax(q kᵀ) v by kind, while the CPU works inside the context."""
    plain, spent = attention.attend, {}

    def attend(q: Tensor, k: Tensor, v: Tensor, kind: str) -> Tensor:
        start = time.process_time()
        out = plain(q, k, v, kind)
        spent[kind] = spent.get(kind, 0.0) + time.process_time() - start
        return out

    attention.attend = attend
    try:
        yield spent
    finally:
        attention.attend = plain


def cpu_part(report: Report, steps: int = 4) -> None:
    device = torch.device("cpu")
    torch.set_num_threads(1)  # so that the time of the process is that of the work, however busy the machine is
    rgb, mask = inputs(SMALL, device)
    flops = step_flops(SMALL)
    report.add("cpu: operations per step", flops / 1e9, "GFLOP")
    tokens = SMALL.layers * (SMALL.image_size // SMALL.patch) ** 2
    for precision in (FP32, FAST):
        model = random_model(SMALL, precision, device)
        with torch.inference_mode():
            conditioning = model.condition(rgb)
            encode = seconds(lambda model=model: model.condition(rgb), device)
        traced = seconds(lambda m=model, c=conditioning: sample(m, c, mask, [42], steps), device, 3)
        rate = matmul_rate(device, precision.compute, tokens, SMALL.width, 4 * SMALL.width)
        name = f"cpu {precision.name}"
        report.add(f"{name}: conditioning, once", encode, "s")
        report.add(f"{name}: one step", traced / steps, "s")
        report.add(f"{name}: one step / plain matmul of equal operations", traced / steps / (flops / rate), "x")
        with timed_attention() as spent:
            start = time.process_time()
            sample(model, conditioning, mask, [42], steps)
            whole = time.process_time() - start
        report.add(f"{name}: share of attention", sum(spent.values()) / whole, "", at_most=0.5)
        if precision is FP32:
            released = seconds(lambda m=model: as_released(m, rgb, mask, [42], steps), device)
            report.add(f"{name}: as released / ours, encoder in each step", released / (encode + traced), "x")
    plain, fused = ray_attention(device)
    report.add("cpu fast: ray attention, fused kernel / plain product", fused / plain, "x", at_least=1)


def loading_part(report: Report, device: torch.device, blocks: int) -> None:
    """Loading converted object weights against reading the file; the file is in the system's cache for both."""
    config = dataclasses.replace(MODELS["r75b"], blocks=blocks)
    with torch.device("meta"):
        state = WTDiT(config).state_dict()
    names = {torch.bfloat16: "BF16", torch.float32: "F32"}
    specs = [TensorSpec(key, names[parameter_dtype(key, FAST)], tuple(value.shape)) for key, value in state.items()]
    specs.sort(key=lambda spec: spec.dtype, reverse=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        write_weights(path, WeightsHeader(config, "bf16", "0" * 64), specs, (bytes(spec.size) for spec in specs))

        def read() -> None:
            buffer = bytearray(1 << 24)
            with path.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass

        def load() -> None:
            model, _ = load_model(path, device)
            if device.type == "cpu":  # mapped: touch every page
                for tensor in model.state_dict().values():
                    tensor.flatten()[:: 2048 // tensor.itemsize].sum()

        gigabytes = path.stat().st_size / 1e9
        report.add(
            f"{device.type}: load {gigabytes:.1f} GB of weights / read the file",
            seconds(load, device) / seconds(read, device),
            "x",
            at_most=2,
        )


def gpu_part(report: Report, compiled: str) -> None:
    """Every figure of a GPU; torch keeps what it compiles in the folder `compiled`."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = compiled
    device = torch.device("cuda")
    peak = matmul_rate(device, torch.bfloat16, 8192, 8192, 8192)
    report.add(f"gpu: bf16 matmul peak of {torch.cuda.get_device_name()}", peak / 1e12, "TFLOP/s")
    plain, fused = ray_attention(device)
    report.add("gpu: ray attention, fused kernel / plain product", fused / plain, "x", at_least=1)
    ours = if_it_fits(report, "r75b", lambda: gpu_model(report, MODELS["r75b"], peak, share=0.5))
    if ours:
        if_it_fits(report, "r75b as released", lambda: against_released(report, MODELS["r75b"], *ours))
    if_it_fits(report, "r69l", lambda: gpu_model(report, MODELS["r69l"], peak, share=0.4))
    if_it_fits(report, "loading", lambda: loading_part(report, device, MODELS["r75b"].blocks))


def if_it_fits(report: Report, what: str, work: Callable[[], T]) -> T | None:
    """What `work` returns; None where the GPU is too small for the rest of it, so that what follows still runs."""
    try:
        return work()
    except torch.OutOfMemoryError as error:
        report.skip(what, str(error).splitlines()[0])
    torch.cuda.empty_cache()
    return None


def gpu_model(report: Report, config: ModelConfig, peak: float, share: float) -> tuple[float, float]:
    """Time one released size; seconds of one seed and of four, the conditioning included."""
    device = torch.device("cuda")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    rgb, mask = inputs(config, device)
    model = random_model(config, FAST, device)
    with torch.inference_mode():
        conditioning = model.condition(rgb)
        encode = seconds(lambda: model.condition(rgb), device)

    def trace(model: WTDiT, *seeds: int) -> float:
        return seconds(lambda: sample(model, conditioning, mask, seeds, config.steps), device)

    eager = best = trace(model, 42)
    report.add(f"{config.name}: conditioning, once", encode, "s")
    report.add(f"{config.name}: {config.steps} steps, eager", eager, "s")
    report.add(f"{config.name}: peak memory, one seed", torch.cuda.max_memory_allocated() / 2**30, "GiB")
    try:
        first_image(report, f"{config.name}: first image", model, conditioning, mask)
        compiled = trace(model, 42)
        report.add(f"{config.name}: {config.steps} steps, compiled", compiled, "s")
        best = min(eager, compiled)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # without Triton or a C compiler torch raises errors of many kinds
        report.skip(f"{config.name}: compiled", f"{type(error).__name__}: {str(error).splitlines()[0]}")
        compiled = None
    if compiled is None or compiled > eager:
        model = random_model(config, FAST, device)
    flops = step_flops(config) * config.steps
    report.add(f"{config.name}: eager / best", eager / best, "x", at_most=2)
    report.add(f"{config.name}: share of the matmul peak", flops / best / peak, "", at_least=share)
    four = trace(model, *SEEDS)
    report.add(f"{config.name}: four seeds / one", four / best, "x", at_most=3.6)
    return encode + best, encode + four


@torch.inference_mode()
def first_image(report: Report, name: str, model: WTDiT, conditioning: Conditioning, mask: Tensor) -> None:
    """How long compiling and the first image take, without and with what torch keeps of it on disk."""
    for state in ("compiled anew", "compiled before"):
        torch._dynamo.reset()
        start = time.perf_counter()
        kinds = compile_blocks(model, conditioning)
        sample(model, conditioning, mask, [42], model.config.steps)
        synchronize(mask.device)
        wait = time.perf_counter() - start
        report.add(f"{name}, {len(kinds)} kinds of blocks {state}", wait, "s", at_most=LIMIT_SECONDS)


def against_released(report: Report, config: ModelConfig, one: float, four: float) -> None:
    device = torch.device("cuda")
    rgb, mask = inputs(config, device)
    model = random_model(config, FP32, device).requires_grad_(True)  # or autocast would cast weights at every use
    slow = seconds(lambda: as_released(model, rgb, mask, [42], config.steps), device, 1)
    report.add(f"{config.name}: as released / ours, one seed", slow / one, "x", at_least=5)
    report.add(f"{config.name}: as released / ours, four seeds", 4 * slow / four, "x", at_least=5)


def ray_attention(device: torch.device) -> tuple[float, float]:
    """Seconds of the two ways to attend over the six tokens of a ray in bf16, plain and fused, at the object's size."""
    q, k, v = torch.randn(3, 1296, 24, 6, 64, device=device).bfloat16()
    plain = seconds(lambda: attention.short_attention(q, k, v), device, 9)
    return plain, seconds(lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v), device, 9)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    report = Report(parser.parse_args().json)
    cpu_part(report)
    loading_part(report, torch.device("cpu"), blocks=6)
    if torch.cuda.is_available():
        with tempfile.TemporaryDirectory() as folder:
            gpu_part(report, folder)
    else:
        report.skip("gpu", "no CUDA device; run this again on a machine that has one")
    return 1 if report.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
