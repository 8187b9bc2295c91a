"""Several processes that train one model: their ranks, and how they agree.

``torchrun`` starts the processes and passes each of them, in its environment, its rank and
their number. The first one decides, measures and writes; the others compute their share.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from poetgen.config import Device
from poetgen.errors import DeviceError, PoetgenError, SettingError
from poetgen.networks.torch_optional import need_torch

Value = TypeVar("Value")

# The others wait while the first one validates.
_TIMEOUT = timedelta(hours=1)
_ADDRESS = ("MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, slots=True)
class Processes:
    """One of ``size`` processes: its rank among all, and its rank on its machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the process that decides and writes."""
        return self.rank == 0

    def from_first(self, get: Callable[[], Value]) -> Value:
        """Return to every process the value that ``get`` returns in the first one.

        If it fails there, it fails everywhere: the others end when the first one has ended.
        """
        if self.size == 1:
            return get()
        import torch.distributed as dist

        values: list[Any] = [get() if self.is_first else None]
        dist.broadcast_object_list(values)
        value: Value = values[0]
        return value

    def gather(self, value: Value) -> list[Value]:
        """Return the values of all processes, by rank, to each of them."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values


ALONE = Processes()


@contextmanager
def joined(device: Device) -> Iterator[Processes]:
    """Connect to the other processes, if ``torchrun`` started more than one.

    Raises:
        DeviceError: the device asked for is not there, or not for every process.
        SettingError: torch is not installed, or the environment is not as ``torchrun`` makes it.
        PoetgenError: the processes cannot connect, or another one died while this one
            waited for it.
    """
    processes = this_process()
    if processes.size == 1:
        yield ALONE
        return
    why = f"A training of {processes.size} processes"
    need_torch(why, "Or unset WORLD_SIZE.", SettingError)
    import torch.distributed as dist

    backend = _pick_backend(device, processes)
    try:
        dist.init_process_group(backend, timeout=_TIMEOUT)
    except dist.DistError as error:
        address = ":".join(os.environ[name] for name in _ADDRESS)
        raise PoetgenError(
            f"The {processes.size} processes cannot connect at {address}: {error}.",
            "Start them all with torchrun, at an address that all of them can reach.",
        ) from error
    try:
        yield processes
    except RuntimeError as error:
        if not _is_about_others(error):
            raise
        raise PoetgenError(
            f"Another of the {processes.size} processes of this training has died.",
            "Its own error says why. The run can go on from its checkpoint with --resume.",
        ) from error
    finally:
        # The shared model holds the connection, in a reference cycle, and has to be gone first.
        # Who lets go of a connection last ends its threads, which may wait for Python; the model
        # would do so without letting them into it, and both would wait forever.
        gc.collect()
        dist.destroy_process_group()


def this_process() -> Processes:
    """Return the rank of this process, from the environment that torchrun sets.

    A variable that is empty counts as unset.

    Raises:
        SettingError: a variable is missing, not a number, or contradicts another one.
    """
    size = _read_number("WORLD_SIZE", 1, sys.maxsize, default="1")
    if size == 1:
        return ALONE
    if not all(os.environ.get(name) for name in _ADDRESS):
        raise _wrong_environment(f"WORLD_SIZE is {size}, but {' or '.join(_ADDRESS)} is not")
    _read_number("MASTER_PORT", 0, 65535)
    rank = _read_number("RANK", 0, size - 1)
    return Processes(rank, size, _read_number("LOCAL_RANK", 0, size - 1, default="0"))


def _read_number(name: str, low: int, high: int, default: str = "") -> int:
    text = os.environ.get(name) or default
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if low <= number <= high:
        return number
    raise _wrong_environment(f"{name} is {text!r}, not a whole number from {low} to {high}")


def _wrong_environment(problem: str) -> SettingError:
    return SettingError(
        f"In the environment, {problem}.",
        "Start several processes with torchrun, which sets all of it; for one, unset WORLD_SIZE.",
    )


def _pick_backend(device: Device, processes: Processes) -> str:
    """Return the backend of the connection; select the GPU of this process.

    Raises:
        DeviceError: the device is missing, or there is no GPU for this process.
    """
    import torch

    from poetgen.networks.devices import pick_device

    if pick_device(device) != "cuda":
        return "gloo"
    num_gpus = torch.cuda.device_count()
    if processes.local_rank >= num_gpus:
        raise DeviceError(
            f"Process {processes.local_rank} of this machine has no GPU: there are {num_gpus}.",
            f"Start at most {num_gpus} with torchrun --nproc-per-node, or give --device cpu.",
        )
    # Before anything is sent, or all processes of a machine would use its first GPU.
    torch.cuda.set_device(processes.local_rank)
    # Plain values go through the host.
    return "cpu:gloo,cuda:nccl"


def _is_about_others(error: RuntimeError) -> bool:
    """Return whether an error is about a broken connection, not a bug in poetgen."""
    import torch.distributed as dist

    words = ["gloo", "closed by peer", "connection reset", "broken pipe", "remote process exited"]
    is_network = isinstance(error, dist.DistNetworkError)
    return is_network or any(word in str(error).lower() for word in words)
