"""From sources to a corpus: nothing lost, nothing doubled, nothing leaked."""

import hashlib
import itertools
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from poetgen.characters import LINE_MARKS, hanzi_only, is_hanzi
from poetgen.config import PrepareConfig
from poetgen.corpus.corpus import Corpus, Provenance, unknown_share
from poetgen.corpus.folder import load_corpus, save_corpus
from poetgen.corpus.prepare import build_corpus, prepare
from poetgen.corpus.script import to_traditional
from poetgen.corpus.sieve import Sieve
from poetgen.corpus.split import SPLITS, identity, split_of
from poetgen.corpus.vocabulary import (
    END,
    PAD,
    START,
    UNK,
)
from poetgen.errors import ExistsError, InputError, SettingError, SourceError
from poetgen.reading import RawPoem
from tests.real_data import TIME_MACHINE, needs_english, needs_tang
from tests.synthetic import synthetic_poem, write_poems

POEM = "床前明月光，疑是地上霜。"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "poems.txt"
    write_poems(path, num_poems=60, seed=3)
    return path


def write(path, *poems):
    path.write_text("".join(f"题:{poem}\n" for poem in poems), encoding="utf-8")
    return path


def poems_by_split(corpus: Corpus) -> dict[str, list[str]]:
    return {
        split: [corpus.vocabulary.decode(poem) for poem in poems]
        for split, poems in corpus.splits.items()
    }


def all_poems(corpus: Corpus) -> list[str]:
    return [text for texts in poems_by_split(corpus).values() for text in texts]


def drawn(num_poems, split, seed=0):
    """Draw distinct poems that the hash puts into ``split``."""
    rng = random.Random(seed)
    poems: list[str] = []
    while len(poems) < num_poems:
        poem = synthetic_poem(rng)
        if split_of(identity(poem)) == split:
            poems.append(poem)
    return poems


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_same_corpus(one: Corpus, other: Corpus):
    assert one.vocabulary.tokens == other.vocabulary.tokens
    assert one.fingerprint == other.fingerprint
    for name in ("settings", "min_count", "is_prose", "provenance", "report"):
        assert getattr(one, name) == getattr(other, name)
    for split in SPLITS:
        np.testing.assert_array_equal(one.splits[split].tokens, other.splits[split].tokens)
        np.testing.assert_array_equal(one.splits[split].offsets, other.splits[split].offsets)
        assert one.splits[split].tokens.dtype == other.splits[split].tokens.dtype
        assert list(one.about(split)) == list(other.about(split))


def test_every_poem_is_in_exactly_one_split_and_in_the_one_of_its_hash(source):
    corpus = build_corpus([source], "small", PrepareConfig(min_count=1)).corpus
    written = [line.split(":")[1] for line in source.read_text(encoding="utf-8").splitlines()]
    assert sorted(all_poems(corpus)) == sorted(written)
    for split, poems in poems_by_split(corpus).items():
        assert {split_of(identity(poem)) for poem in poems} == {split}


def test_preparing_twice_gives_the_same_bytes(source, tmp_path):
    for number in (1, 2):
        corpus = build_corpus([source], "small", PrepareConfig()).corpus
        save_corpus(corpus, tmp_path / str(number) / "small")
    assert content(tmp_path / "1" / "small") == content(tmp_path / "2" / "small")


def test_saving_and_loading_changes_nothing(source, tmp_path):
    corpus = build_corpus([source], "small", PrepareConfig(script="traditional")).corpus
    save_corpus(corpus, tmp_path / "corpora" / "small")
    loaded = load_corpus(tmp_path / "corpora" / "small")
    assert loaded.name == "small"
    assert loaded.script == "traditional"
    assert_same_corpus(loaded, corpus)


def test_the_split_of_a_poem_does_not_depend_on_what_stands_beside_it(source, tmp_path):
    rules = PrepareConfig(min_count=1)
    alone = poems_by_split(build_corpus([source], "a", rules).corpus)
    other = tmp_path / "other.txt"
    write_poems(other, num_poems=80, seed=9)
    beside = poems_by_split(build_corpus([other, source], "b", rules).corpus)
    for split in SPLITS:
        assert set(alone[split]) <= set(beside[split])


