"""What the training loop needs of the library that computes, and the choice among them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol, SupportsFloat

from poetgen.config import Device, ModelConfig, TrainConfig
from poetgen.config import Engine as EngineName
from poetgen.errors import DeviceError, SettingError
from poetgen.generation.decode import Stepper
from poetgen.networks.model import Weights
from poetgen.networks.torch_optional import NO_TORCH, has_torch, need_torch
from poetgen.shortage import ensure_memory
from poetgen.tensor_file import Arrays
from poetgen.training.batches import Batch
from poetgen.training.evaluation import Measurable
from poetgen.training.layout import Layout
from poetgen.training.processes import ALONE, Processes
from poetgen.training.threads import Threads

# Less than torch needs for any useful model. Where it gets no memory, it may end the process.
_TORCH_BYTES = 640 * 2**20
# oneDNN caches a kernel for every shape it has met, up to 1,024 of them, some of megabytes. The
# shapes that recur at every step are a few dozen. The variable is read at oneDNN's first use.
_NUM_KERNELS = "256"


class Engine(Measurable, Protocol):
    """A model, its optimizer, and the state that is carried from batch to batch."""

    name: EngineName
    device: str
    precision: str
    # What the user should know about device and precision, or an empty text.
    remark: str
    versions: Mapping[str, str]
    threads: Threads

    def train_step(self, batch: Batch, rate: float) -> SupportsFloat:
        """Learn from one batch; return its mean loss per token before the step.

        The state continues from the end of the last batch. The loss may still be computed
        on the device; turning it into a float waits for it. If it is not finite, the run
        has to go back to a snapshot.
        """

    def forget(self) -> None:
        """Let the next batch start with an empty state."""

    def network(self) -> Stepper[Any]:
        """Return the model as it is now, without dropout, for generation."""

    def weights(self) -> Weights:
        """Return a copy of the weights, by name, as float32."""

    def start_from(self, weights: Weights) -> None:
        """Replace the weights that were drawn by these, float32."""

    def snapshot(self) -> Arrays:
        """Return a copy of everything that the next step depends on."""

    def layout(self, has_learned: bool, carried: Batch | None) -> Layout:
        """Return the layout of a snapshot: before the first step, or after it.

        The state in it is that after the batch ``carried``, if there is one.
        """

    def restore(self, arrays: Arrays) -> None:
        """Go back to a snapshot, which has the layout of this engine and model.

        Raises:
            ValueError: its random state is invalid.
        """


def pick_engine(wanted: EngineName, device: Device) -> EngineName:
    """Return the engine to use: for ``auto`` torch, or numpy where torch is not installed.

    Raises:
        DeviceError, SettingError: what is asked for needs torch, which is not installed.
    """
    if wanted == "numpy":
        return "numpy"
    if device not in ("auto", "cpu"):
        need_torch(f"--device {device}", "Or leave --device out.", DeviceError)
    if wanted == "torch":
        need_torch("--engine torch", "A run begun with --engine numpy needs none.", SettingError)
    return "torch" if has_torch() else "numpy"


def make_engine(
    config: TrainConfig, model_config: ModelConfig, processes: Processes = ALONE
) -> Engine:
    """Return the engine asked for, with fresh weights; only torch's imports torch.

    Raises:
        DeviceError: the device is missing, or not supported by this engine.
        SettingError: the precision, or more than one process, is not supported by this
            engine; torch is asked for and not installed.
        ShortageError: there is not enough memory for torch.
    """
    if pick_engine(config.engine, config.device) == "numpy":
        if processes.size > 1 or config.accumulate > 1:
            raise SettingError(
                "numpy works through whole batches, in one process.",
                "Take --engine torch, or leave torchrun and --accumulate out.",
            )
        from poetgen.training.numpy_engine import NumpyEngine

        return NumpyEngine(config, model_config, NO_TORCH if config.engine == "auto" else "")
    ensure_memory(_TORCH_BYTES)
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _NUM_KERNELS)
    from poetgen.training.torch_engine import TorchEngine

    return TorchEngine(config, model_config, processes)
