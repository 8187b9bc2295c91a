"""A poet: a model file that is ready to write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poetgen.config import Device, SampleConfig
from poetgen.generation.decode import Stepper, generate, iter_written, poem_rngs
from poetgen.generation.prompt import encode_prompt
from poetgen.networks.model_file import Model, load_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.verse.layout import couplets


@dataclass(frozen=True, slots=True)
class Poet:
    """A model and the engine that runs it."""

    model: Model
    network: Stepper[Any]

    def prompt(self, start: str) -> list[int]:
        """Encode how the poems begin.

        Raises:
            PromptError: the model does not know a character of it.
        """
        return encode_prompt(start, self.model)

    def write(
        self, prompt: list[int], sampling: SampleConfig, seed: int, num_poems: int
    ) -> list[str]:
        """Write poems; poem ``i`` is a function of the model, the seed and ``i`` alone."""
        rngs = poem_rngs(seed, num_poems)
        poems = generate(self.network, prompt, sampling, rngs)
        return [self.model.vocabulary.decode(token_ids) for token_ids in poems]

    def stream(
        self, prompt: list[int], sampling: SampleConfig, seed: int, number: int
    ) -> Iterator[str]:
        """Write poem ``number`` and give it piece by piece: the start, then each token."""
        token_ids = list(prompt)
        shown = self.model.vocabulary.decode(token_ids)
        if shown:
            yield shown
        for written in iter_written(self.network, prompt, sampling, poem_rngs(seed, 1, number)):
            token_ids.append(written.token_id)
            # Whether a blank goes before a word depends on the word before it.
            text = self.model.vocabulary.decode(token_ids)
            yield text.removeprefix(shown)
            shown = text

    def lines(self, text: str) -> list[str]:
        """Lay a poem out: Chinese verse in couplets, other text as it is."""
        return couplets(text)


def load_poet(path: Path, device: Device = "auto") -> Poet:
    """Load a model to write with: numpy on the CPU, torch on any other device.

    Raises:
        ModelError: the file is missing or damaged.
        DeviceError: the device is not there.
    """
    model = load_model(path)
    if device in ("auto", "cpu"):
        # Small networks, one token at a time: a GPU would spend its time waiting, and
        # importing torch takes longer than the poem.
        return Poet(model, NumpyModel(model.config, model.weights))
    from poetgen.generation.torch_stepper import TorchStepper
    from poetgen.networks.devices import pick_device
    from poetgen.networks.torch_model import build

    return Poet(model, TorchStepper(build(model.config, model.weights, pick_device(device))))
