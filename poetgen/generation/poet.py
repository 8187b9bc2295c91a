"""A poet: a model that is ready to write."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
    iter_written,
    poem_rngs,
    write,
)
from poetgen.generation.following import after_occasions, as_asked
from poetgen.generation.poem import Poem
from poetgen.generation.request import make_request, shipped_model
from poetgen.generation.settings import check_settings
from poetgen.networks.model import Model
from poetgen.networks.model_file import load_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.places import SHIPPED_MODELS, find_model

if TYPE_CHECKING:
    import numpy as np

    from poetgen.generation.plan import Plan
    from poetgen.verse.score_line import PoemScore

# Poems or drafts that are written together: more are hardly faster, and take 90 KB each.
BLOCK_POEMS = 512
# Poems of each plan in the first block.
_FIRST_BLOCK = 4
# Drafts of a poem of Chinese verse, where nothing else is asked for: as many as are written in
# less than half a second. Readers like a poem hardly better for more (docs/poets.md). Fewer of a
# poem of more tokens than a quatrain, and of free verse, which is chosen whole.
NUM_DRAFTS = 32
NUM_LONG_DRAFTS = 16
NUM_FREE_DRAFTS = 16
# At which drafts in a form are drawn, and their first words. With what the score takes off
# (score_bias), they are more various than at 0.6 without.
DRAFT_TEMPERATURE, OPENING_TEMPERATURE = 0.4, 0.8
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
        think = search.beam is None and not search.distinct and sampling.temperature != 0
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
        if search.beam is not None:
            from poetgen.generation.beam import beam_search

            network = as_asked(self.network, request)
            found = beam_search(network, request, search.beam, search.length_penalty)
            for draft in found[:num_poems]:
                yield self._poem(draft, request, None, scored=scored)
        elif search.distinct:
            from poetgen.generation.stochastic_beam import sample_distinct

            network = as_asked(self.network, request)
            for draft in sample_distinct(network, request, seed, num_poems):
                yield self._poem(draft, request, seed, scored=scored)
        else:
            # Each plan has the poems whose number it has, modulo the number of plans.
            num_plans = len(request.plans) or 1
            num_drafts = self.num_drafts(request, search)
            largest = num_plans * max(1, BLOCK_POEMS // (num_drafts * num_plans))
            first, block = 0, min(largest, num_plans * _FIRST_BLOCK)
            while first < num_poems:
                rngs = poem_rngs(seed, min(block, num_poems - first), first)
                asked = self._think(request, rngs, first)
                drafts = self._write(asked, rngs, search, scored=scored)
                # The first poems come soon, and many of the later ones at once.
                first, block = first + len(rngs), min(largest, 2 * block)
                for draft, alone in zip(drafts, asked, strict=True):
                    count = self.num_drafts(alone, search)
                    yield self._poem(draft, alone, seed, count, scored=scored)

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
        if not request.plans and request.forms is None:
            return NUM_FREE_DRAFTS
        is_long = any(len(plan.slots) > _LONG_TOKENS for plan in request.plans)
        return NUM_LONG_DRAFTS if is_long else NUM_DRAFTS

    def _think(
        self, request: Request, rngs: Sequence[np.random.Generator], first: int
    ) -> Sequence[Request]:
        """Return the request of each poem from number ``first`` on, with one plan at most.

        A title and a form are thought of where they are wanted.
        """
        own = [request._replace(plans=[plan]) for plan in request.plans] or [request]
        requests = [own[(first + number) % len(own)] for number in range(len(rngs))]
        said = request.occasion
        if (said is None or said.has_title) and request.forms is None:
            return requests
        from poetgen.generation.thinking import think

        # From streams of their own, so that what follows is drawn as without thinking.
        streams = [rng.spawn(1)[0] for rng in rngs]
        return think(self.network, self.model.vocabulary, requests, streams)

    def _write(
        self,
        requests: Sequence[Request],
        rngs: Sequence[np.random.Generator],
        search: SearchConfig,
        *,
        scored: bool,
    ) -> list[Draft]:
        """Return a poem for each request, those of one plan and form written together."""
        alike: dict[tuple[int, Sequence[int]], list[int]] = {}
        for number, request in enumerate(requests):
            form = () if request.occasion is None else request.occasion.form
            alike.setdefault((id(request.plan_of()), form), []).append(number)
        drafts: dict[int, Draft] = {}
        for numbers in alike.values():
            asked = [requests[number] for number in numbers]
            written = self._write_alike(
                asked, [rngs[number] for number in numbers], search, scored=scored
            )
            drafts |= zip(numbers, written, strict=True)
        return [drafts[number] for number in range(len(requests))]

    def _write_alike(
        self,
        requests: Sequence[Request],
        rngs: Sequence[np.random.Generator],
        search: SearchConfig,
        *,
        scored: bool,
    ) -> list[Draft]:
        """Return a poem for each request, the best of its drafts; all have one plan and form."""
        network, request = after_occasions(self.network, requests), requests[0]
        plan, num_drafts = request.plan_of(), self.num_drafts(request, search)
        judge = bias = opening = None
        if num_drafts > 1 and self.model.choice is not None:
            from poetgen.verse.score import ChoiceJudge

            said = request.occasion
            titles = [self._title_of(request) for request in requests]
            judge = ChoiceJudge(
                self.model.choice,
                novel=search.novel,
                rules=plan is None,
                keywords=() if said is None else said.words,
                titles=titles,
            )
            if plan is not None:
                from poetgen.generation.score_bias import ScoreBias

                if request.sampling.temperature is None:
                    cooler = replace(request.sampling, temperature=DRAFT_TEMPERATURE)
                    opening = replace(request.sampling, temperature=OPENING_TEMPERATURE)
                    request = request._replace(sampling=cooler)
                bias = ScoreBias(self.model.vocabulary, self.model.choice, plan, titles, num_drafts)
        if plan is not None:
            from poetgen.generation.choosing import best_by_lines

            return best_by_lines(
                network, plan, request, rngs, num_drafts, judge, bias=bias, opening=opening
            )
        if judge is not None:
            from poetgen.generation.choosing import best_whole

            vocabulary = self.model.vocabulary
            return best_whole(network, request, rngs, num_drafts, judge, vocabulary)
        return write(network, request, rngs, scored=scored)

    def _title_of(self, request: Request) -> str:
        said = request.occasion
        return "" if said is None else self.model.vocabulary.decode(said.title)

    def _poem(
        self,
        draft: Draft,
        request: Request,
        seed: int | None,
        num_drafts: int = 1,
        *,
        scored: bool,
    ) -> Poem:
        decode, said, plan = self.model.vocabulary.decode, request.occasion, request.plan_of()
        text = decode(draft.token_ids)
        return Poem(
            text,
            draft.is_cut,
            draft.log_probability,
            seed,
            self._score(text, draft, plan, num_drafts, seed) if scored else None,
            title=self._title_of(request),
            author="" if said is None else decode(said.author),
            tune="" if plan is None else plan.form.tune,
        )

    def _score(
        self, text: str, draft: Draft, plan: Plan | None, num_drafts: int, seed: int | None
    ) -> PoemScore | None:
        if not self.model.vocabulary.is_chinese:
            return None
        from poetgen.verse.score_line import score_of

        wished: dict[str, Any] = {} if plan is None else plan.described()
        return score_of(
            text,
            self.model.choice,
            **wished,
            log_probability=draft.log_probability,
            seed=seed,
            num_candidates=num_drafts,
        )

    def thought(self, request: Request, seed: int, number: int = 0) -> Request:
        """Return the request of poem ``number`` of a seed, with all that is thought of for it."""
        (alone,) = self._think(request, poem_rngs(seed, 1, number), number)
        return alone

    def heading(self, request: Request) -> str:
        """Return the heading of a poem of which all is thought of."""
        return self._poem(Draft([], False), request, None, scored=False).heading

    def stream(self, request: Request, seed: int, number: int = 0) -> Iterator[str]:
        """Yield poem ``number`` of a seed in pieces: the start, then each token when written.

        The end token is an empty piece, so that a poem whose last piece is not empty is cut. The
        title is not among the pieces.
        """
        vocabulary, before = self.model.vocabulary, ""
        request = self.thought(request, seed, number)
        if request.prompt:
            yield vocabulary.decode(request.prompt)
            before = vocabulary.token(request.prompt[-1])
        network = as_asked(self.network, request)
        for written in iter_written(network, request, poem_rngs(seed, 1, number)):
            if written.token_id == END:
                yield ""
            else:
                token = vocabulary.token(written.token_id)
                yield spaced_after(before, token, vocabulary.kind)
                before = token


def load_poet(
    name_or_path: str | Path | None = None,
    *,
    device: Device = "auto",
    on_note: Callable[[str], object] = lambda note: None,
    shipped: str = SHIPPED_MODELS[0],
) -> Poet:
    """Return the poet of a model: numpy on the CPU, torch on any other device.

    Args:
        name_or_path: by default the newest model in ./models, else ``shipped``.
        device: auto is the CPU.
        on_note: called with a sentence about each file that is passed over.
        shipped: the name of a model that ships.

    Raises:
        ModelError: the file is missing or damaged.
        DeviceError: the device is not there, or needs torch, which is not installed.
    """
    path = name_or_path
    if not isinstance(path, Path):
        path = find_model(path, on_note, shipped)
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
    if not isinstance(model, Poet):
        shipped = shipped_model(verse, occasion)
        model = load_poet(model, device=device, on_note=on_note, shipped=shipped)
    request = model.request(start, sampling, verse, occasion, search)
    seed = draw_seed() if seed is None else seed
    return list(model.iter_poems(request, num_poems, seed, search, scored=score))


def draw_seed() -> int:
    """Return a random seed that is short enough to type."""
    # Not from secrets: to import it takes as long as to draw a title.
    return random.SystemRandom().getrandbits(32)