def test_the_same_poems_in_traditional_script_and_other_marks_are_split_alike(source, tmp_path):
    other = tmp_path / "traditional.txt"
    text = to_traditional(source.read_text(encoding="utf-8"))
    assert text != source.read_text(encoding="utf-8")
    other.write_text(text.replace("，", "；"), encoding="utf-8")
    rules = PrepareConfig(min_count=1)
    one, two = (poems_by_split(build_corpus([path], "x", rules).corpus) for path in (source, other))
    for split in SPLITS:
        assert [hanzi_only(poem) for poem in one[split]] == [hanzi_only(p) for p in two[split]]
    both = build_corpus([source, other], "both", rules)
    assert Counter(entry.reason for entry in both.dropped) == {"duplicate": 60}


def test_the_script_asked_for_is_the_script_of_the_corpus(source, tmp_path):
    poems = [line.split(":")[1] for line in source.read_text(encoding="utf-8").splitlines()]
    mixed = [to_traditional(poem) if i % 2 else poem for i, poem in enumerate(poems)]
    assert mixed != poems
    wanted = {
        "simplified": poems,
        "traditional": [to_traditional(poem) for poem in poems],
        "keep": mixed,
    }
    path = write(tmp_path / "mixed.txt", *mixed)
    for script, texts in wanted.items():
        corpus = build_corpus([path], "x", PrepareConfig(script=script, min_count=1)).corpus
        assert corpus.script == script
        assert sorted(all_poems(corpus)) == sorted(texts)


def test_nothing_is_dropped_without_a_reason(tmp_path):
    poems = drawn(30, "train") + drawn(2, "validation")
    bad = {
        "duplicate": poems[0].replace("，", "；"),
        "lacuna": poems[1][:3] + "□" + poems[1][4:],
        "fragment": "日月山水。",
        "unbalanced note": poems[2] + "（一作",
        "debris": "日月x" + poems[3],
        "not verse": "日" * 17 + "。",
        "too long": synthetic_poem(random.Random(1), lines=20),
        "empty": "（此首不录）",
    }
    path = write(tmp_path / "poems.txt", *poems, *bad.values())
    prepared = build_corpus([path], "x", PrepareConfig(max_chars=100))
    assert {entry.reason: entry.poem.text for entry in prepared.dropped} == bad
    assert all(entry.poem.title == "题" for entry in prepared.dropped)
    report = prepared.corpus.report
    assert report.read == 40
    assert report.dropped == dict.fromkeys(sorted(bad), 1)
    assert sum(report.kept.values()) == 32
    assert sorted(all_poems(prepared.corpus)) == sorted(poems)


def write_records(path, *records):
    keys = ("paragraphs", "title", "author")
    records = [dict(zip(keys, record, strict=True)) for record in records]
    path.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    return path


def test_a_poem_among_modern_verse_keeps_its_lines():
    modern = ["我们的山\n在远远的地方", "河水在流着\n它不说话", "春天来了\n小草探出头\n小花张开嘴"]
    poems = [RawPoem(text) for text in modern]
    assert [text for text, _ in Sieve(PrepareConfig()).add_all(poems, prose=False)] == modern
    [(alone, _)] = Sieve(PrepareConfig()).add_all(poems[2:], prose=False)
    assert alone == "春天来了，小草探出头。小花张开嘴。"


