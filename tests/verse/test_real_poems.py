"""What the scan says of real Tang poems that training never sees, and of shuffled ones."""

import random

import pytest

from poetgen.corpus.cleaning import clean
from poetgen.corpus.split import identities, split_of
from poetgen.reading import read_poems
from poetgen.verse.forms import FORMS, form_of, lines_of
from poetgen.verse.scan import scan
from tests.real_data import TANG, needs_tang

NUM_POEMS = 2000
RHYME = {"失韵", "重韵", "借韵"}


def held_out_poems():
    texts = [text for poem in read_poems(TANG) if (text := clean(poem.text).text)]
    found = {
        one: text
        for one, text in zip(identities(texts), texts, strict=True)
        if form_of(text) and split_of(one) != "train"
    }
    held_out = sorted(found.values())
    random.Random(1).shuffle(held_out)
    return held_out[:NUM_POEMS]


def shuffled(text, rng):
    """Return a poem with its characters in another order."""
    chars = list("".join(lines_of(text)))
    rng.shuffle(chars)
    return "，".join("".join(chars.pop() for _ in line) for line in lines_of(text))


def shares(poems):
    """Return for each form, and all, the share of poems that keep rhyme, tones, and both."""
    rows = {name: [] for name in (*FORMS, "all")}
    for text in poems:
        loose, strict = (
            {one.kind for one in scan(text, form=form_of(text), strict=strict).faults}
            for strict in (False, True)
        )
        row = (not loose & RHYME, not strict - RHYME, not loose - RHYME, not strict, not loose)
        rows[form_of(text)].append(row)
        rows["all"].append(row)
    return {
        name: (len(found), *(sum(column) / len(found) for column in zip(*found, strict=True)))
        for name, found in rows.items()
    }


@needs_tang
@pytest.mark.long
def test_real_poems_keep_the_rules_and_shuffled_ones_do_not(capsys):
    poems, rng = held_out_poems(), random.Random(2)
    # Those that the scan itself takes for regulated verse, without 古绝 and other ancient ones.
    meant = [text for text in poems if scan(text).form == form_of(text)]
    real, regulated = shares(poems), shares(meant)
    chance = shares([shuffled(text, rng) for text in poems])
    with capsys.disabled():
        print(f"\n{'':<15}poems   rhyme  tones strict   loose  all strict   loose")
        for kind, rows in (("real", real), ("regulated", regulated), ("shuffled", chance)):
            for name, (count, rhyme, *others) in rows.items():
                percent = "  ".join(f"{share:>7.1%}" for share in (rhyme, *others))
                print(f"{kind:<10}{name:<3} {count:>5}  {percent}")
    assert real["all"][0] > 1500
    assert real["all"][1] > 0.85
    assert real["all"][3] > 0.75
    assert real["all"][5] > 0.7
    assert regulated["all"][0] > 0.9 * real["all"][0]
    assert regulated["all"][5] > 0.8
    assert chance["all"][1] < 0.02
    assert chance["all"][3] < 0.01
