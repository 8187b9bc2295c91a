"""Several processes that train one model: who is who, and how they agree.

``torchrun`` starts the processes and tells each of them, in its environment, its rank and
their number. The first one decides, measures and writes; the others compute their share.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from poetgen.config import Device
from poetgen.errors import PoetgenError, SettingError
from poetgen.networks.torch_extra import need_torch

Value = TypeVar("Value")

# The others wait while the first one validates.
_PATIENCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Processes:
    """One process among its kind: its rank, below ``size``, and its rank on its machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the one that decides and writes."""
        return self.rank == 0

    def from_first(self, get: Callable[[], Value]) -> Value:
        """Let the first process get a value, and give it to all.

        If it fails there, it fails everywhere: the others end when the first one is gone.
        """
        if self.size == 1:
            return get()
        import torch.distributed as dist

        values: list[Any] = [get() if self.is_first else None]
        dist.broadcast_object_list(values)
        value: Value = values[0]
        return value

    def gather(self, value: Value) -> list[Value]:
        """Give everyone's values to everyone, by rank."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values


ALONE = Processes()


@contextmanager
def joined(device: Device) -> Iterator[Processes]:
    """Meet the other processes, if ``torchrun`` started more than one.

    Raises:
        DeviceError: the device asked for is not there.
        SettingError: torch is not installed.
        PoetgenError: another process has died while this one waited for it.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    need_torch(f"A training of {size} processes", "Or unset WORLD_SIZE.", SettingError)
    import torch
    import torch.distributed as dist

    from poetgen.networks.devices import pick_device

    rank, local_rank = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    backend = "gloo"
    if pick_device(device) == "cuda":
        # Before anything is sent, or all processes of a machine would meet on its first GPU.
        torch.cuda.set_device(local_rank)
        # Plain values go through the host, and so may a run that was begun on the CPU.
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield Processes(rank, size, local_rank)
    except RuntimeError as error:
        if not _is_about_others(error):
            raise
        raise PoetgenError(
            f"Another of the {size} processes of this training has died.",
            "Its own error says why. The run can go on from its checkpoint with --resume.",
        ) from error
    finally:
        dist.destroy_process_group()


def _is_about_others(error: RuntimeError) -> bool:
    """Tell a broken connection from a fault of our own."""
    import torch.distributed as dist

    words = ["gloo", "closed by peer", "connection reset", "broken pipe", "remote process exited"]
    is_network = isinstance(error, dist.DistNetworkError)
    return is_network or any(word in str(error).lower() for word in words)
