"""What prepare shows before a corpus is learned: samples, forms, and what looks odd."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.config import PrepareConfig
from poetgen.corpus import overview
from poetgen.corpus.overview import Sample, form_rows, merge_samples, odd_things, sample_places
from poetgen.corpus.prepare import build_corpus, prepare
from poetgen.corpus.sieve import KeptPoem
from poetgen.errors import SourceError
from poetgen.verse.forms import form_of
from tests.synthetic import synthetic_poem, write_poems
from tests.tiny import HANZI

RNG = random.Random(5)


def verse(num_lines, num_chars):
    lines = ["".join(RNG.choices(HANZI, k=num_chars)) for _ in range(num_lines)]
    return "".join(line + "，。"[place % 2] for place, line in enumerate(lines))


def built(tmp_path, *texts, **options):
    """Prepare texts, each from a file of its own."""
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.txt").write_text(text, encoding="utf-8")
    return build_corpus([tmp_path], "few", PrepareConfig(), **options)


def warnings_of(prepared):
    texts = [text for poems in prepared.kept.values() for text in poems.texts]
    return odd_things(prepared.corpus.report, texts, is_prose=prepared.corpus.is_prose)


@given(st.integers(0, 60), st.integers(0, 20))
def test_a_sample_begins_with_the_first_and_repeats_no_poem(num_poems, num_samples):
    places = sample_places(num_poems, num_samples)
    assert len(places) == min(num_poems, num_samples)
    assert places == sorted(set(places))
    assert places[:1] == [0][: len(places)]
    assert set(places) <= set(range(num_poems))
    assert places == sample_places(num_poems, num_samples)


def test_samples_are_kept_poems_of_their_own_file_the_first_one_first(tmp_path):
    poems = [[f"题{number}:{synthetic_poem(RNG)}" for number in range(30)] for _ in range(2)]
    prepared = built(tmp_path, *map("\n".join, poems), num_samples=4)
    assert [sample.num_poems for sample in prepared.samples] == [30, 30]
    for number, sample in enumerate(prepared.samples):
        assert sample.source == f"{tmp_path.as_posix()}/{number}.txt"
        shown = [f"{poem.title}:{poem.text}" for poem in sample.poems]
        assert shown[0] == poems[number][0]
        assert len(set(shown)) == 4
        assert set(shown) <= set(poems[number])


def test_without_samples_none_are_kept(tmp_path):
    prepared = built(tmp_path, "\n".join(f"题:{synthetic_poem(RNG)}" for _ in range(5)))
    assert not any(sample.poems for sample in prepared.samples)


@pytest.mark.parametrize("num_sources", [overview.MAX_SOURCES, overview.MAX_SOURCES + 1])
def test_of_many_sources_those_of_one_format_are_shown_together(num_sources):
    samples = [
        Sample(f"{n}", ["plain", "csv"][n == 0], "utf-8", 9, [KeptPoem(f"{n}"), KeptPoem(f"{n}b")])
        for n in range(num_sources)
    ]
    merged = merge_samples(samples, 2)
    if num_sources <= overview.MAX_SOURCES:
        assert merged == samples
    else:
        assert {sample.format for sample in merged} == {"plain", "csv"}
        assert len(merged) == 2
    assert all(len(sample.poems) == 2 for sample in merged)
    assert sum(sample.num_poems for sample in merged) == 9 * num_sources


def test_every_poem_is_in_one_row_of_the_forms_and_the_regulated_ones_come_first():
    shapes = [(4, 5), (4, 7), (8, 5), (8, 7), (6, 5), (12, 7), (4, 6)]
    texts = [verse(*shape) for shape in shapes for _ in range(shape[0])]
    texts += [f"{verse(1, 3)}{verse(3, 5)}", "No verse of Chinese.\nBut a second line."]
    rows = form_rows(texts)
    assert {row.form for row in rows[:4]} == {"五绝", "七绝", "五律", "七律"}
    assert sum(row.num_poems for row in rows) == len(texts)
    counts = Counter(form_of(text) for text in texts)
    for row in rows:
        assert row.shortest <= row.median <= row.longest
        assert row.num_poems == counts[row.form] or row.form not in counts
    by_form = {row.form: row for row in rows}
    assert (by_form["七律"].shortest, by_form["七律"].longest) == (56, 56)
    assert by_form["lines of several lengths"].num_poems == 1
    assert by_form["not Chinese"].num_poems == 1


def test_ordinary_poems_give_no_warning(tmp_path):
    write_poems(tmp_path / "0.txt", 200)
    assert warnings_of(build_corpus([tmp_path], "few")) == []


def test_titles_that_are_read_as_verse_are_noticed(tmp_path):
    poems = [verse(2, 2)[:2] + verse(1, 3)[:3] + verse(4, 5) for _ in range(40)]
    good = [verse(4, 5) for _ in range(40)]
    warned = warnings_of(built(tmp_path, "\n\n".join(poems + good)))
    assert any("a title may have been read as verse" in text for text in warned)
    assert any(text.startswith("40 of 80 poems") for text in warned)


def test_a_header_that_is_read_as_verse_is_noticed(tmp_path):
    header = "明月古诗网收，"
    poems = [header + verse(3, 6) for _ in range(40)]
    warned = warnings_of(built(tmp_path, "\n\n".join(poems)))
    assert any(text.startswith("明月古诗网收 is a line of 40 of 40 poems") for text in warned)


@pytest.mark.parametrize(("num_repeats", "num_poems", "is_odd"), [(3, 4, True), (2, 4, False)])
def test_a_line_in_most_of_a_few_poems_is_noticed(tmp_path, num_repeats, num_poems, is_odd):
    heads = ["明月古诗网收，"] * num_repeats + [""] * (num_poems - num_repeats)
    poems = [head + verse(4 - bool(head), 6) for head in heads]
    warned = warnings_of(built(tmp_path, "\n\n".join(poems)))
    is_told = any(text.startswith("明月古诗网收 is a line of 3 of 4 poems") for text in warned)
    assert is_told == is_odd


def test_few_poems_among_much_else_are_noticed(tmp_path):
    texts = [verse(4, 5) for _ in range(6)] + [f"山{char}。" for char in HANZI[:9]]
    report = built(tmp_path, "\n\n".join(texts)).corpus.report
    (first, *_) = odd_things(report, [], is_prose=False)
    assert first.startswith("Only 6 of 15 texts are poems.")
    assert "--list-dropped" in first


def test_what_somebody_wants_left_out_is_no_reason_to_warn(tmp_path):
    write_poems(tmp_path / "0.txt", 120)
    settings = PrepareConfig(forms="七律")
    prepared = build_corpus([tmp_path], "few", settings)
    assert prepared.corpus.report.dropped["other form"] > 60
    assert not any(text.startswith("Only") for text in warnings_of(prepared))


def test_a_validation_of_unknown_characters_is_noticed(tmp_path):
    poem, other = "春眠不觉晓，处处闻啼鸟。", "床前明月光，疑是地上霜。"
    warned = warnings_of(built(tmp_path, f"一:{poem}\n二:{other}\n"))
    assert any("of the validation poems' tokens are unknown" in text for text in warned)


def test_a_dry_run_writes_nothing_and_finds_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_poems(tmp_path / "poems.txt", 40)
    dry = prepare("poems.txt", dry_run=True)
    assert dry.folder is None
    assert [path.name for path in tmp_path.iterdir()] == ["poems.txt"]
    real = prepare("poems.txt")
    assert dry.corpus.fingerprint == real.corpus.fingerprint
    # What is there already does not matter to a run that writes nothing.
    assert prepare("poems.txt", dry_run=True).folder is None


@pytest.mark.parametrize(("typed", "meant"), [("tnag", "tang"), ("Song", "song"), ("cii", "ci")])
def test_a_mistyped_corpus_is_guessed_before_anything_is_fetched(
    tmp_path, monkeypatch, typed, meant
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=f"no file or folder {typed}") as caught:
        prepare(["shakespeare", typed], mirror="http://127.0.0.1:9/nothing")
    assert f"Did you mean {meant}?" in caught.value.advice
    assert "--list" in caught.value.advice
    # A file of that name is read.
    write_poems(tmp_path / typed, 40)
    assert prepare(typed).folder is not None
