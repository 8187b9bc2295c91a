"""Training in plain numpy: gradients by hand, optimizers over one flat array."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import threadpoolctl
from numpy.typing import NDArray

from poetgen.arrays import FloatArray
from poetgen.config import Engine as EngineName
from poetgen.config import ModelConfig, TrainConfig
from poetgen.corpus.vocabulary import PAD
from poetgen.errors import DeviceError, SettingError
from poetgen.networks.bptt import draw_masks, loss_and_gradients
from poetgen.networks.cells import CELLS
from poetgen.networks.initialisation import draw_weights
from poetgen.networks.model import Weights, weight_shapes
from poetgen.networks.numpy_model import NumpyModel, States
from poetgen.tensor_file import Arrays
from poetgen.training.averaging import share_at
from poetgen.training.batches import Batch
from poetgen.training.layout import Layout
from poetgen.training.optimizers import FlatOptimizer, clip
from poetgen.training.threads import Threads, at_first

# Streams of random numbers of one seed; the order of the data is drawn from (seed, epoch).
_WEIGHTS, _DROPOUT = 1, 2


class NumpyEngine:
    """A model whose weights are views of one flat float32 array.

    Dropout in step n is a function of the seed and n, so no random state has to be kept.
    """

    name: EngineName = "numpy"

    def __init__(self, config: TrainConfig, model_config: ModelConfig, remark: str = "") -> None:
        """Draw fresh weights from the seed; ``remark`` is what the user should know.

        Raises:
            DeviceError: a device other than the CPU is asked for.
            SettingError: a precision other than float32 is asked for.
        """
        if config.device not in ("auto", "cpu"):
            raise DeviceError(
                f"numpy does not compute on {config.device}.",
                "Leave --device out, or take --engine torch.",
            )
        if config.precision not in ("auto", "float32"):
            raise SettingError(
                f"numpy does not compute in {config.precision}.",
                "Leave --precision out, or take --engine torch.",
            )
        self.device = "cpu"
        self.precision = "float32"
        self.remark = remark
        self.versions: Mapping[str, str] = {"numpy": np.__version__}
        self._config = config
        self._model_config = model_config
        rng = np.random.default_rng([config.seed, 0, _WEIGHTS])
        self._flat = _flatten(model_config, draw_weights(model_config, rng))
        self._weights = _views(model_config, self._flat)
        self._optimizer = FlatOptimizer(config.optimizer, self._flat, config.weight_decay)
        self._average = None if config.average_steps is None else self._flat.copy()
        self._state: States | None = None
        self.threads = Threads(config.threads, at_first(_num_blas_threads), _set_blas_threads)

    # A loss that is NaN or infinite is reported by the training loop.
    @np.errstate(all="ignore")
    def train_step(self, batch: Batch, rate: float) -> float:
        """Learn from one batch; return its mean loss per token before the step.

        If it or the gradient is not finite, nothing is learned and the loss is NaN.
        """
        config = self._config
        rng = np.random.default_rng([config.seed, self._optimizer.num_steps, _DROPOUT])
        inputs, targets = batch.read()
        masks = draw_masks(self._model_config, inputs.T.shape, config.dropout, rng)
        loss, gradients, state = loss_and_gradients(
            NumpyModel(self._model_config, self._weights), inputs, targets, PAD, self._state, masks
        )
        gradient = _flatten(self._model_config, gradients)
        if not (math.isfinite(loss) and np.isfinite(gradient).all()):
            return math.nan
        self._state = state
        clip(gradient, config.grad_clip, config.grad_clip_value)
        self._optimizer.step(self._flat, gradient, rate)
        if self._average is not None and config.average_steps is not None:
            share = share_at(self._optimizer.num_steps, config.average_steps)
            if share:
                self._average += share * (self._flat - self._average)
        return loss

    def forget(self) -> None:
        """Let the next batch start with an empty state."""
        self._state = None

    def losses(
        self, inputs: NDArray[np.int64], targets: NDArray[np.int64], pad: int
    ) -> NDArray[np.float64]:
        """Return the loss in nats of every target (B, T) that is not ``pad``, (N,)."""
        return self.network().losses(inputs, targets, pad)

    def network(self) -> NumpyModel:
        """Return the model, or the average, as it is now."""
        weights = self._weights
        if self._average is not None:
            weights = _views(self._model_config, self._average)
        return NumpyModel(self._model_config, weights)

    def weights(self) -> Weights:
        """Return a copy of the weights, or of their average, by name, as float32."""
        return {name: w.copy() for name, w in self.network().weights.items()}

    def start_from(self, weights: Weights) -> None:
        """Replace the weights that were drawn by these."""
        self._flat[:] = _flatten(self._model_config, weights)
        if self._average is not None:
            self._average[:] = self._flat

    def snapshot(self) -> Arrays:
        """Return a copy of weights, optimizer and carried state."""
        arrays: Arrays = {
            "weights": self._flat.copy(),
            "optimizer.num_steps": np.array([self._optimizer.num_steps]),
        }
        if self._average is not None:
            arrays["average"] = self._average.copy()
        for slot, values in self._optimizer.slots.items():
            arrays[f"optimizer.{slot}"] = values.copy()
        for layer, parts in enumerate(self._state or []):
            for number, part in enumerate(parts):
                arrays[f"state.{layer}.{number}"] = part
        return arrays

    def layout(self, has_learned: bool, carried: Batch | None) -> Layout:
        """Return the layout of a snapshot; it is the same before the first step."""
        flat = ("float32", self._flat.shape)
        layout = {f"optimizer.{slot}": flat for slot in self._optimizer.slots}
        layout |= {"weights": flat, "optimizer.num_steps": ("int64", (1,))}
        if self._average is not None:
            layout["average"] = flat
        if carried is not None:
            config = self._model_config
            rows = ("float32", (len(carried.starts), config.hidden_size))
            for layer in range(config.num_layers):
                for number in range(CELLS[config.arch].num_states):
                    layout[f"state.{layer}.{number}"] = rows
        return layout

    def restore(self, arrays: Arrays) -> None:
        """Go back to a snapshot.

        Raises:
            ValueError: the number of steps of the optimizer is negative.
        """
        if arrays["optimizer.num_steps"][0] < 0:
            raise ValueError("the number of steps is below zero")
        self._flat[:] = arrays["weights"]
        if self._average is not None:
            self._average[:] = arrays["average"]
        self._optimizer.num_steps = int(arrays["optimizer.num_steps"][0])
        for slot, values in self._optimizer.slots.items():
            values[:] = arrays[f"optimizer.{slot}"]
        self._state = None
        if "state.0.0" in arrays:
            num_parts = CELLS[self._model_config.arch].num_states
            self._state = [
                tuple(arrays[f"state.{layer}.{number}"] for number in range(num_parts))
                for layer in range(self._model_config.num_layers)
            ]


def _num_blas_threads() -> int:
    libraries = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
    return max((library.num_threads for library in libraries), default=1)


def _set_blas_threads(number: int) -> None:
    for library in threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers:
        library.set_num_threads(number)


def _flatten(config: ModelConfig, weights: Weights) -> FloatArray:
    return np.concatenate([weights[name].ravel() for name in weight_shapes(config)])


def _views(config: ModelConfig, flat: FloatArray) -> Weights:
    views: Weights = {}
    first = 0
    for name, shape in weight_shapes(config).items():
        size = int(np.prod(shape))
        views[name] = flat[first : first + size].reshape(shape)
        first += size
    return views
