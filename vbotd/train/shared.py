"""Tensors that a process shares with the copies that it makes of itself by forking."""

from __future__ import annotations

import math
import mmap

import torch
from torch import Tensor, nn


def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return zeros in anonymous shared memory: no name, no file, no limit of /dev/shm, gone with the last process."""
    count = math.prod(shape)
    if count == 0:
        return torch.zeros(shape, dtype=dtype)
    return torch.frombuffer(mmap.mmap(-1, count * dtype.itemsize), dtype=dtype, count=count).view(shape)


def share(module: nn.Module) -> None:
    """Move a module's parameters and buffers into shared memory; whatever changes them in place changes them for all.

    Order: before an optimiser is made of them.
    """
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = zeros(*tensor.shape, dtype=tensor.dtype).copy_(tensor.data)
