"""Which devices this machine has, and what they are good at."""

from __future__ import annotations

import torch

from poetgen.config import Device
from poetgen.errors import DeviceError


def available_devices() -> list[str]:
    """List the kinds of device that torch can use here, the fastest first."""
    found = []
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def pick_device(wanted: Device) -> str:
    """Choose the device to compute on.

    Raises:
        DeviceError: ``wanted`` is not there; the message names what is.
    """
    there = available_devices()
    if wanted == "auto":
        return there[0]
    if wanted not in there:
        raise DeviceError(
            f"There is no {wanted} device on this machine (torch {torch.__version__}).",
            f"Available here: {', '.join(there)}. Choose one with --device, or leave it out.",
        )
    return wanted
