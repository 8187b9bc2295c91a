"""The device that torch computes on, and the number format of its matrix products."""

from __future__ import annotations

import torch

from poetgen.config import Device, ModelConfig, Precision
from poetgen.errors import DeviceError
from poetgen.networks.torch_linear import multiplies_bfloat16
from poetgen.networks.torch_model import LanguageModel


def pick_device(wanted: Device) -> str:
    """Return the device to compute on; ``auto`` takes the fastest kind that torch can use here.

    Raises:
        DeviceError: ``wanted`` is missing; the message lists the available ones.
    """
    found = ["cuda"] if torch.cuda.is_available() else []
    found += ["mps"] if torch.backends.mps.is_available() else []
    found += ["cpu"]
    if wanted == "auto":
        return found[0]
    if wanted not in found:
        raise DeviceError(
            f"There is no {wanted} device on this machine (torch {torch.__version__}).",
            f"Available here: {', '.join(found)}. Choose one with --device, or leave it out.",
        )
    return wanted


def num_cuda_devices() -> int:
    """Return the number of CUDA devices that torch can use here."""
    return torch.cuda.device_count()


def pick_precision(wanted: Precision, device: str, config: ModelConfig) -> torch.dtype:
    """Return the number format of matrix products for training a model of this shape.

    ``auto`` takes bfloat16 only where the hardware multiplies it faster than float32 (an
    emulated bfloat16 is many times slower), and, on a CPU, where a small step in it works:
    in a virtual machine the CPU's flags may promise what the library does not find.
    """
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    if device == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device == "cpu":
        native = has_bfloat16_flags() and takes_a_step(config)
    else:
        native = False
    return torch.bfloat16 if native else torch.float32


def has_bfloat16_flags() -> bool:
    """Return whether the CPU's flags promise products in bfloat16."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def takes_a_step(config: ModelConfig) -> bool:
    """Return whether a small model of the same cell trains and reads in bfloat16 on this CPU.

    It must do so by instructions of the CPU, not by emulation.
    """
    if not multiplies_bfloat16():
        return False
    small = ModelConfig(arch=config.arch, vocab_size=8, embedding_dim=8, hidden_size=8)
    token_ids = torch.arange(8).view(2, 4)
    with torch.random.fork_rng(devices=[]):
        model = LanguageModel(small)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss, _ = model.summed_loss(token_ids, token_ids.flatten())
            torch.autograd.backward(loss)
            model.losses(token_ids, token_ids, pad=-1)
    except RuntimeError:
        # oneDNN reports it in several ways: no primitive, no descriptor, no support.
        return False
    return True
