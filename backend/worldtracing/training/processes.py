"""Data parallelism: the processes that torch's launcher started share each batch and average their gradients."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Processes:
    """This process among `count`; without torchrun there is one."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def average_gradients(self, model: nn.Module) -> None:
        if self.count > 1:
            grads = [p.grad for p in model.parameters() if p.grad is not None]
            flat = torch._utils._flatten_dense_tensors(grads)
            dist.all_reduce(flat)
            flat /= self.count
            for grad, mean in zip(grads, torch._utils._unflatten_dense_tensors(flat, grads), strict=True):
                grad.copy_(mean)

    def agree(self, value: float, device: torch.device) -> float:
        """The first process's value."""
        if self.count == 1:
            return value
        shared: Tensor = torch.tensor(value, dtype=torch.float64, device=device)
        dist.broadcast(shared, 0)
        return float(shared)

    def wait(self) -> None:
        if self.count > 1:
            dist.barrier()


def join_processes() -> tuple[Processes, torch.device]:
    """Join the group that `torchrun` describes in the environment, and take this process's device."""
    cuda = torch.cuda.is_available()
    if "RANK" not in os.environ:
        return Processes(), torch.device("cuda" if cuda else "cpu")
    dist.init_process_group("nccl" if cuda else "gloo")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    return Processes(dist.get_rank(), dist.get_world_size()), device
