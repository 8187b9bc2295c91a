"""Which devices this machine has, and what they are good at."""

from __future__ import annotations

import torch

from poetgen.config import Device, Precision
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


def pick_precision(wanted: Precision, device: str) -> torch.dtype:
    """Choose the number format of matrix products.

    ``auto`` takes bfloat16 only where the hardware multiplies it faster than float32; an
    emulated bfloat16 is many times slower.
    """
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    if device == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device == "cpu":
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    else:
        native = False
    return torch.bfloat16 if native else torch.float32
