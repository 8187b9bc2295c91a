"""A poet: a model that is ready to write."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poetgen.config import Device, OccasionConfig, SampleConfig, SearchConfig, VerseConfig
from poetgen.corpus.tokens import spaced_after
from poetgen.corpus.vocabulary import END
from poetgen.errors import DeviceError, SettingError
from poetgen.generation.decode import (
    Draft,
    Network,
    Request,
    Stepper,
    iter_written,
    poem_rngs,
    write,
)
from poetgen.generation.poem import Poem, heading_of
from poetgen.generation.request import make_request
from poetgen.generation.settings import check_settings
from poetgen.networks.model import Model
from poetgen.networks.model_file import load_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.places import find_model

if TYPE_CHECKING:
    import numpy as np

    from poetgen.generation.occasion import Occasion
    from poetgen.generation.plan import Plan
    from poetgen.verse.score_line import PoemScore

# Poems or drafts that are written together: more are hardly faster, and take 90 KB each.
BLOCK_POEMS = 512
# Poems of each plan in the first block.
_FIRST_BLOCK = 4
# Drafts of a poem of Chinese verse, where nothing else is asked for: fewer of a poem of more tokens
# than a quatrain, so that the command takes about half a second. More of them are not rated higher
# (docs/poets.md).
NUM_DRAFTS = 16
NUM_LONG_DRAFTS = 8
_LONG_TOKENS = 40


@dataclass(frozen=True, slots=True)
class Poet:
    """A model, its name, and the engine that runs it."""

    name: str
    model: Model
    network: Network[Any]

    def request(
        self,
        start: str | Path = "",
        sampling: SampleConfig = SampleConfig(),
        verse: VerseConfig = VerseConfig(),
        occasion: OccasionConfig = OccasionConfig(),
        search: SearchConfig = SearchConfig(),
    ) -> Request:
        """Return the request for poems that begin with ``start``, as ``generate`` takes it.

        Raises:
            PromptError: the start cannot be read or has a token that the model does not know.
            SettingError: the start is as long as the longest poem, or wishes cannot be kept.
        """
        # A search does not draw, and would find the same title for every poem.
        think = search.beam is None and not search.distinct and sampling.temperature > 0
        return make_request(start, self.model.vocabulary, sampling, verse, occasion, think=think)

    def iter_poems(
        self,
        request: Request,
        num_poems: int,
        seed: int,
        search: SearchConfig = SearchConfig(),
        *,
        scored: bool = False,
    ) -> Iterator[Poem]:
        """Yield the poems that ``generate`` returns, written in blocks as they are asked for."""
        num_drafts = self.num_drafts(request, search)

        vocabulary, said = self.model.vocabulary, request.occasion

        def poem(draft: Draft, seed: int | None = None, said: Occasion | None = said) -> Poem:
            text = vocabulary.decode(draft.token_ids)
            score = self._score(text, draft, request, num_drafts, seed) if scored else None
            about = ((), ()) if said is None else (said.title, said.author)
            return Poem(
                text,
                draft.is_cut,
                draft.log_probability,
                seed,
                score,
                *map(vocabulary.decode, about),
            )

        plan = request.plan_of()
        if search.beam is not None:
            from poetgen.generation.beam import beam_search

            network = _under(plan, self._opened(said))
            found = beam_search(network, request, search.beam, search.length_penalty)
            yield from map(poem, found[:num_poems])
        elif search.distinct:
            from poetgen.generation.stochastic_beam import sample_distinct

            network = _under(plan, self._opened(said))
            for draft in sample_distinct(network, request, seed, num_poems):
                yield poem(draft, seed)
        else:
            plans: Sequence[Plan | None] = request.plans or [None]
            # Each plan has the poems whose number it has, modulo the number of plans.
            largest = len(plans) * max(1, BLOCK_POEMS // (num_drafts * len(plans)))
            first, block = 0, min(largest, len(plans) * _FIRST_BLOCK)
            while first < num_poems:
                rngs = poem_rngs(seed, min(block, num_poems - first), first)
                # The first poems come soon, and many of the later ones at once.
                first, block = first + len(rngs), min(largest, 2 * block)
                thoughts = self._think(said, rngs)
                parts = [
                    self._write(
                        self._opened(*thoughts[place :: len(plans)]),
                        *(request, plan, rngs[place :: len(plans)], num_drafts),
                        novel=search.novel,
                        scored=scored,
                    )
                    for place, plan in enumerate(plans[: len(rngs)])
                ]
                for number, thought in enumerate(thoughts):
                    draft = parts[number % len(plans)][number // len(plans)]
                    yield poem(draft, seed, thought)

    def num_drafts(
        self, request: Request, search: SearchConfig = SearchConfig(), *, stream: bool = False
    ) -> int:
        """Return how many drafts of a poem are written, of which the best is kept.

        Raises:
            SettingError: several are asked for, and the model knows not enough of its verse.
        """
        if self.model.choice is None:
            if search.best_of is not None and search.best_of > 1:
                raise SettingError(
                    f"The model {self.name} has no index of its training poems to choose by.",
                    "Leave --best-of out, or add one: poetgen train CORPUS --index MODEL",
                )
            return 1
        if (
            stream
            or search.distinct
            or search.beam is not None
            or request.sampling.temperature == 0
        ):
            return 1
        if search.best_of is not None:
            return search.best_of
        is_long = any(len(plan.slots) > _LONG_TOKENS for plan in request.plans)
        return NUM_LONG_DRAFTS if is_long else NUM_DRAFTS

    def _opened(self, *occasions: Occasion | None) -> Stepper[Any]:
        """Return the network after it has read an occasion for each poem, or one for all."""
        known = [occasion for occasion in occasions if occasion is not None]
        if not known:
            return self.network
        if all(occasion is known[0] for occasion in known):
            known = known[:1]
        if known[0].guidance == 1 or known[0].token_ids == known[0].form_alone().token_ids:
            from poetgen.generation.thinking import OpenedNetwork

            return OpenedNetwork(self.network, known)
        from poetgen.generation.guidance import GuidedNetwork

        return GuidedNetwork(self.network, known)

    def _think(
        self, said: Occasion | None, rngs: Sequence[np.random.Generator]
    ) -> Sequence[Occasion | None]:
        """Return the occasion of each poem, with a title that is thought of where one is wanted."""
        if said is None or said.has_title:
            return [said] * len(rngs)
        from poetgen.generation.thinking import think_titles

        # From streams of their own, so that what follows is drawn as without a title.
        return think_titles(self.network, said, [rng.spawn(1)[0] for rng in rngs])

    def _write(
        self,
        network: Stepper[Any],
        request: Request,
        plan: Plan | None,
        rngs: Sequence[np.random.Generator],
        num_drafts: int,
        *,
        novel: bool,
        scored: bool,
    ) -> list[Draft]:
        """Return a poem for each generator, the best of its drafts."""
        judge = None
        if num_drafts > 1 and self.model.choice is not None:
            from poetgen.verse.score import ChoiceJudge

            judge = ChoiceJudge(self.model.choice, novel=novel, rules=plan is None)
        if plan is not None:
            from poetgen.generation.choosing import best_by_lines

            return best_by_lines(network, plan, request, rngs, num_drafts, judge)
        if judge is not None:
            from poetgen.generation.choosing import best_whole

            vocabulary = self.model.vocabulary
            return best_whole(network, request, rngs, num_drafts, judge, vocabulary)
        return write(network, request, rngs, scored=scored)

    def _score(
        self, text: str, draft: Draft, request: Request, num_drafts: int, seed: int | None
    ) -> PoemScore | None:
        if not self.model.vocabulary.is_chinese:
            return None
        from poetgen.verse.score_line import score_of

        plan = request.plan_of()
        wished: dict[str, Any] = {} if plan is None else plan.described()
        return score_of(
            text,
            self.model.choice,
            **wished,
            log_probability=draft.log_probability,
            seed=seed,
            num_candidates=num_drafts,
        )

    def heading(self, request: Request, seed: int, number: int = 0) -> str:
        """Return the heading of the poem that ``stream`` yields."""
        said, decode = self.titled(request, seed, number).occasion, self.model.vocabulary.decode
        return "" if said is None else heading_of(decode(said.title), decode(said.author))

    def titled(self, request: Request, seed: int, number: int = 0) -> Request:
        """Return the request of poem ``number`` of a seed, with the title that is thought of."""
        (thought,) = self._think(request.occasion, poem_rngs(seed, 1, number))
        return request._replace(occasion=thought)

    def stream(self, request: Request, seed: int, number: int = 0) -> Iterator[str]:
        """Yield poem ``number`` of a seed in pieces: the start, then each token when written.

        The end token is an empty piece, so that a poem whose last piece is not empty is cut. The
        title is not among the pieces.
        """
        vocabulary, before = self.model.vocabulary, ""
        if request.prompt:
            yield vocabulary.decode(request.prompt)
            before = vocabulary.token(request.prompt[-1])
        plan = request.plan_of(number)
        network = _under(plan, self._opened(self.titled(request, seed, number).occasion))
        for written in iter_written(network, request, poem_rngs(seed, 1, number)):
            if written.token_id == END:
                yield ""
            else:
                token = vocabulary.token(written.token_id)
                yield spaced_after(before, token, vocabulary.kind)
                before = token


def _under(plan: Plan | None, network: Stepper[Any]) -> Stepper[Any]:
    """Return a network under a plan, or as it is."""
    if plan is None:
        return network
    from poetgen.generation.ruled import RuledNetwork

    return RuledNetwork(network, plan)


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
    occasion: OccasionConfig = OccasionConfig(),
    seed: int | None = None,
    score: bool = False,
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
        occasion: what each poem is about: its title, keywords; as which poet.
        seed: by default a random one; each poem has it.
        score: also measure each poem of a model of Chinese.
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
    request = poet.request(start, sampling, verse, occasion, search)
    seed = draw_seed() if seed is None else seed
    return list(poet.iter_poems(request, num_poems, seed, search, scored=score))


def draw_seed() -> int:
    """Return a random seed that is short enough to type."""
    return secrets.randbits(32)
