"""A thousand poems of each form by the model that ships, by a reader who knows no mask."""

import functools
import math

import pytest

from poetgen.config import SampleConfig, SearchConfig, VerseConfig
from poetgen.generation.poet import load_poet
from poetgen.verse.faults import RHYME_FAULTS, TONE_FAULTS
from poetgen.verse.forms import FORMS
from poetgen.verse.scan import scan
from poetgen.verse.tunes import tunes

pytestmark = pytest.mark.long
NUM_POEMS = 1_000


@functools.cache
def poet():
    return load_poet("tang")


def mean_likelihood(poems):
    """Return nats a character."""
    return math.fsum(poem.score.log_likelihood for poem in poems) / len(poems)


def write(num_poems=NUM_POEMS, best_of=1, **verse):
    request = poet().request(sampling=SampleConfig(temperature=0.8), verse=VerseConfig(**verse))
    search = SearchConfig(best_of=best_of)
    return list(poet().iter_poems(request, num_poems, 13, search, scored=True))


@pytest.mark.parametrize("form", FORMS)
def test_a_thousand_poems_keep_form_rhyme_and_tones(form, capsys):
    poems = write(form=form)
    scans = [scan(poem.text, form=form, strict=True) for poem in poems]
    kinds = [{fault.kind for fault in found.faults} for found in scans]
    counts = {
        "structure": sum("句数" not in found for found in kinds),
        "rhyme": sum(not found & RHYME_FAULTS for found in kinds),
        "tones": sum(not found & TONE_FAULTS for found in kinds),
        "all": sum(not found for found in kinds),
    }
    free = mean_likelihood(write(200))
    with capsys.disabled():
        print(f"\n{form}: {counts} of {NUM_POEMS}; nats a character {mean_likelihood(poems):.3f}")
        print(f"free: {free:.3f}")
    assert counts == dict.fromkeys(counts, NUM_POEMS)
    assert len({poem.text for poem in poems}) > 0.99 * NUM_POEMS


@pytest.mark.parametrize("form", ["五排", "七排", "五古", "七古"])
def test_a_thousand_longer_poems_keep_their_form(form):
    assert not any(scan(poem.text, form=form, strict=True).faults for poem in write(form=form))


def test_every_tune_is_kept():
    for tune in tunes():
        for poem in write(50, form=tune):
            assert not scan(poem.text, form=tune, strict=True).faults, poem.text


@pytest.mark.parametrize("acrostic", ["王伟", "张小明", "李国强军", "一二三四五六七八", "镕淼"])
def test_a_name_of_any_length_finds_a_form_a_thousand_times(acrostic):
    poems = write(acrostic=acrostic)
    assert all(not scan(poem.text, strict=True).faults for poem in poems)


@pytest.mark.parametrize("form", FORMS)
def test_the_best_of_sixteen_copies_no_line(form, capsys):
    poems = write(250, best_of=16, form=form)
    assert sum(poem.score.copied_lines for poem in poems) == 0
    with capsys.disabled():
        print(f"\n{form}, best of 16: nats a character {mean_likelihood(poems):.3f}")
