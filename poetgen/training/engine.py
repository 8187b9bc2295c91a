"""What the training loop needs of the machinery that computes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Protocol, SupportsFloat

import numpy as np
from numpy.typing import NDArray

from poetgen.config import Device, ModelConfig, ShapeConfig, TrainConfig
from poetgen.config import Engine as EngineName
from poetgen.corpus.corpus import Corpus
from poetgen.errors import DeviceError, SettingError
from poetgen.generation.decode import Stepper
from poetgen.networks.model import Model, Weights
from poetgen.networks.torch_extra import NO_TORCH, has_torch, need_torch
from poetgen.shortage import ensure_memory
from poetgen.tensor_file import Arrays
from poetgen.training.batches import Batch
from poetgen.training.layout import Layout
from poetgen.training.processes import ALONE, Processes
from poetgen.training.threads import Threads

# Less than torch needs for any useful model. Where it gets no memory, it may end the process.
_TORCH_BYTES = 640 * 2**20
# oneDNN keeps a plan for every shape it has met, up to 1,024 of them, some of megabytes. The
# shapes that recur at every step are a few dozen. Read when it is first used.
_NUM_PLANS = "256"


class Measurable(Protocol):
    """A network that tells how well it predicts."""

    def losses(
        self, inputs: NDArray[np.int64], targets: NDArray[np.int64], pad: int
    ) -> NDArray[np.float64]:
        """Give the loss in nats of every target (B, T) that is not ``pad``, (N,)."""


class Engine(Measurable, Protocol):
    """A model, its optimizer, and the state that is carried from batch to batch."""

    name: EngineName
    device: str
    precision: str
    # What the user should know about these two, if there is something.
    remark: str
    versions: Mapping[str, str]
    threads: Threads

    def train_step(self, batch: Batch, rate: float) -> SupportsFloat:
        """Learn from one batch; give its mean loss per token before the step.

        The state goes on from where the last batch ended. The loss may still be under way
        on the device; turning it into a float waits for it. If it is not finite, the run
        has to go back to a snapshot.
        """

    def forget(self) -> None:
        """Let the next batch begin with an empty state."""

    def network(self) -> Stepper[Any]:
        """Return the model as it is now, for writing; it never drops activations."""

    def weights(self) -> Weights:
        """Copy the weights, by name, as float32."""

    def snapshot(self) -> Arrays:
        """Copy everything that the next step depends on."""

    def layout(self, has_learned: bool, carried: Batch | None) -> Layout:
        """Return the layout of a snapshot: before the first step, or after it.

        The state in it is that after the batch ``carried``, if there is one.
        """

    def restore(self, arrays: Arrays) -> None:
        """Go back to a snapshot, which has the layout of this engine and model.

        Raises:
            ValueError: its random state is none.
        """


def model_config_of(config: TrainConfig, vocab_size: int) -> ModelConfig:
    """Return the shape of the model that a training makes."""
    shape = {field.name: getattr(config, field.name) for field in fields(ShapeConfig)}
    if config.one_hot:
        shape |= {"tied": False, "embedding_dim": vocab_size}
    return ModelConfig(vocab_size=vocab_size, **shape)


def pick_engine(wanted: EngineName, device: Device) -> EngineName:
    """Return what computes: for ``auto`` torch, or numpy where torch is not installed.

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
    """Start the engine asked for, with fresh weights; only torch's imports torch.

    Raises:
        DeviceError: the device is not there, or not for this engine.
        SettingError: the precision, or more than one process, is not for this engine; torch
            is asked for and not installed.
        ShortageError: there is no memory for torch.
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
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _NUM_PLANS)
    from poetgen.training.torch_engine import TorchEngine

    return TorchEngine(config, model_config, processes)


def model_of(
    engine: Engine,
    model_config: ModelConfig,
    corpus: Corpus,
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> Model:
    """Return the model as an engine has it now; ``training`` tells how it came about."""
    computed = {"device": engine.device, "precision": engine.precision, **engine.versions}
    return Model(
        config=model_config,
        vocabulary=corpus.vocabulary,
        weights=engine.weights(),
        script=corpus.script,
        training={**training, **computed},
        corpus={"name": corpus.name, "fingerprint": corpus.fingerprint},
        metrics=metrics,
    )