@pytest.mark.parametrize("script", ["simplified", "traditional", "keep"])
def test_titles_and_authors_stay_with_their_poems(tmp_path, script):
    poems = [*drawn(30, "train"), *drawn(4, "validation"), *drawn(3, "test")]
    random.Random(0).shuffle(poems)
    lost = "日" * 4
    records = [
        ([poem], f"《東風{number}首》 {'一二三'[number % 3]}", ["[唐] 李贺", "佚名"][number % 2])
        for number, poem in enumerate(poems)
    ]
    records.insert(5, ([lost], "春", "李白"))
    path = write_records(tmp_path / "p.json", *records)
    prepared = build_corpus([path], "x", PrepareConfig(script=script, min_count=1))
    east = "东风" if script == "simplified" else "東風"
    poet = "李賀" if script == "traditional" else "李贺"
    identities = {identity(poem): number for number, poem in enumerate(poems)}
    for split, encoded in prepared.corpus.splits.items():
        for poem, token_ids in zip(prepared.kept[split], encoded, strict=True):
            assert prepared.corpus.vocabulary.encode_text(poem.text) == token_ids[1:-1].tolist()
        assert list(prepared.corpus.about(split)) == [poem[1:] for poem in prepared.kept[split]]
        for poem in prepared.kept[split]:
            number = identities[identity(poem.text)]
            assert poem.title == f"{east}{number}首 其{'一二三'[number % 3]}"
            origin = (poet, "唐") if number % 2 == 0 else ("", "")
            assert (poem.author, poem.dynasty) == origin
    report = prepared.corpus.report
    assert (report.num_titled, report.num_authored, report.num_dated) == (37, 19, 19)
    save_corpus(prepared.corpus, tmp_path / "corpora" / "x")
    assert_same_corpus(load_corpus(tmp_path / "corpora" / "x"), prepared.corpus)


def test_a_poem_has_the_first_title_and_author_of_its_duplicates(tmp_path):
    poem, *others = [*drawn(6, "train"), *drawn(2, "validation")]
    path = write_records(
        tmp_path / "p.json",
        ([poem], "", "佚名"),
        *(([other], "题", "李贺") for other in others),
        ([poem], "春晓", ""),
        ([poem], "别题", "（唐）孟浩然"),
        ([poem], "又题", "王维"),
    )
    prepared = build_corpus([path], "x", PrepareConfig())
    first = prepared.kept["train"][0]
    assert first == (poem, "春晓", "孟浩然", "唐")
    assert [entry.poem.title for entry in prepared.dropped] == ["春晓", "别题", "又题"]
    assert prepared.corpus.about("train")[0] == first[1:]


def test_a_poem_that_is_moved_to_an_empty_split_keeps_its_title(tmp_path):
    poems = drawn(5, "train")
    path = write_records(tmp_path / "p.json", *(([poem], poem[:5], "李贺") for poem in poems))
    kept = build_corpus([path], "x", PrepareConfig()).kept
    assert (len(kept["train"]), len(kept["validation"])) == (4, 1)
    assert all(poem.title == poem.text[:5] for split in SPLITS for poem in kept[split])


def test_the_files_of_a_named_corpus_give_their_poems_a_dynasty(tmp_path, monkeypatch):
    poems = [*drawn(4, "train"), *drawn(2, "validation")]
    authors = ["", "[元] 甲"] * 3
    records = (([poem], "题", author) for poem, author in zip(poems, authors, strict=True))
    path = write_records(tmp_path / "p.json", *records)
    known = {hashlib.sha256(path.read_bytes()).hexdigest(): "宋"}
    monkeypatch.setattr("poetgen.corpus.prepare.dynasties", lambda: known)
    kept = build_corpus([path], "x", PrepareConfig()).kept
    assert [poem.dynasty for poem in kept["train"]] == ["宋", "元", "宋", "元"]


def test_nobody_is_not_an_author_that_was_asked_for(tmp_path):
    poems = [*drawn(4, "train"), *drawn(4, "validation")]
    lines = [
        f"题::{author}::{p}\n"
        for author, p in zip(["李白", "", "杜甫 ", " "] * 2, poems, strict=True)
    ]
    (tmp_path / "p.txt").write_text("".join(lines), encoding="utf-8")
    for authors in ("李白,", "，李白", "李白、 "):
        prepared = build_corpus([tmp_path / "p.txt"], "x", PrepareConfig(authors=authors))
        assert sum(prepared.corpus.report.kept.values()) == 2
        assert {entry.poem.text for entry in prepared.dropped}.isdisjoint([poems[0], poems[4]])
    both = build_corpus([tmp_path / "p.txt"], "x", PrepareConfig(authors="李白,杜甫", min_count=1))
    assert len(both.dropped) == 4
    with pytest.raises(SettingError, match="no author"):
        build_corpus([tmp_path / "p.txt"], "x", PrepareConfig(authors=" , "))


