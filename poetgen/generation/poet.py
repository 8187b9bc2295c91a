"""A poet: a model file that is ready to write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from poetgen.arrays import BoolArray
from poetgen.config import Device, SampleConfig, SearchConfig
from poetgen.corpus.vocabulary import END, NUM_SPECIAL
from poetgen.errors import DeviceError
from poetgen.generation.decode import Draft, Stepper, iter_written, poem_rngs, write
from poetgen.generation.prompt import encode_prompt
from poetgen.networks.model import Model
from poetgen.networks.model_file import load_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.verse.layout import couplets

# Poems that are written together: more are hardly quicker, and take 90 KB each.
_BLOCK_POEMS = 512


class Poem(NamedTuple):
    """A text, the natural logarithm of its probability where it is known, and whether it is cut.

    It is cut if its largest length was reached before its end token.
    """

    text: str
    log_probability: float | None = None
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Poet:
    """A model and the engine that runs it."""

    model: Model
    network: Stepper[Any]

    def prompt(self, start: str, source: str | None = None) -> list[int]:
        """Encode how the poems begin; ``source`` names the file that it comes from, if any.

        Raises:
            PromptError: the model does not know a character of it.
        """
        return encode_prompt(start, self.model.vocabulary, source)

    def write(
        self, prompt: list[int], sampling: SampleConfig, seed: int, num_poems: int
    ) -> list[str]:
        """Write poems; poem ``i`` is a function of the model, the seed and ``i`` alone."""
        return [poem.text for poem in self.iter_poems(prompt, sampling, seed, num_poems)]

    def iter_poems(
        self, prompt: list[int], sampling: SampleConfig, seed: int, num_poems: int
    ) -> Iterator[Poem]:
        """Write the poems of ``write`` in blocks, so that any number fits into the memory."""
        exempt = self._exempt(sampling)
        for first in range(0, num_poems, _BLOCK_POEMS):
            rngs = poem_rngs(seed, min(_BLOCK_POEMS, num_poems - first), first)
            yield from self._spelled(write(self.network, prompt, sampling, rngs, exempt))

    def write_distinct(
        self, prompt: list[int], sampling: SampleConfig, seed: int, num_poems: int
    ) -> list[Poem]:
        """Write poems of which no two are equal; fewer, if there are no more.

        The log-probability of a poem is that under ``sampling``.
        """
        from poetgen.generation.stochastic_beam import sample_distinct

        exempt = self._exempt(sampling)
        found = sample_distinct(self.network, prompt, sampling, seed, num_poems, exempt)
        return self._spelled(found)

    def search(self, prompt: list[int], sampling: SampleConfig, search: SearchConfig) -> list[Poem]:
        """Find the likeliest poems by beam search, at most ``search.beam``, the best first."""
        from poetgen.generation.beam import beam_search

        beam, exempt = search.beam or 1, self._exempt(sampling)
        return self._spelled(
            beam_search(self.network, prompt, sampling, beam, search.length_penalty, exempt)
        )

    def stream(
        self, prompt: list[int], sampling: SampleConfig, seed: int, number: int
    ) -> Iterator[Poem]:
        """Write poem ``number`` and give it as it grows: the start, then after each token.

        Until its end token has come, it is cut.
        """
        token_ids = list(prompt)
        if prompt:
            yield Poem(self.model.vocabulary.decode(prompt), is_cut=True)
        rngs, exempt = poem_rngs(seed, 1, number), self._exempt(sampling)
        for written in iter_written(self.network, prompt, sampling, rngs, exempt):
            token_ids.append(written.token_id)
            # Whether a blank goes before a word depends on the word before it.
            text = self.model.vocabulary.decode(token_ids)
            yield Poem(text, is_cut=written.token_id != END)

    def lines(self, text: str) -> list[str]:
        """Lay a poem out: Chinese verse in couplets, other text as it is."""
        return couplets(text)

    def _spelled(self, found: list[Draft]) -> list[Poem]:
        decode = self.model.vocabulary.decode
        return [Poem(decode(one.token_ids), one.log_probability, one.is_cut) for one in found]

    def _exempt(self, sampling: SampleConfig) -> BoolArray | None:
        """Mark, shape (V,), the tokens that the repetition penalty spares.

        Every line of verse ends with a mark, and every line of prose with a break: punishing
        them would punish poems for being poems.
        """
        if sampling.repetition_penalty is None:
            return None
        vocabulary = self.model.vocabulary
        exempt = np.ones(len(vocabulary), np.bool_)
        exempt[NUM_SPECIAL:] = [not any(map(str.isalnum, token)) for token in vocabulary.tokens]
        return exempt


def load_poet(path: Path, device: Device = "auto") -> Poet:
    """Load a model to write with: numpy on the CPU, torch on any other device.

    Raises:
        ModelError: the file is missing or damaged.
        DeviceError: the device is not there, or needs torch, which is not installed.
    """
    model = load_model(path)
    if device in ("auto", "cpu"):
        # Small networks, one token at a time: a GPU would spend its time waiting, and
        # importing torch takes longer than the poem.
        return Poet(model, NumpyModel(model.config, model.weights))
    from poetgen.networks.torch_extra import need_torch

    need_torch(f"--device {device}", "Or leave --device out.", DeviceError)
    from poetgen.networks.devices import pick_device
    from poetgen.networks.torch_model import build
    from poetgen.networks.torch_stepper import TorchStepper

    return Poet(model, TorchStepper(build(model.config, model.weights, pick_device(device))))
