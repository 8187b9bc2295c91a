"""A poet: a model that is ready to write."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poetgen.config import Device, SampleConfig, SearchConfig, VerseConfig
from poetgen.corpus.tokens import spaced_after
from poetgen.corpus.vocabulary import END
from poetgen.errors import DeviceError, SettingError
from poetgen.generation.decode import Draft, Request, Stepper, iter_written, poem_rngs, write
from poetgen.generation.request import make_request
from poetgen.generation.settings import check_settings
from poetgen.networks.model import Model
from poetgen.networks.model_file import load_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.places import find_model
from poetgen.verse.layout import couplets

# Poems that are written together: more are hardly faster, and take 90 KB each.
BLOCK_POEMS = 512


@dataclass(frozen=True, slots=True)
class Poem:
    """A poem, which is cut if it reached its largest length before its end.

    The log-probability is the natural logarithm of the probability of all that follows the
    start: of distinct poems under the sampling settings, of a beam's under the model, of all
    others None. The seed is that of the draw; a beam has none.
    """

    text: str
    is_cut: bool = False
    log_probability: float | None = None
    seed: int | None = None

    @property
    def lines(self) -> list[str]:
        """The lines to print: couplets for Chinese verse, else those that the text has."""
        return couplets(self.text)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        shown = {"text": self.text, "lines": self.lines, "cut": self.is_cut}
        score = {} if self.log_probability is None else {"log_probability": self.log_probability}
        return shown | score


@dataclass(frozen=True, slots=True)
class Poet:
    """A model, its name, and the engine that runs it."""

    name: str
    model: Model
    network: Stepper[Any]

    def request(
        self,
        start: str | Path = "",
        sampling: SampleConfig = SampleConfig(),
        verse: VerseConfig = VerseConfig(),
    ) -> Request:
        """Return the request for poems that begin with ``start``, as ``generate`` takes it.

        Raises:
            PromptError: the start cannot be read or has a token that the model does not know.
            SettingError: the start is as long as the longest poem, or wishes cannot be kept.
        """
        return make_request(start, self.model.vocabulary, sampling, verse)

    def iter_poems(
        self, request: Request, num_poems: int, seed: int, search: SearchConfig = SearchConfig()
    ) -> Iterator[Poem]:
        """Yield the poems that ``generate`` returns, written in blocks as they are asked for."""
        networks = self._networks(request)
        if search.beam is not None:
            from poetgen.generation.beam import beam_search

            found = beam_search(networks[0], request, search.beam, search.length_penalty)
            yield from (self._poem(draft) for draft in found[:num_poems])
        elif search.distinct:
            from poetgen.generation.stochastic_beam import sample_distinct

            for draft in sample_distinct(networks[0], request, seed, num_poems):
                yield self._poem(draft, seed)
        else:
            for first in range(0, num_poems, BLOCK_POEMS):
                rngs = poem_rngs(seed, min(BLOCK_POEMS, num_poems - first), first)
                # Each network has the poems whose number it has, modulo the number of networks.
                parts = [
                    write(network, request, rngs[number :: len(networks)])
                    for number, network in enumerate(networks)
                ]
                for number in range(len(rngs)):
                    yield self._poem(parts[number % len(parts)][number // len(parts)], seed)

    def _networks(self, request: Request) -> list[Stepper[Any]]:
        """Return the network under each of the plans, or as it is."""
        if not request.plans:
            return [self.network]
        from poetgen.generation.ruled import RuledNetwork

        return [RuledNetwork(self.network, plan) for plan in request.plans]

    def _poem(self, draft: Draft, seed: int | None = None) -> Poem:
        text = self.model.vocabulary.decode(draft.token_ids)
        return Poem(text, draft.is_cut, draft.log_probability, seed)

    def stream(self, request: Request, seed: int, number: int = 0) -> Iterator[str]:
        """Yield poem ``number`` of a seed in pieces: the start, then each token when written.

        The end token is an empty piece, so that a poem whose last piece is not empty is cut.
        """
        vocabulary, before = self.model.vocabulary, ""
        if request.prompt:
            yield vocabulary.decode(request.prompt)
            before = vocabulary.token(request.prompt[-1])
        networks = self._networks(request)
        network = networks[number % len(networks)]
        for choice in iter_written(network, request, poem_rngs(seed, 1, number)):
            if choice.token_id == END:
                yield ""
            else:
                token = vocabulary.token(choice.token_id)
                yield spaced_after(before, token, vocabulary.kind)
                before = token


def load_poet(
    name_or_path: str | Path | None = None,
    *,
    device: Device = "auto",
    on_note: Callable[[str], object] = lambda note: None,
) -> Poet:
    """Return the poet of a model: numpy on the CPU, torch on any other device.

    Args:
        name_or_path: by default the newest model in ./models, else the one that ships.
        device: auto is the CPU.
        on_note: called with a sentence about each file that is passed over.

    Raises:
        ModelError: the file is missing or damaged.
        DeviceError: the device is not there, or needs torch, which is not installed.
    """
    path = name_or_path
    if not isinstance(path, Path):
        path = find_model(path, on_note)
    model = load_model(path)
    if device in ("auto", "cpu"):
        # Small networks, one token at a time: a GPU would spend its time waiting, and
        # importing torch takes longer than the poem.
        return Poet(path.stem, model, NumpyModel(model.config, model.weights))
    from poetgen.networks.torch_optional import need_torch

    need_torch(f"--device {device}", "Or leave --device out.", DeviceError)
    from poetgen.networks.devices import pick_device
    from poetgen.networks.torch_model import TorchStepper, build

    network = TorchStepper(build(model.config, model.weights, pick_device(device)))
    return Poet(path.stem, model, network)


def generate(
    *,
    model: str | Path | Poet | None = None,
    start: str | Path = "",
    num_poems: int = 1,
    sampling: SampleConfig = SampleConfig(),
    search: SearchConfig = SearchConfig(),
    verse: VerseConfig = VerseConfig(),
    seed: int | None = None,
    device: Device = "auto",
    on_note: Callable[[str], object] = lambda note: None,
) -> list[Poem]:
    """Write poems. The same model, settings and seed give the same poems, however many.

    Args:
        model: a poet, or what ``load_poet`` takes.
        start: how the poems begin: a text, or the path of a file, whose length is not counted
            in ``sampling.max_chars``.
        num_poems: how many; of distinct poems there may be fewer.
        sampling: how each token is chosen.
        search: how whole poems are chosen, if they are.
        verse: what each poem has to keep: its form, tones, rhyme, an acrostic.
        seed: by default a random one; each poem has it.
        device: for ``load_poet``, as is ``on_note``.
        on_note: called with a sentence about each file that is passed over.

    Raises:
        ModelError: the model is missing or damaged.
        DeviceError: the device is not there, or needs torch, which is not installed.
        SettingError: settings or wishes contradict each other, or the seed is negative.
        PromptError: the start cannot be read or has a token that the model does not know.
    """
    check_settings(sampling, search, num_poems)
    if seed is not None and (not isinstance(seed, int) or seed < 0):
        raise SettingError(f"The seed cannot be {seed!r}.", "Give a whole number of at least 0.")
    poet = model if isinstance(model, Poet) else load_poet(model, device=device, on_note=on_note)
    request = poet.request(start, sampling, verse)
    return list(poet.iter_poems(request, num_poems, draw_seed() if seed is None else seed, search))


def draw_seed() -> int:
    """Return a random seed that is short enough to type."""
    return secrets.randbits(32)
