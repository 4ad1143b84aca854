"""Where training samples come from: anything that gives the renders with given numbers, always the same ones."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from ..errors import WorldTracingError


class Renders(NamedTuple):
    """Rendered samples.

    Attributes:
        rgba: (n, H, W, 4) uint8, sRGB and matte.
        depth: (n, layers, H, W) float32 z of each surface, 0 where there is none.
        intrinsics: (n, 4) float32 fx, fy, cx, cy in pixels.
    """

    rgba: Tensor
    depth: Tensor
    intrinsics: Tensor

    def to(self, device: torch.device) -> Renders:
        return Renders(*(x.to(device, non_blocking=True) for x in self))


class Source(Protocol):
    """An endless sequence of samples. Whether they are read or rendered on the fly is the source's business."""

    def draw(self, first: int, count: int, size: int) -> Renders:
        """Samples number `first` to `first + count` of the sequence, pictures of `size` x `size` pixels."""
        ...

    def state(self) -> list:
        """What beside the configuration determines the sequence so far, in plain numbers."""
        ...

    def restore(self, state: list) -> None:
        """Continue the sequence of the source whose `state` this was."""
        ...


class ShardSource:
    """A data set's samples in a new random order every epoch; shards that appear later take part from the next on."""

    def __init__(self, folder: str, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.epochs: list[list[int]] = []  # [number of the first sample drawn, samples in the data set]
        self._reader = None
        self._order: tuple[int, np.ndarray] = (-1, np.zeros(0, int))

    def draw(self, first: int, count: int, size: int) -> Renders:
        """See `Source.draw`.

        Raises:
            WorldTracingError: WT-IO-READ without a data set, WT-TRAIN-SIZE where its pictures have another size.
        """
        indices = [self._index(i) for i in range(first, first + count)]  # may open a grown data set
        renders = to_renders(self.reader().batch(indices))
        if renders.rgba.shape[1:3] != (size, size):
            raise WorldTracingError(
                "WT-TRAIN-SIZE",
                f"The samples in {self.folder} are {renders.rgba.shape[1]} pixels wide, and {size} are wanted.",
                "Render a data set of that size, or change the phase's size.",
            )
        return renders

    def state(self) -> list:
        return [list(epoch) for epoch in self.epochs]

    def restore(self, state: list) -> None:
        self.epochs = [list(epoch) for epoch in state]

    def reader(self, at_least: int = 0):
        """The data set's reader, opened again where it must hold more samples than it did."""
        from ..data.shards import ShardReader

        if self._reader is None or len(self._reader) < at_least:
            self._reader = ShardReader(self.folder)
        return self._reader

    def _index(self, number: int) -> int:
        """Which sample of the data set comes as the `number`-th of the sequence."""
        while not self.epochs or number >= sum(self.epochs[-1]):
            self._reader = None
            self.epochs.append([sum(self.epochs[-1]) if self.epochs else 0, len(self.reader())])
        epoch = next(i for i in reversed(range(len(self.epochs))) if self.epochs[i][0] <= number)
        start, count = self.epochs[epoch]
        self.reader(at_least=count)
        if self._order[0] != epoch:
            self._order = epoch, np.random.default_rng([self.seed, epoch]).permutation(count)
        return int(self._order[1][number - start])


def to_renders(arrays: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Renders:
    """The arrays of `ShardReader.batch` as tensors."""
    return Renders(*map(torch.from_numpy, arrays))