def test_a_poem_of_just_the_longest_length_is_kept(tmp_path):
    poems = [*drawn(4, "train"), *drawn(1, "validation")]
    path = write(tmp_path / "poems.txt", *poems)
    size = len(poems[0])
    assert build_corpus([path], "x", PrepareConfig(max_chars=size)).dropped == []
    with pytest.raises(SourceError, match="5 too long"):
        build_corpus([path], "x", PrepareConfig(max_chars=size - 1))


def test_the_vocabulary_is_learnt_from_the_training_poems_alone(tmp_path):
    train = drawn(8, "train")
    novel = "鑫森淼焱垚犇羴"
    rng = random.Random(2)
    strange = "日"
    while split_of(identity(strange)) != "validation" or len(strange) < 8:
        strange = "".join(rng.choice(novel) for _ in range(10)) + "。"
    path = write(tmp_path / "poems.txt", *train, strange)
    corpus = build_corpus([path], "x", PrepareConfig(min_count=1)).corpus
    assert not set(novel) & set(corpus.vocabulary.tokens)
    assert set(corpus.vocabulary.tokens) == set("".join(train))
    [poem] = corpus.splits["validation"]
    assert np.count_nonzero(poem == UNK) == 10
    assert corpus.report.unknown_share["validation"] == 10 / 12


def test_rare_characters_are_unknown(tmp_path):
    poems = [*drawn(8, "train"), *drawn(1, "validation")]
    corpus = build_corpus(
        [write(tmp_path / "p.txt", *poems)], "x", PrepareConfig(min_count=6)
    ).corpus
    counts = Counter("".join(poems[:8]))
    assert set(corpus.vocabulary.tokens) == {char for char in counts if counts[char] >= 6}
    share = sum(n for n in counts.values() if n < 6) / (counts.total() + 8)
    assert share > 0
    assert corpus.report.unknown_share["train"] == pytest.approx(share)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("num_poems", [3, 4, 7])
def test_a_small_collection_has_something_to_learn_from_and_to_validate_on(
    tmp_path, split, num_poems
):
    poems = drawn(num_poems, split)
    kept = build_corpus([write(tmp_path / "p.txt", *poems)], "x", PrepareConfig()).corpus.splits
    assert len(kept["train"]) >= 1
    assert len(kept["validation"]) >= 1
    assert sum(map(len, kept.values())) == num_poems


def test_the_poem_that_a_small_collection_holds_out_is_the_same_in_any_order(tmp_path):
    poems = drawn(9, "train")
    rules = PrepareConfig(min_count=1)
    chosen = set()
    for seed in range(4):
        shuffled = random.Random(seed).sample(poems, len(poems))
        corpus = build_corpus([write(tmp_path / "p.txt", *shuffled)], "x", rules).corpus
        [poem] = corpus.splits["validation"]
        chosen.add(corpus.vocabulary.decode(poem))
        assert len(corpus.splits["train"]) == 8
    assert len(chosen) == 1


@pytest.mark.parametrize("poems", [[POEM], [POEM, POEM.replace("，", "、")], ["日月。", POEM]])
def test_fewer_than_two_poems_are_too_few(tmp_path, poems):
    with pytest.raises(SourceError, match="Only 1 poem can be used"):
        build_corpus([write(tmp_path / "p.txt", *poems)], "x", PrepareConfig())


def test_every_file_is_reported_and_its_provenance_is_kept(source, tmp_path):
    folder = tmp_path / "sources"
    folder.mkdir()
    for number in (1, 2, 10):
        write_poems(folder / f"{number}.txt", num_poems=number + 4, seed=number)
    calls = []
    prepared = build_corpus(
        [source, folder], "x", PrepareConfig(), on_file=lambda *call: calls.append(call)
    )
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    paths = [source, *(folder / f"{number}.txt" for number in (1, 2, 10))]
    assert prepared.corpus.provenance == [
        Provenance(
            file=path.name,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            poems=n,
            format="title-content",
            encoding="utf-8",
            lines=n,
        )
        for path, n in zip(paths, (60, 5, 6, 14), strict=True)
    ]


