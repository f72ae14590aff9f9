"""Training in several processes, on one machine or many, by PyTorch's own engine.

``torchrun --nproc-per-node 2 -m spec2 prune lenet`` starts two that share every batch: each computes the
gradient of its images, ``DistributedDataParallel`` averages them, and all take the same step. So the result
is that of one process but for rounding, with any number of them; with batch norm, each process normalises
by the statistics of its own images, and the result differs as with a smaller batch. The processes draw the
same random numbers, read the same files and prune alike; the first writes.

S. Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", VLDB 2020
(arXiv:2006.15704).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

# DistributedDataParallel imports this when first made; its functions then keep the process group of that
# moment as a default argument, with threads that outlive Python and may abort the process as it ends.
import torch.distributed.nn
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class World:
    """The processes of a job: their number and this one's."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """``model``, its gradients averaged over all processes."""
        return model if self.size == 1 else DistributedDataParallel(model)

    def share(self, x: torch.Tensor) -> torch.Tensor:
        """This process's part of a batch."""
        return x[self.rank :: self.size]

    def mean(self, value: float) -> float:
        """The mean of all processes' values."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(total)
        return float(total) / self.size


@contextmanager
def joined() -> Iterator[World]:
    """The world that torchrun started this process in; without torchrun a world of one."""
    if not distributed.is_torchelastic_launched() or distributed.is_initialized():
        yield World()
        return
    distributed.init_process_group("gloo")
    try:
        yield World(distributed.get_rank(), distributed.get_world_size())
        distributed.barrier()  # nobody hangs up on one that still talks
    finally:
        gc.collect()  # models that still hold the group, and so its threads
        distributed.destroy_process_group()
