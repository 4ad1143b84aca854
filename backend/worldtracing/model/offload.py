"""Run a model whose weights do not fit the device: blocks live in CPU memory and visit it one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .wt_dit import WTDiT

ALIGNMENT = 256  # bytes, as CUDA's own allocations


@dataclass(frozen=True)
class Weights:
    """The weights of one block in one place.

    Attributes:
        tensors: in the order of the block's parameters.
        pieces: the memory that holds them.
    """

    tensors: list[Tensor]
    pieces: list[Tensor]

    @classmethod
    def packed(cls, like: Sequence[Tensor], device: torch.device | str, pinned: bool = False) -> Weights:
        """New tensors in a single piece, so that one copy moves all, and because torch rounds every pinned piece up to
        a power of two: the tensors of a released block would take half as much again on their own."""
        starts, size = [], 0
        for x in like:
            starts.append(size)
            size += -(-x.nbytes // ALIGNMENT) * ALIGNMENT
        memory = torch.empty(size, dtype=torch.uint8, device=device, pin_memory=pinned)
        tensors = [
            memory[start : start + x.nbytes].view(x.dtype).view(x.shape) for start, x in zip(starts, like, strict=True)
        ]
        return cls(tensors, [memory])


class BlockStream:
    """Keeps the weights of equal blocks that run in a fixed order on the CPU, with room for two blocks on the device.

    While a block runs, the next one's weights are copied, on CUDA by a second stream; after the last comes the first.
    """

    def __init__(self, blocks: Sequence[nn.Module], device: torch.device, packed: bool | None = None) -> None:
        """
        Args:
            packed: whether weights are copied together into pieces of main memory; by default for CUDA alone, as
                elsewhere they may stay mapped to their file.
        """
        packed = device.type == "cuda" if packed is None else packed
        self.stored = [self._store(block, device, packed) for block in blocks]
        like = self.stored[0].tensors
        self.slots = [self._slot(like, device, packed) for _ in range(2)]
        self.slot_of: dict[int, int] = {}  # the blocks whose weights are in a slot, or on their way
        self.next_slot = 0
        self.cuda = device.type == "cuda"
        if self.cuda:
            self.device = device  # events and streams are those of the current device unless it is named
            self.copies = torch.cuda.Stream(device)
            self.copies.wait_stream(torch.cuda.current_stream(device))  # may still use what the slots are made of
            self.filled = [torch.cuda.Event() for _ in self.slots]
            self.released = [torch.cuda.Event() for _ in self.slots]
        self._hooks = []
        for i, block in enumerate(blocks):
            self._hooks.append(block.register_forward_pre_hook(lambda module, _, i=i: self._enter(module, i)))
            self._hooks.append(block.register_forward_hook(lambda module, _, __, i=i: self._leave(module, i)))

    def stop(self) -> None:
        """No more streaming; the weights stay on the CPU."""
        for hook in self._hooks:
            hook.remove()
        self.slots.clear()

    @staticmethod
    def _store(block: nn.Module, device: torch.device, packed: bool) -> Weights:
        weights = [parameter.data.cpu() for parameter in block.parameters()]
        stored = Weights(weights, weights)
        if packed:
            stored = Weights.packed(weights, "cpu", pinned=device.type == "cuda")
            for place, values in zip(stored.tensors, weights, strict=True):
                place.copy_(values)
        for parameter, tensor in zip(block.parameters(), stored.tensors, strict=True):
            parameter.data = tensor
        return stored

    @staticmethod
    def _slot(like: Sequence[Tensor], device: torch.device, packed: bool) -> Weights:
        if packed:
            return Weights.packed(like, device)
        tensors = [torch.empty_like(x, device=device) for x in like]
        return Weights(tensors, tensors)

    def _fetch(self, i: int) -> None:
        slot = self.slot_of[i] = self.next_slot
        self.next_slot = 1 - slot
        if not self.cuda:
            self._copy(i, slot)
            return
        with torch.cuda.stream(self.copies):
            self.copies.wait_event(self.released[slot])
            self._copy(i, slot)
            self.filled[slot].record(self.copies)

    def _copy(self, i: int, slot: int) -> None:
        for buffer, weights in zip(self.slots[slot].pieces, self.stored[i].pieces, strict=True):
            buffer.copy_(weights, non_blocking=self.cuda)

    def _enter(self, block: nn.Module, i: int) -> None:
        if i not in self.slot_of:
            self.slot_of.clear()  # what is there belongs to a run that was broken off
            self._fetch(i)
        slot = self.slot_of[i]
        if self.cuda:
            self.filled[slot].wait(torch.cuda.current_stream(self.device))
        for parameter, buffer in zip(block.parameters(), self.slots[slot].tensors, strict=True):
            parameter.data = buffer
        following = (i + 1) % len(self.stored)
        if following not in self.slot_of:
            self._fetch(following)

    def _leave(self, block: nn.Module, i: int) -> None:
        for parameter, weights in zip(block.parameters(), self.stored[i].tensors, strict=True):
            parameter.data = weights
        slot = self.slot_of.pop(i)
        if self.cuda:
            self.released[slot].record(torch.cuda.current_stream(self.device))


def offload_blocks(model: WTDiT, device: torch.device | str) -> list[BlockStream]:
    """Stream the blocks of encoder, decoder and head through `device`, and move everything else there.

    Peak memory falls from all weights to those of two blocks; results are the same. `stop` the streams to end it.
    """
    device = torch.device(device)
    net = model.net
    denoising: list[nn.Module] = []
    for i, block in enumerate(net.decoder_blocks):
        denoising.append(block)
        if block.kind == "global" and len(model.temporal_blocks):
            denoising.append(model.temporal_blocks[i // 3])
    denoising += net.latents_projection.geo_blocks
    streamed = {p for block in (*denoising, *net.encoder.blocks) for p in block.parameters()}
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor not in streamed:
            tensor.data = tensor.data.to(device)
    return [BlockStream(list(net.encoder.blocks), device), BlockStream(denoising, device)]