def test_the_fingerprint_follows_from_what_is_learnt_and_from_nothing_else(source, tmp_path):
    def fingerprint(path, **rules):
        return build_corpus([path], "any", PrepareConfig(**rules)).corpus.fingerprint

    lines = source.read_text(encoding="utf-8").splitlines()
    renamed = tmp_path / "renamed.txt"
    renamed.write_text("\n".join(f"无题:{line.split(':')[1]}" for line in lines), encoding="utf-8")
    fewer = tmp_path / "fewer.txt"
    fewer.write_text("\n".join(lines[:-1]), encoding="utf-8")
    first = fingerprint(source)
    assert fingerprint(renamed) == first
    others = {
        first,
        fingerprint(fewer),
        fingerprint(source, script="traditional"),
        fingerprint(source, min_count=60),
    }
    assert len(others) == 4


def test_only_poems_of_the_forms_asked_for_are_kept(tmp_path):
    rng = random.Random(4)
    shapes = {"五绝": (5, 4), "七绝": (7, 4), "五律": (5, 8), "七律": (7, 8)}
    poems = {
        form: [synthetic_poem(rng, *shape) for _ in range(9)] for form, shape in shapes.items()
    }
    path = write(tmp_path / "p.txt", *itertools.chain.from_iterable(poems.values()))
    rules = PrepareConfig(forms="五绝,七律", min_count=1)
    prepared = build_corpus([path], "x", rules)
    assert {entry.reason for entry in prepared.dropped} == {"other form"}
    assert [entry.poem.text for entry in prepared.dropped] == poems["七绝"] + poems["五律"]
    assert prepared.corpus.report.kept.keys() == set(SPLITS)
    assert sum(prepared.corpus.report.kept.values()) == 18


def test_prepare_writes_what_build_corpus_builds(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    built = build_corpus([source], "poems")
    assert built.folder is None
    prepared = prepare(source)
    assert prepared.folder == Path("corpora/poems")
    assert_same_corpus(prepared.corpus, built.corpus)
    for found in ("poems", "corpora/poems", prepared.folder):
        assert_same_corpus(load_corpus(found), built.corpus)
    with pytest.raises(ExistsError):
        prepare([source])
    assert prepare(str(source), force=True).folder == prepared.folder
    other = prepare([source], name="mine", folder=tmp_path / "elsewhere")
    assert (other.corpus.name, other.folder) == ("mine", tmp_path / "elsewhere")
    assert_same_corpus(load_corpus(other.folder), built.corpus)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"name": "a/b"}, InputError),
        ({"settings": PrepareConfig(forms="词")}, SettingError),
        ({"settings": PrepareConfig(authors=",")}, SettingError),
        ({"settings": PrepareConfig(letters_only=True, script="traditional")}, SettingError),
        ({"folder": Path()}, ExistsError),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_fetched(
    tmp_path, monkeypatch, options, error
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "mirror").mkdir()
    said = []
    with pytest.raises(error):
        prepare("ci", mirror="mirror", on_note=said.append, **options)
    assert not said
    assert [path.name for path in tmp_path.iterdir()] == ["mirror"]


def test_there_is_no_corpus_of_nothing():
    with pytest.raises(InputError, match="nothing to prepare"):
        prepare([])


@needs_english
def test_a_source_that_is_a_name_is_fetched_and_a_file_of_that_name_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    steps, said = [], []
    prepared = prepare(
        "time-machine",
        mirror=str(TIME_MACHINE.parent),
        on_fetch=lambda *step: steps.append(step),
        on_note=said.append,
    )
    assert prepared.corpus.name == "time-machine"
    assert prepared.corpus.is_prose
    assert {source for source, _, _ in steps} == {"time-machine"}
    assert steps[-1][1:] == (TIME_MACHINE.stat().st_size,) * 2
    assert said
    write_poems(tmp_path / "time-machine", num_poems=30)
    assert sum(prepare("time-machine", force=True).corpus.report.kept.values()) == 30


