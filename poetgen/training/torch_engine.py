"""Training in torch, on any device."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from poetgen.config import Engine as EngineName
from poetgen.config import ModelConfig, TrainConfig
from poetgen.corpus.vocabulary import PAD
from poetgen.generation.decode import Stepper
from poetgen.networks.cells import CELLS
from poetgen.networks.devices import has_bfloat16_flags, pick_device, pick_precision
from poetgen.networks.model import Weights
from poetgen.networks.numpy_model import NumpyModel
from poetgen.networks.torch_model import LanguageModel, TorchStepper, weights_of
from poetgen.networks.torch_recurrence import TorchState
from poetgen.tensor_file import Arrays
from poetgen.training.averaging import share_at
from poetgen.training.batches import Batch, part_of
from poetgen.training.layout import RANDOM, Layout
from poetgen.training.optimizers import ALPHA, BETAS
from poetgen.training.processes import ALONE, Processes
from poetgen.training.threads import Threads, at_first

# In a snapshot, the steps that the average has followed.
_NUM_LEARNED = "steps.average"


class _Learner(torch.nn.Module):
    """The model as DistributedDataParallel needs it: a forward pass that returns the loss."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        inputs: torch.Tensor,
        wanted: torch.Tensor,
        places: torch.Tensor | None,
        state: TorchState | None,
    ) -> tuple[torch.Tensor, TorchState]:
        return self.model.summed_loss(inputs, wanted, places, state)


