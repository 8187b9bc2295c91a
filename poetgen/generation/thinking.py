"""Titles and forms that a model thinks of before it writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple

import numpy as np

from poetgen.arrays import FloatArray, IntArray
from poetgen.characters import LINE_MARKS
from poetgen.config import SampleConfig
from poetgen.corpus.occasions import plain_title
from poetgen.corpus.vocabulary import END, MAX_TITLE, START, Vocabulary
from poetgen.generation.decode import Network, Request, State, Stepper, read_once
from poetgen.generation.guidance import GuidedNetwork
from poetgen.generation.keywords import raise_keywords
from poetgen.generation.occasion import Occasion
from poetgen.generation.opened import OpenedNetwork, read_texts
from poetgen.generation.sampling import log_softmax, sample
from poetgen.verse.title_marks import mark_of_title
from poetgen.verse.tunes import find_tune

if TYPE_CHECKING:
    from poetgen.generation.form_plans import FormPlans
    from poetgen.generation.plan import Plan

# The first character of a title says what kind of occasion it is, and is drawn as often as poets
# have it; drawn as coolly as the rest, which at 0.9 makes no sense in a third of titles, every
# third one would be a farewell (docs/poets.md).
_THINKING = (SampleConfig(temperature=1.0, top_p=0.9), SampleConfig(temperature=0.6, top_p=0.9))
# To keywords that are given, a title keeps closely: to 剑 it is 古剑 or 匣剑, not 秋夜. Drawn as
# boldly as others, it would be 磨剑剑.
_KEYWORD_GUIDANCE = 3.0
_KEYWORD_STRENGTH = 2.0
_TO_KEYWORDS = (SampleConfig(temperature=0.7, top_p=0.9),) * 2
# Of so many titles one is taken, each the likelier the better it suits the form, and the better
# readers like poems to such titles: for a fifteenth of a mark e times as likely.
_NUM_TITLES = 8
_PREFERENCE = 15.0
# A title that makes the form less probable by this, in nats, does not suit it.
_UNSUITABLE = np.log(5)
# So often a form is thought of, until it has rules that the poem can keep: first to all that is
# given, then without the title. Of a title in a collection of 词 a model knows that it seldom
# stands over a tune, and a start suits few forms.
_TRIES = (True,) * 3 + (False,) * 6
# A form that a model thinks of less often, as a natural logarithm, it does not know.
_KNOWN = np.log(1e-4)
# A start that no form suits is strange to a model, which would end it at once. As long is a 五绝,
# with its marks.
_SHORTEST = 24
# The model has learned the names of forms: it spells them right, and the longest has so many.
_NAMING = SampleConfig(temperature=0.8)
_MAX_NAME = 8


def think(
    network: Network[State],
    vocabulary: Vocabulary,
    requests: Sequence[Request],
    rngs: Sequence[np.random.Generator],
) -> list[Request]:
    """Return the requests, one for each poem and generator, with all that is thought of for them.

    They differ in their plans alone. A title is thought of where none is given; a form, and the
    plan by which it is written, where ``forms`` says so.
    """
    forms, said = requests[0].forms, requests[0].occasion or Occasion(vocabulary)
    alone = [request._replace(occasion=said, forms=None) for request in requests]
    if forms is not None:
        alone = _with_forms(network, alone, forms, rngs)
    return alone if said.has_title else _with_titles(network, alone, rngs)


def _with_forms(
    network: Network[State],
    requests: Sequence[Request],
    forms: FormPlans,
    rngs: Sequence[np.random.Generator],
) -> list[Request]:
    """Return each request with a form, and the plan by which it is written."""
    formed, waiting = [*requests], list(range(len(requests)))
    for with_title in _TRIES:
        known = [_said(requests[number]) for number in waiting]
        heard = known if with_title else [occasion.titled(()) for occasion in known]
        thought = think_forms(network, heard, [rngs[number] for number in waiting])
        without_rules = []
        for number, said, other in zip(waiting, known, thought, strict=True):
            occasion = said.formed(other.form)
            if (plan := forms.plan(occasion.form)) is not None:
                formed[number] = _planned(requests[number], forms, occasion, plan)
                continue
            without_rules.append(number)
            if with_title and not forms.prompt:
                # Whether a start suits a form without rules is not known.
                formed[number] = requests[number]._replace(occasion=occasion)
        if not (waiting := without_rules):
            break
    if waiting and forms.prompt:
        likely = _known_forms(network, _said(requests[0]), forms)
        plans = forms.best_kept([*likely])
        forms.has_kept = forms.has_kept and bool(plans)
        weights = np.array([[likely[form] for form in plans]])
        for number in waiting:
            if not plans:
                formed[number] = requests[number]._replace(shortest=_SHORTEST)
                continue
            draw = np.array([rngs[number].random()])
            (place,) = sample(weights, SampleConfig(temperature=1.0), draw).tolist()
            form, plan = [*plans.items()][place]
            occasion = _said(requests[number]).formed(form)
            formed[number] = _planned(requests[number], forms, occasion, plan)
    return formed


def _planned(request: Request, forms: FormPlans, occasion: Occasion, plan: Plan) -> Request:
    sampling = replace(request.sampling, max_chars=len(plan.slots))
    return request._replace(prompt=forms.prompt, sampling=sampling, plans=[plan], occasion=occasion)


def _known_forms(
    network: Network[State], occasion: Occasion, forms: FormPlans
) -> dict[tuple[int, ...], float]:
    """Return the forms that a start suits and the model knows, with their log-probabilities."""
    untitled = occasion.titled(())
    suited = [untitled.formed(form) for form in forms.suited()]
    if not suited:
        return {}
    before = read_texts(network, [untitled.before_form()])
    state = network.select(before, np.zeros(len(suited), np.int64))
    found = _form_log_probabilities(network, suited, state).tolist()
    pairs = zip(suited, found, strict=True)
    return {occasion.form: value for occasion, value in pairs if value > _KNOWN}


def think_forms(
    network: Network[State],
    occasions: Sequence[Occasion],
    rngs: Sequence[np.random.Generator],
    sampling: SampleConfig = _NAMING,
) -> list[Occasion]:
    """Return each occasion with a form that the model thinks of for it."""
    vocabulary = occasions[0].vocabulary
    opened = OpenedNetwork(network, [occasion.before_form() for occasion in occasions])
    mark = vocabulary.field_id("form")
    drawn = _draw(opened, vocabulary, mark, [START], _MAX_NAME, rngs, (sampling, sampling))
    return [occasion.formed(name) for occasion, name in zip(occasions, drawn.texts, strict=True)]


def _with_titles(
    network: Network[State], requests: Sequence[Request], rngs: Sequence[np.random.Generator]
) -> list[Request]:
    """Return each request with a title that suits its form.

    Several are drawn for the author and the keywords that are given, and one of them is taken: the
    likelier a poem of this title has the form, and the better readers like poems to such titles,
    the sooner.
    """
    vocabulary = _said(requests[0]).vocabulary
    each = [request for request in requests for _ in range(_NUM_TITLES)]
    streams = [rng for rng in rngs for _ in range(_NUM_TITLES)]
    titles, after_titles = _draw_titles(network, _said(requests[0]), streams, None)
    occasions = [_said(request).titled(title) for request, title in zip(each, titles, strict=True)]
    weights = _form_log_probabilities(network, occasions, after_titles).reshape(len(rngs), -1)
    plain = [_said(request).titled(()) for request in requests]
    before = read_texts(network, [plain[0].before_form()])
    untitled = _form_log_probabilities(
        network, plain, network.select(before, np.zeros(len(plain), np.int64))
    )
    suits = np.array([*map(_says_something, occasions, each)]).reshape(weights.shape)
    suits &= weights > untitled[:, None] - _UNSUITABLE
    weights[~suits & suits.any(axis=1, keepdims=True)] = -np.inf
    marks = [mark_of_title(vocabulary.decode(occasion.title)) for occasion in occasions]
    weights += _PREFERENCE * np.array(marks).reshape(weights.shape)
    draws = np.array([rng.random() for rng in rngs])
    places = sample(weights, SampleConfig(temperature=1.0), draws).tolist()
    return [
        request._replace(
            occasion=occasions[number * _NUM_TITLES + place]
            if suits[number].any()
            else plain[number]
        )
        for number, (request, place) in enumerate(zip(requests, places, strict=True))
    ]


def _said(request: Request) -> Occasion:
    if request.occasion is None:
        raise ValueError("a request without an occasion has nothing to think of")
    return request.occasion


def _says_something(occasion: Occasion, request: Request) -> bool:
    """Return whether a title says something of a poem: not 其三, nor the name of a tune."""
    title, plan = occasion.vocabulary.decode(occasion.title), request.plan_of()
    tune = find_tune(title)
    # 杨柳枝 is the title of many a 七绝; 感皇恩, whose lines are of different lengths, is of none,
    # and 浣溪沙·春 is that of a 词.
    if tune is not None and plan is not None:
        is_even = len(set(tune.line_lengths)) == 1
        if plan.form.tune or not is_even or title not in tune.names:
            return False
    return plain_title(title) == title


def think_titles(
    network: Network[State],
    occasion: Occasion,
    rngs: Sequence[np.random.Generator],
    sampling: SampleConfig | None = None,
) -> list[Occasion]:
    """Return for each generator the occasion with a title that the model thinks of.

    It is drawn for the author and the keywords that are given.
    """
    titles, _ = _draw_titles(network, occasion, rngs, sampling)
    return list(map(occasion.titled, titles))


def _draw_titles(
    network: Network[State],
    occasion: Occasion,
    rngs: Sequence[np.random.Generator],
    sampling: SampleConfig | None,
) -> tuple[list[list[int]], State]:
    """Return a title for each generator, and the states of the network after each."""
    samplings = _TO_KEYWORDS if occasion.keywords else _THINKING
    if sampling is not None:
        samplings = sampling, sampling
    vocabulary, said = occasion.vocabulary, occasion.before_title()
    opened: OpenedNetwork[State] | GuidedNetwork[State]
    if occasion.keywords:
        opened = GuidedNetwork(network, [said], occasion.author_alone, _KEYWORD_GUIDANCE)
    else:
        opened = OpenedNetwork(network, [said])
    # The field after the title, or the poem itself, is its end.
    ends = [START, vocabulary.field_id("form")]
    mark = vocabulary.field_id("title")
    drawn: _Drawn[Any] = _draw(
        opened, vocabulary, mark, ends, MAX_TITLE, rngs, samplings, occasion.keywords
    )
    states = network.join([opened.own_state(state) for state in drawn.states])
    return drawn.texts, network.select(states, np.argsort(drawn.order))


def _form_log_probabilities(
    network: Network[State], occasions: Sequence[Occasion], states: State
) -> FloatArray:
    """Return the log-probability of the name of its form after each title, (B,).

    ``states`` are those after all that is read before the form.
    """
    mark = occasions[0].vocabulary.field_id("form")
    found = np.zeros(len(occasions))
    for form in {occasion.form for occasion in occasions} - {()}:
        numbers = [n for n, occasion in enumerate(occasions) if occasion.form == form]
        state = network.select(states, np.array(numbers))
        token_ids = [mark, *form]
        for token_id, following in zip(token_ids, [*form, START], strict=True):
            logits, state = network.step(np.full(len(numbers), token_id), state)
            found[numbers] += log_softmax(logits)[:, following]
    return found


class _Drawn(NamedTuple, Generic[State]):
    """Texts, one for each generator, and the states of the network after them.

    The states come in batches: their rows, one batch after the other, are those of the texts
    ``order``, (B,).
    """

    texts: list[list[int]]
    states: list[State]
    order: IntArray


def _draw(
    network: Stepper[State],
    vocabulary: Vocabulary,
    mark: int,
    ends: Sequence[int],
    max_length: int,
    rngs: Sequence[np.random.Generator],
    samplings: tuple[SampleConfig, SampleConfig],
    keywords: Sequence[Sequence[int]] = (),
) -> _Drawn[State]:
    """Return for each generator what follows a mark, one to ``max_length`` tokens, to its end.

    ``samplings`` are those of the first token, and of all others.
    """
    never = {END, *vocabulary.unwritten, *vocabulary.encode(LINE_MARKS)}
    barred = sorted(never - {*ends})
    texts: list[list[int]] = [[] for _ in rngs]
    alive = np.arange(len(rngs))
    states, order = [], []
    logits, state = read_once(network, [mark], len(rngs))
    for length in range(max_length):
        logits[:, barred if length else [*barred, *ends]] = -np.inf
        if keywords:
            written = [texts[number] for number in alive.tolist()]
            logits = raise_keywords(logits, written, keywords, _KEYWORD_STRENGTH)
        draws = np.array([rngs[number].random() for number in alive.tolist()])
        chosen = sample(logits, samplings[length > 0], draws)
        is_open = ~np.isin(chosen, ends)
        for number, token_id in zip(alive[is_open], chosen[is_open].tolist(), strict=True):
            texts[number].append(token_id)
        (rows,), (closed,) = np.nonzero(is_open), np.nonzero(~is_open)
        if len(closed) > 0:
            states.append(network.select(state, closed))
            order.append(alive[closed])
        alive = alive[rows]
        if len(rows) == 0:
            break
        logits, state = network.step(chosen[rows], network.select(state, rows))
    if len(alive) > 0:
        states.append(state)
        order.append(alive)
    return _Drawn(texts, states, np.concatenate(order))