def test_a_corpus_of_words_has_words_for_tokens(tmp_path):
    lines = [f"the {beast} sat on the {place}." for beast in ("cat", "dog") for place in "xyz"]
    (tmp_path / "t.txt").write_text("\n\n".join(lines), encoding="utf-8")
    corpus = build_corpus([tmp_path / "t.txt"], "t", PrepareConfig(tokens="word")).corpus
    assert {"the", "cat", "."} <= set(corpus.vocabulary.tokens)
    assert corpus.vocabulary.decode(corpus.splits["train"][0].tolist()) in lines


@pytest.mark.parametrize("format", ["plain", "title-content"])
def test_verse_that_is_parted_into_words_has_those_for_tokens(tmp_path, format):
    poems = [f"{a} 明月 光，疑是 {b} 霜。" for a in ("床前", "山中", "水") for b in ("地上", "天")]
    title, end = ("题:", "\n") if format == "title-content" else ("", "\n\n")
    (tmp_path / "t.txt").write_text(end.join(title + poem for poem in poems), encoding="utf-8")
    rules = PrepareConfig(tokens="word", format=format, min_count=1)
    corpus = build_corpus([tmp_path / "t.txt"], "t", rules).corpus
    assert {"床前", "明月", "光", "，", "地上", "霜", "。"} <= set(corpus.vocabulary.tokens)
    written = {corpus.vocabulary.decode(poem) for poems in corpus.splits.values() for poem in poems}
    assert written == set(poems)


def test_verse_without_blanks_has_no_words(tmp_path):
    lines = [f"床前明月{a}，疑是地上{b}。" for a in "光山水" for b in "霜天"]
    (tmp_path / "t.txt").write_text("\n\n".join(lines), encoding="utf-8")
    with pytest.raises(SettingError, match="no blanks between words"):
        build_corpus([tmp_path / "t.txt"], "t", PrepareConfig(tokens="word"))


@needs_tang
def test_nearly_all_tang_poems_are_kept_and_the_rest_is_accounted_for(tang_corpus):
    report = tang_corpus.report
    kept = sum(report.kept.values())
    # Poems that differ from another one in a few characters are no loss.
    assert 55_000 <= kept + report.dropped.get("near-duplicate", 0) <= 56_000
    assert kept + sum(report.dropped.values()) == report.read == 57_607
    assert len(tang_corpus.provenance) == 58
    for split in ("validation", "test"):
        assert 0.02 < report.kept[split] / kept < 0.03


@needs_tang
def test_no_tang_poem_is_in_two_splits_or_twice_in_one(tang_corpus):
    seen = {
        split: [np.asarray(poem).tobytes() for poem in poems]
        for split, poems in tang_corpus.splits.items()
    }
    everything = [poem for poems in seen.values() for poem in poems]
    # Poems that differ only in characters too rare to have an id look alike here.
    assert len(everything) - len(set(everything)) <= 3
    assert not set(seen["train"]) & set(seen["test"])


@needs_tang
def test_tang_poems_are_characters_and_marks_and_hardly_any_is_unknown(tang_corpus):
    assert all(is_hanzi(t) or t in LINE_MARKS for t in tang_corpus.vocabulary.tokens)
    assert 6_000 < len(tang_corpus.vocabulary) < 7_000
    for poems in tang_corpus.splits.values():
        assert unknown_share(poems) < 0.002
        starts = np.asarray(poems.offsets[:-1])
        assert (poems.tokens[starts] == START).all()
        assert (poems.tokens[poems.offsets[1:] - 1] == END).all()
        assert np.count_nonzero(poems.tokens == END) == len(poems)


def test_a_vocabulary_that_would_be_empty_is_refused(source):
    most = len(source.read_text("utf-8"))
    with pytest.raises(SettingError) as caught:
        build_corpus([source], "few", PrepareConfig(min_count=most))
    assert "--min-count" in caught.value.advice
    assert str(most) in caught.value.problem


@needs_english
def test_the_time_machine_has_the_figures_of_the_book():
    corpus = build_corpus([TIME_MACHINE], "t", PrepareConfig(letters_only=True)).corpus
    report = corpus.report
    assert report.num_chars == 170_580
    assert report.num_lines == 3_221
    assert set(corpus.vocabulary.tokens) == set("abcdefghijklmnopqrstuvwxyz ")
    assert len(corpus.vocabulary) == 28 + len({PAD, START, END})
