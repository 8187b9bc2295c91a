"""Training in torch, on any device."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from poetgen.config import ModelConfig, TrainConfig
from poetgen.generation.torch_stepper import TorchStepper
from poetgen.networks.devices import pick_device, pick_precision
from poetgen.networks.model_file import Weights
from poetgen.networks.torch_model import LanguageModel, TorchState, detach, weights_of
from poetgen.sealed import Arrays
from poetgen.text.batches import Batch
from poetgen.text.vocabulary import PAD
from poetgen.training.optimizers import ALPHA, BETAS


class TorchEngine:
    """A torch model and its optimizer; weights are float32, products what the device likes."""

    def __init__(self, config: TrainConfig, model_config: ModelConfig) -> None:
        """Draw fresh weights from the seed, which becomes that of torch's global generator.

        Raises:
            DeviceError: the device asked for is not there.
        """
        self.device = pick_device(config.device)
        self._dtype = pick_precision(config.precision, self.device)
        self.precision = str(self._dtype).removeprefix("torch.")
        self.versions: Mapping[str, str] = {"torch": torch.__version__}
        self._config = config
        torch.manual_seed(config.seed)
        self.model = LanguageModel(model_config, config.dropout).to(self.device)
        self.optimizer = make_optimizer(config, self.model, self.device)
        self._state: TorchState | None = None

    def train_step(self, batch: Batch, rate: float) -> torch.Tensor:
        """Learn from one batch; give its mean loss per token, still on the device.

        If it or the gradient is not finite, nothing is learned and the loss is NaN.
        """
        inputs = torch.from_numpy(batch.inputs).to(self.device, non_blocking=True)
        targets = torch.from_numpy(batch.targets).to(self.device, non_blocking=True)
        lower = self._dtype != torch.float32
        with torch.autocast(self.device, dtype=self._dtype, enabled=lower):
            outputs, state = self.model.hidden(inputs, self._state)
            loss = self.model.mean_loss(outputs, targets, PAD)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        loss = loss.detach()
        norm = self._clip()
        # On a GPU, looking would mean to wait; there the loop finds out, and goes back.
        if self.device == "cpu" and not (math.isfinite(loss) and math.isfinite(norm)):
            return torch.tensor(math.nan)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self._state = detach(state)
        return loss

    def _clip(self) -> torch.Tensor:
        """Shorten the gradients as the settings want; give their norm before that."""
        config, weights = self._config, list(self.model.parameters())
        if config.grad_clip_value is not None:
            torch.nn.utils.clip_grad_value_(weights, config.grad_clip_value)
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if config.grad_clip:
            torch.nn.utils.clip_grads_with_norm_(weights, config.grad_clip, norm)
        return norm

    def forget(self) -> None:
        """Let the next batch begin with an empty state."""
        self._state = None

    def network(self) -> TorchStepper:
        """Give the model as it is now, for reading."""
        return TorchStepper(self.model)

    def weights(self) -> Weights:
        """Copy the weights, by name, as float32."""
        return weights_of(self.model)

    def snapshot(self) -> Arrays:
        """Copy weights, optimizer, carried state and random states."""
        arrays: Arrays = {f"model.{name}": w for name, w in self.weights().items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            for slot, value in slots.items():
                if value is not None:
                    arrays[f"optimizer.{index}.{slot}"] = value.cpu().numpy().copy()
        if self._state is not None:
            parts = self._state if isinstance(self._state, tuple) else (self._state,)
            for number, part in enumerate(parts):
                arrays[f"state.{number}"] = part.float().cpu().numpy()
        arrays["random.cpu"] = torch.get_rng_state().numpy()
        if torch.cuda.is_available():
            arrays["random.cuda"] = torch.cuda.get_rng_state().numpy()
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Go back to a snapshot.

        Raises:
            KeyError, RuntimeError: it is not one of this engine and model.
        """
        weights: dict[str, torch.Tensor] = {}
        slots: dict[int, dict[str, torch.Tensor]] = {}
        state: list[torch.Tensor] = []
        for name, array in sorted(arrays.items()):
            kind, _, rest = name.partition(".")
            tensor = torch.from_numpy(np.array(array))
            if kind == "model":
                weights[rest] = tensor
            elif kind == "optimizer":
                index, _, slot = rest.partition(".")
                slots.setdefault(int(index), {})[slot] = tensor
            elif kind == "state":
                state.append(tensor.to(self.device))
        self.model.load_state_dict(weights)
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": slots})
        torch.set_rng_state(torch.from_numpy(np.array(arrays["random.cpu"])))
        if self.device == "cuda" and "random.cuda" in arrays:
            torch.cuda.set_rng_state(torch.from_numpy(np.array(arrays["random.cuda"])))
        self._state = None
        if state:
            self._state = state[0] if len(state) == 1 else (state[0], state[1])


def make_optimizer(
    config: TrainConfig, model: torch.nn.Module, device: str
) -> torch.optim.Optimizer:
    """Build the optimizer asked for, with the constants of ``optimizers``."""
    weights, rate = model.parameters(), config.learning_rate
    match config.optimizer:
        case "adamw":
            return torch.optim.AdamW(
                weights, rate, BETAS, weight_decay=config.weight_decay, fused=device != "mps"
            )
        case "adam":
            return torch.optim.Adam(weights, rate, BETAS, fused=device != "mps")
        case "sgd":
            return torch.optim.SGD(weights, rate)
        case "rmsprop":
            return torch.optim.RMSprop(weights, rate, ALPHA)
        case "adagrad":
            return torch.optim.Adagrad(weights, rate)
