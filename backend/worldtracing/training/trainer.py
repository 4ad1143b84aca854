"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import torch
from torch import Tensor

from ..model.config import model_config
from ..model.conv_wt_dit import ConvWTDiT
from ..model.wt_dit import Estimate
from .augmentation import augmented
from .checkpoint import checkpoints, load_training, save_checkpoint, save_weights
from .config import Phase, TrainingConfig
from .initialization import flow_parameters, initialize
from .log import RunLog
from .losses import training_loss
from .optimizer import Ema, learning_rate, make_optimizers
from .processes import Processes
from .source import Renders, Source
from .targets import Targets, make_targets
from .validation import validate

LOG_EVERY = 100
MIN_TIME = 0.02
VALIDATION_BATCH = 30
FLOW_STEPS = 1, 4


class Trainer:
    """One run in the folder `run`, continued where its newest checkpoint is.

    A run that was killed continues with the samples and the noise that would have come; with a length in steps the
    result is the same to the bit on the CPU.
    """

    def __init__(
        self,
        config: TrainingConfig,
        run: Path,
        source: Source,
        held_out: list[Renders],
        processes: Processes,
        device: torch.device,
    ) -> None:
        self.config, self.run, self.source, self.held_out = config, run, source, held_out
        self.processes, self.device = processes, device
        torch.manual_seed(config.seed)
        self.model_config = model_config(config.model)
        self.model = ConvWTDiT(self.model_config)
        initialize(self.model)
        self.model.to(device=device, memory_format=torch.channels_last)
        self.optimizers = make_optimizers(self.model, config.weight_decay)
        self.ema = Ema(self.model, config.ema)
        self.estimate = torch.compile(self._estimate) if config.compile else self._estimate
        self.step = self.samples = self.phase_step = 0
        self.phase = -1
        self.seconds = 0.0
        if found := checkpoints(run):
            self._restore(load_training(found[-1]))
        self.log = RunLog(run) if processes.first else None
        self.reader = ThreadPoolExecutor(1)  # draws the next batch during a step
        self.drawn: tuple[tuple[int, int, int], Future[Renders]] | None = None

    def train(self) -> None:
        """Train to the end of the run; stops in between lose what came after the last checkpoint."""
        try:
            self._train()
        finally:
            self.reader.shutdown(cancel_futures=True)
            if self.log:
                self.log.close()

    def _train(self) -> None:
        config = self.config
        validated = saved = self.seconds
        losses: list[Tensor] = []
        begin = time.monotonic()
        while (progress := self._progress()) < 1:
            index, within = config.phase_at(progress)
            self._enter_phase(index)
            losses.append(self._train_step(config.phases[index], within))
            now = time.monotonic()
            self.seconds, begin = self.seconds + now - begin, now
            if self.step % LOG_EVERY == 0:
                self._log_loss(losses, progress)
                losses.clear()
            if self._due(validated, config.validate_minutes):
                self._validate()
                validated = self.seconds
            if self._due(saved, config.checkpoint_minutes):
                self.save()
                saved = self.seconds
            begin = time.monotonic()
        self.save()
        self._validate()

    def save(self) -> None:
        """Write a checkpoint."""
        if self.processes.first:
            training = {
                "model": self.model.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
                "source": self.source.state(),
                "counters": [self.step, self.samples, self.phase_step, self.phase],
                "seconds": self.seconds,
            }
            save_checkpoint(self.run, self.step, self.ema.weights, training, self.model_config)
        self.processes.wait()

    def _restore(self, training: dict) -> None:
        self.model.load_state_dict(training["model"])
        from safetensors.torch import load_file

        for optimizer, state in zip(self.optimizers, training["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        averaged = load_file(checkpoints(self.run)[-1] / "weights.safetensors")
        # Copied: tensors that stay mapped keep Windows from removing the checkpoint later.
        self.ema.weights = {name: averaged[name].to(self.device, copy=True) for name in self.ema.weights}
        self.source.restore(training["source"])
        self.step, self.samples, self.phase_step, self.phase = training["counters"]
        self.seconds = training["seconds"]
        self._freeze()

    def _progress(self) -> float:
        if self.config.steps:
            return self.step / self.config.steps
        return self.processes.agree(self.seconds, self.device) / (60 * self.config.minutes)

    def _due(self, last: float, minutes: float) -> bool:
        return self.processes.agree(self.seconds - last, self.device) >= 60 * minutes

    def _enter_phase(self, index: int) -> None:
        """Begin a phase, after keeping what the one before has made: flow matching first makes it worse."""
        if index == self.phase:
            return
        if self.step:
            self._validate()
            if self.processes.first:
                save_weights(self.run / f"phase-{self.phase}.safetensors", self.ema.weights, self.model_config)
        self.phase, self.phase_step = index, 0
        self._freeze()

    def _freeze(self) -> None:
        flow = self.config.phases[self.phase].objective == "flow"
        for p in flow_parameters(self.model):
            p.requires_grad_(flow)

    def _train_step(self, phase: Phase, within: float) -> Tensor:
        rates = (1.0, self.config.muon_ratio)
        for optimizer, rate in zip(self.optimizers, rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * learning_rate(phase.lr, within, self.phase_step, self.config.warmup)
        targets = self._draw(phase)
        x, t = self._noised(targets, phase)
        loss = training_loss(self.estimate(targets.picture, targets.rays, x, t), targets, t)
        self.model.zero_grad()
        loss.backward()
        self.processes.average_gradients(self.model)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        for optimizer in self.optimizers:
            optimizer.step()
        self.ema.update(self.model, self.step)
        self.step, self.samples, self.phase_step = self.step + 1, self.samples + phase.batch, self.phase_step + 1
        return loss.detach()

    def _draw(self, phase: Phase) -> Targets:
        """This process's share of the next batch."""
        share = phase.batch // self.processes.count
        first = self.samples + share * self.processes.rank
        wanted = first, share, phase.size
        drawn, self.drawn = self.drawn, None
        if drawn:
            wait([drawn[1]])  # a source is asked by one thread at a time
        renders = drawn[1].result() if drawn and drawn[0] == wanted else self.source.draw(*wanted)
        following = first + phase.batch, share, phase.size
        self.drawn = following, self.reader.submit(self.source.draw, *following)
        numbers = range(first, first + share)
        return make_targets(augmented(renders.to(self.device), numbers, self.config.seed))

    def _noised(self, targets: Targets, phase: Phase) -> tuple[Tensor, Tensor]:
        """The network's input x_t, noise alone where there is nothing to trace, and its noise level."""
        if phase.objective == "regression":
            return torch.zeros_like(targets.x0), torch.ones((), device=self.device)
        seed = (self.config.seed << 40) + (self.step << 8) + self.processes.rank
        generator = torch.Generator(self.device).manual_seed(seed)
        t = noise_levels(len(targets.x0), generator)
        noise = torch.randn(targets.x0.shape, generator=generator, device=self.device)
        level = t.view(-1, 1, 1, 1, 1)
        return torch.where(targets.traced, (1 - level) * targets.x0 + level * noise, noise), t

    def _estimate(self, picture: Tensor, rays: Tensor, x: Tensor, t: Tensor) -> Estimate:
        with self._autocast():
            return self.model.predict(x, t, self.model.condition(picture, rays))

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16)

    def _log_loss(self, losses: list[Tensor], progress: float) -> None:
        if self.log:
            self.log.write(
                "loss",
                self.step,
                {
                    "loss": float(torch.stack(losses).mean()),
                    "samples": self.samples,
                    "progress": progress,
                    "samples_per_second": self.samples / max(self.seconds, 1e-9),
                },
            )

    def _validate(self) -> None:
        """Score the averaged weights: in flow phases in one step, the most exact, and in several, the most varied."""
        if self.log and self.held_out:
            weights = {name: x.clone() for name, x in self.model.state_dict().items()}
            self.model.load_state_dict(self.ema.weights)
            flow = self.config.phases[self.phase].objective == "flow"
            for steps in FLOW_STEPS if flow else (0,):
                scores = validate(self.model, self._held_out_batches(), steps, self._autocast())
                self.log.write("scores", self.step, {"steps": steps, "samples": self.samples, **scores})
            self.model.load_state_dict(weights)
        self.processes.wait()

    def _held_out_batches(self) -> Iterator[Renders]:
        return (batch.to(self.device) for batch in self.held_out)


def noise_levels(count: int, generator: torch.Generator) -> Tensor:
    """(count,) noise levels: half pure noise, a quarter uniform, a quarter logit-normal."""
    device = generator.device
    choice = torch.rand(count, generator=generator, device=device)
    uniform = torch.rand(count, generator=generator, device=device)
    normal = torch.sigmoid(torch.randn(count, generator=generator, device=device) + 0.4)
    return torch.where(choice < 0.5, 1.0, torch.where(choice < 0.75, uniform, normal)).clamp(MIN_TIME, 1)