class TorchEngine:
    """A torch model and its optimizer; weights are float32, products in the chosen precision.

    A batch is processed in parts: ``accumulate`` parts, one after the other, in each process.
    Every part has its own rows, and its own carried state.
    """

    name: EngineName = "torch"

    def __init__(
        self, config: TrainConfig, model_config: ModelConfig, processes: Processes = ALONE
    ) -> None:
        """Draw fresh weights from the seed, which becomes that of torch's global generator.

        Raises:
            DeviceError: the device asked for is not there.
        """
        self.device = pick_device(config.device)
        self._dtype = pick_precision(config.precision, self.device, model_config)
        self.precision = str(self._dtype).removeprefix("torch.")
        self.remark = ""
        lacks = self.device == "cpu" and self.precision == "float32" and has_bfloat16_flags()
        if lacks and config.precision == "auto":
            self.remark = (
                "The CPU has bfloat16, but oneDNN cannot use it here: products are in float32."
            )
        self.threads = Threads(
            config.threads, at_first(torch.get_num_threads), torch.set_num_threads
        )
        self.versions: Mapping[str, str] = {"torch": torch.__version__}
        self._config = config
        self._processes = processes
        torch.manual_seed(config.seed)
        self.model = LanguageModel(model_config, config.dropout).to(self.device)
        self._learner: torch.nn.Module = _Learner(self.model)
        if processes.size > 1:
            self._learner = torch.nn.parallel.DistributedDataParallel(self._learner)
            # The same weights, but other dropout masks.
            torch.manual_seed(config.seed + processes.rank)
        self.optimizer = make_optimizer(config, self.model, self.device)
        self._average = None if config.average_steps is None else copy.deepcopy(self.model)
        self._num_learned = 0
        self._num_parts = processes.size * config.accumulate
        first = processes.rank * config.accumulate
        self._parts = range(first, first + config.accumulate)
        self._states: dict[int, TorchState] = {}

    def train_step(self, batch: Batch, rate: float) -> torch.Tensor:
        """Learn from one batch; return its mean loss per token, still on the device.

        If it or the gradient is not finite, nothing is learned and the loss is NaN.
        """
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.zeros((), device=self.device)
        for part in self._parts:
            # The gradients of the processes are averaged once, in the last part.
            sync = part == self._parts[-1] or self._processes.size == 1
            with contextlib.nullcontext() if sync else self._learner.no_sync():  # type: ignore[operator]
                loss += self._learn(part, part_of(batch, part, self._num_parts), batch.num_targets)
        if self._processes.size > 1:
            torch.distributed.all_reduce(loss)
        norm = self._clip()
        # On a GPU this check would synchronise; there the loop finds out, and goes back.
        if self.device == "cpu" and not (math.isfinite(loss) and math.isfinite(norm)):
            return torch.tensor(math.nan)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self._follow_average()
        return loss

    @torch.no_grad()
    def _follow_average(self) -> None:
        self._num_learned += 1
        if self._average is None or self._config.average_steps is None:
            return
        share = share_at(self._num_learned, self._config.average_steps)
        if share:
            averages, weights = self._average.parameters(), self.model.parameters()
            torch._foreach_lerp_(list(averages), list(weights), share)

    @property
    def _current(self) -> LanguageModel:
        """The model that is measured and saved."""
        return self.model if self._average is None else self._average

    def _learn(self, number: int, part: Batch, num_targets: int) -> torch.Tensor:
        """Add a part's gradients; return its share of the mean loss."""
        inputs, wanted, places = self._read(part)
        with self._autocast():
            loss, state = self._learner(inputs, wanted, places, self._states.get(number))
        # Gradients of several processes are averaged, but the sum is needed.
        (loss * (self._processes.size / num_targets)).backward()
        self._states[number] = state
        share: torch.Tensor = loss.detach() / num_targets
        return share

    def _read(self, part: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Bring a batch to the device.

        Whatever depends on numbers is computed on the host, so the GPU never synchronises.

        Returns:
            The inputs (B, T); the ids (N,) of the targets that are not padding; and, if
            there is padding, their places (N,) among the B · T.
        """
        inputs, targets = part.read()
        flat = targets.ravel()
        if not part.num_padded:
            return self._bring(inputs), self._bring(flat), None
        places = np.flatnonzero(flat != PAD)
        return self._bring(inputs), self._bring(flat[places]), self._bring(places)

    def _bring(self, numbers: NDArray[np.int64]) -> torch.Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(numbers))
        if self.device == "cuda":
            # From pinned memory the copy runs beside the computation.
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)

    def _clip(self) -> torch.Tensor:
        """Clip the gradients as the settings say; return their norm before that."""
        config, weights = self._config, list(self.model.parameters())
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        before = norm = torch.nn.utils.get_total_norm(gradients)
        if config.grad_clip_value is not None:
            torch.nn.utils.clip_grad_value_(weights, config.grad_clip_value)
            norm = torch.nn.utils.get_total_norm(gradients)
        if config.grad_clip:
            torch.nn.utils.clip_grads_with_norm_(weights, config.grad_clip, norm)
        return before

    def forget(self) -> None:
        """Let the next batch start with an empty state."""
        self._states = {}

    def losses(
        self, inputs: NDArray[np.int64], targets: NDArray[np.int64], pad: int
    ) -> NDArray[np.float64]:
        """Return the loss in nats of every target (B, T) that is not ``pad``, (N,).

        Products are in the precision of training, for speed.
        """
        with self._autocast():
            return TorchStepper(self._current).losses(inputs, targets, pad)

    def network(self) -> Stepper[Any]:
        """Return the model as it is now, for generation."""
        if self.device == "cpu":
            # Token by token, numpy is many times faster.
            return NumpyModel(self.model.config, self.weights())
        return TorchStepper(self._current)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device, self._dtype, enabled=self._dtype != torch.float32)

    def weights(self) -> Weights:
        """Return a copy of the weights, or of their average, by name, as float32."""
        return weights_of(self._current)

    def start_from(self, weights: Weights) -> None:
        """Replace the weights that were drawn by these."""
        tensors = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
        for model in self._models():
            model.load_state_dict(tensors)

    def _models(self) -> list[LanguageModel]:
        return [self.model] if self._average is None else [self.model, self._average]

    def snapshot(self) -> Arrays:
        """Return a copy of weights, optimizer, carried state and all random states."""
        arrays: Arrays = {f"model.{name}": w for name, w in weights_of(self.model).items()}
        if self._average is not None:
            arrays |= {f"average.{name}": w for name, w in weights_of(self._average).items()}
            arrays[_NUM_LEARNED] = np.array([self._num_learned])
        for index, slots in self.optimizer.state_dict()["state"].items():
            for slot, value in slots.items():
                if value is not None:
                    arrays[f"optimizer.{index}.{slot}"] = value.cpu().numpy().copy()
        random = {"cpu": torch.get_rng_state().numpy()}
        if self.device == "cuda":
            random["cuda"] = torch.cuda.get_rng_state().numpy()
        for rank, theirs in enumerate(self._processes.gather(random)):
            arrays |= {f"random.{rank}.{device}": state for device, state in theirs.items()}
        for states in self._processes.gather(self._host_states()):
            for (part, number), rows in states.items():
                arrays[f"state.{part}.{number}"] = rows
        return arrays

    def _host_states(self) -> dict[tuple[int, int], NDArray[np.float32]]:
        return {
            (part, number): tensor.float().cpu().numpy()
            for part, state in self._states.items()
            for number, tensor in enumerate(state)
        }

    def layout(self, has_learned: bool, carried: Batch | None) -> Layout:
        """Return the layout of a snapshot of the present number of processes and parts."""
        layout = {f"model.{name}": _spec(weight) for name, weight in self.model.named_parameters()}
        if self._average is not None:
            layout |= {f"average.{name}": _spec(w) for name, w in self._average.named_parameters()}
            layout[_NUM_LEARNED] = "int64", (1,)
        slots = _slots_of(self._config, self.device) if has_learned else {}
        for index, weight in enumerate(self.model.parameters()):
            for slot, spec in slots.items():
                layout[f"optimizer.{index}.{slot}"] = spec if spec[1] == (1,) else _spec(weight)
        for rank in range(self._processes.size):
            layout[f"{RANDOM}{rank}.cpu"] = _spec(torch.get_rng_state())
        if carried is not None:
            config = self.model.config
            for part in range(self._num_parts):
                num_rows = len(part_of(carried, part, self._num_parts).starts)
                rows = ("float32", (config.num_layers, num_rows, config.hidden_size))
                for number in range(CELLS[config.arch].num_states):
                    layout[f"state.{part}.{number}"] = rows
        return layout

    def restore(self, arrays: Arrays) -> None:
        """Go back to a snapshot, which has the layout of this engine and model.

        Raises:
            ValueError: its random state or a number of steps is invalid.
        """
        weights: dict[str, torch.Tensor] = {}
        averages: dict[str, torch.Tensor] = {}
        slots: dict[int, dict[str, torch.Tensor]] = {}
        states: dict[int, list[torch.Tensor]] = {}
        for name, array in sorted(arrays.items()):
            kind, _, rest = name.partition(".")
            tensor = torch.from_numpy(np.array(array))
            if kind == "model":
                weights[rest] = tensor
            elif kind == "average":
                averages[rest] = tensor
            elif kind == "optimizer":
                index, _, slot = rest.partition(".")
                slots.setdefault(int(index), {})[slot] = tensor
            elif kind == "state":
                states.setdefault(int(rest.partition(".")[0]), []).append(tensor.to(self.device))
        self.model.load_state_dict(weights)
        if self._average is not None:
            self._average.load_state_dict(averages)
            self._num_learned = int(arrays[_NUM_LEARNED][0])
            if self._num_learned < 0:
                raise ValueError("the number of steps is below zero")
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": slots})
        self._restore_random(arrays)
        self._states = {part: tuple(state) for part, state in states.items() if part in self._parts}

    def _restore_random(self, arrays: Arrays) -> None:
        random = f"{RANDOM}{self._processes.rank}"
        try:
            torch.set_rng_state(torch.from_numpy(np.array(arrays[f"{random}.cpu"])))
            if self.device == "cuda" and f"{random}.cuda" in arrays:
                torch.cuda.set_rng_state(torch.from_numpy(np.array(arrays[f"{random}.cuda"])))
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"{random} is not a random state") from error


def _spec(tensor: torch.Tensor) -> tuple[str, tuple[int, ...]]:
    # In a file, a scalar is an array of one number.
    return str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape) or (1,)


def _slots_of(config: TrainConfig, device: str) -> Layout:
    """Return the layout of the optimizer's state for a weight that is not a scalar."""
    one = torch.nn.ParameterList([torch.zeros(1, 1, device=device)])
    optimizer = make_optimizer(config, one, device)
    for weight in one:
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    states = optimizer.state_dict()["state"].values()
    return {
        slot: _spec(value) for state in states for slot, value in state.items() if value is not None
    }


def make_optimizer(
    config: TrainConfig, model: torch.nn.Module, device: str
) -> torch.optim.Optimizer:
    """Return the optimizer asked for, with the constants of ``optimizers``."""
    weights, rate = model.parameters(), config.peak_rate
    match config.optimizer:
        case "adamw":
            return torch.optim.AdamW(
                weights,
                rate,
                BETAS,
                weight_decay=config.weight_decay,
                fused=device in ("cpu", "cuda"),
            )
        case "adam":
            return torch.optim.Adam(weights, rate, BETAS, fused=device in ("cpu", "cuda"))
        case "sgd":
            return torch.optim.SGD(weights, rate)
        case "rmsprop":
            return torch.optim.RMSprop(weights, rate, ALPHA)
        case "adagrad":
            return torch.optim.Adagrad(weights, rate)
