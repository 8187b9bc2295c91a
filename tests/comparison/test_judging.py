"""Judging: the same text for every model, each in its own script and vocabulary."""

import dataclasses
import json
import math

import numpy as np
import pytest

from poetgen.comparison.judging import judge, judge_network
from poetgen.comparison.ngram import train_ngram
from poetgen.comparison.texts import IN_TRAINING, corpora_of, read_texts
from poetgen.config import PrepareConfig
from poetgen.corpus.corpus import decode_poems
from poetgen.corpus.folder import save_corpus
from poetgen.corpus.prepare import build_corpus
from poetgen.corpus.vocabulary import UNK, Vocabulary
from poetgen.errors import CorpusError, SourceError
from poetgen.networks.model import CorpusRef
from poetgen.networks.numpy_model import NumpyModel
from poetgen.training.evaluation import evaluate
from tests.synthetic import write_poems
from tests.tiny import tiny_corpus, tiny_model

TWO = ["日月日月日月日月日。", "山水山水，山水山水。"]


class Constant:
    """A network that predicts each token with a probability of 1/8, the unknown one with 1/64."""

    def losses(self, inputs, targets, pad):
        return np.log(np.where(targets == UNK, 64, 8)[targets != pad])


def write_lines(path, poems):
    path.write_text(
        "".join(json.dumps({"content": poem}, ensure_ascii=False) + "\n" for poem in poems),
        encoding="utf-8",
    )
    return path


def constant_figures(poems, tokens, path, script="keep"):
    texts = read_texts(write_lines(path / "poems.jsonl", poems))
    return judge_network(Constant(), Vocabulary(tokens), script, texts).figures


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A file of poems, and the corpus that it becomes."""
    path = tmp_path_factory.mktemp("written") / "poems.txt"
    write_poems(path, 300, seed=6)
    return path, build_corpus([path], "written").corpus


def test_a_model_with_the_vocabulary_of_a_corpus_has_the_metrics_of_training():
    corpus = tiny_corpus(80, seed=1)
    model = tiny_model(tokens="".join(corpus.vocabulary.tokens))
    network = NumpyModel(model.config, model.weights)
    metrics = evaluate(network, corpus.splits["validation"], corpus.vocabulary)
    figures = judge(model, read_texts(corpus)).figures
    assert figures.loss_per_token == pytest.approx(metrics.loss_per_token)
    assert figures.perplexity_per_token == pytest.approx(metrics.perplexity_per_token)
    assert figures.perplexity_per_hanzi == pytest.approx(metrics.perplexity_per_hanzi)
    assert figures.num_tokens == metrics.num_tokens
    assert figures.unknown_share == 0


def test_the_test_split_of_a_corpus_can_be_taken():
    corpus = tiny_corpus(80, seed=1)
    texts = read_texts(corpus, split="test")
    assert texts.num_poems == len(corpus.splits["test"]) != len(corpus.splits["validation"])
    assert texts.description.startswith("test split of tiny: ")


def test_every_token_counts_once_ends_included_and_characters_are_those_of_the_text(tmp_path):
    figures = constant_figures(TWO, "日月山水，。", tmp_path)
    assert figures.num_chars == sum(map(len, TWO))
    assert figures.num_tokens == figures.num_chars + 2
    assert figures.perplexity_per_token == pytest.approx(8)
    assert figures.perplexity_per_hanzi == pytest.approx(8)
    assert figures.bits_per_char == pytest.approx(3)


def test_the_bits_of_a_text_are_those_of_its_characters_and_sum_to_those_of_all(tmp_path):
    poems = [*TWO, "日月山云，日月山水。"]
    texts = read_texts(write_lines(tmp_path / "poems.jsonl", poems))
    figures, bits = judge_network(Constant(), Vocabulary("日月山水，。"), "keep", texts)
    # Of each character three, of the one that is unknown six; the end of a poem is none.
    assert bits.tolist() == pytest.approx([3 * len(TWO[0]), 3 * len(TWO[1]), 3 * 9 + 6])
    assert bits.sum() / figures.num_chars == pytest.approx(figures.bits_per_char, rel=1e-12)


def test_an_unknown_character_is_charged_as_one_of_all_that_the_text_has(tmp_path):
    known, three = "日月，。", "山水云"
    figures = constant_figures([TWO[0], "山水云云，山水云云。"], known, tmp_path)
    assert figures.num_unknown == len(three)
    assert figures.unknown_share == pytest.approx(8 / figures.num_tokens)
    charged = math.log(64) + math.log(len(three))
    assert figures.loss_per_token * figures.num_tokens == pytest.approx(
        (figures.num_tokens - 8) * math.log(8) + 8 * charged
    )
    assert math.log(figures.perplexity_per_hanzi) * 17 == pytest.approx(
        9 * math.log(8) + 8 * charged
    )
    assert figures.bits_per_char * figures.num_chars * math.log(2) == pytest.approx(
        (figures.num_chars - 8) * math.log(8) + 8 * charged
    )


def test_an_unknown_mark_is_not_a_character(tmp_path):
    figures = constant_figures(TWO, "日月山水", tmp_path)
    assert figures.num_unknown == 2
    assert figures.perplexity_per_hanzi == pytest.approx(8)
    assert figures.perplexity_per_token > 8


def test_letters_have_no_perplexity_per_hanzi(tmp_path):
    path = tmp_path / "prose.txt"
    path.write_text("One day, and another 日.\n\nAnd a third day.\n", encoding="utf-8")
    figures = judge_network(Constant(), Vocabulary("Oneday "), "keep", read_texts(path)).figures
    assert figures.perplexity_per_hanzi is None
    assert figures.bits_per_char > 3


def test_each_model_reads_the_text_in_its_own_script(tmp_path):
    poems = ["門前門前門前門前，山水山水。", "门后门后门后门后，山水山水。"]
    simplified = constant_figures(poems, "门前后山水，。", tmp_path, "simplified")
    traditional = constant_figures(poems, "門前後山水，。", tmp_path, "traditional")
    kept = constant_figures(poems, "门前后山水，。", tmp_path, "keep")
    assert simplified.unknown_share == traditional.unknown_share == 0
    assert kept.num_unknown == 1
    assert simplified.num_tokens == traditional.num_tokens == kept.num_tokens


def test_a_corpus_is_converted_too():
    corpus = tiny_corpus(80, seed=1)
    vocabulary = Vocabulary([*corpus.vocabulary.tokens, "風", "長", "遠", "見", "聞", "來", "雲"])
    (figures,) = {
        judge_network(Constant(), vocabulary, s, read_texts(corpus)).figures
        for s in ("keep", "traditional")
    }
    assert figures.unknown_share == 0


def test_a_model_of_letters_reads_letters_alone(tmp_path):
    path = tmp_path / "prose.txt"
    path.write_text("The Time-Machine!\nBy H. G. Wells\n\nOf 1895, they say.\n", encoding="utf-8")
    texts = read_texts(path)
    letters = Vocabulary("abcdefghijklmnopqrstuvwxyz ")
    joined = " ".join(texts.for_model(letters, "simplified"))
    assert "the time machine by h g wells" in joined
    assert "," not in joined
    assert "1895," in " ".join(texts.for_model(Vocabulary("abc ,"), "simplified"))


def test_the_format_makes_no_difference(tmp_path):
    poems = ["春风吹又生，秋月照还明。", "明月出天山，苍茫云海间。"]
    titled = tmp_path / "titled.txt"
    titled.write_text("".join(f"题{n}:{p}\n" for n, p in enumerate(poems)), encoding="utf-8")
    ccpc = tmp_path / "ccpc.json"
    rows = [
        {"dynasty": "Tang", "author": "", "title": "", "keywords": "", "content": one}
        for one in (poem.rstrip("。").replace("，", "|") for poem in poems)
    ]
    ccpc.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    lines = write_lines(tmp_path / "poems.jsonl", poems)
    for path in (titled, ccpc, lines):
        assert read_texts(path).for_model(Vocabulary("春"), "simplified") == poems


def test_duplicates_and_what_is_no_poem_are_left_out_and_counted(tmp_path):
    lines = write_lines(tmp_path / "poems.jsonl", [*TWO, TWO[0], "日月□日月日月日月日月。"])
    texts = read_texts(lines)
    assert texts.for_model(Vocabulary("日"), "keep") == TWO
    assert texts.left_out == {"duplicate": 1, "lacuna": 1}
    assert texts.description == f"{lines}: 2 poems (left out: 1 duplicate, 1 lacuna)"


def test_poems_that_were_trained_on_are_left_out_and_held_out_ones_stay(written):
    path, corpus = written
    texts = read_texts(path, learned=[corpus])
    held_out = [
        poem
        for split in ("validation", "test")
        for poem in decode_poems(corpus.splits[split], corpus.vocabulary)
    ]
    assert sorted(texts.for_model(corpus.vocabulary, corpus.script)) == sorted(held_out)
    assert texts.left_out[IN_TRAINING] == len(corpus.splits["train"])
    assert read_texts(path).num_poems == texts.num_poems + texts.left_out[IN_TRAINING]


@pytest.mark.parametrize(("num_changed", "is_left_out"), [(1, True), (2, True), (3, False)])
def test_poems_nearly_trained_on_are_left_out(written, tmp_path, num_changed, is_left_out):
    _, corpus = written
    poems = decode_poems(corpus.splits["train"], corpus.vocabulary)
    poem = next(poem for poem in poems if len(poem) == 24)
    changed = "窗" * num_changed + poem[num_changed:]
    other = "窗帘门扇窗帘门扇，窗帘门扇。"
    path = write_lines(tmp_path / "poems.jsonl", [changed, other])
    texts = read_texts(path, learned=[corpus])
    expected = [other] if is_left_out else [changed, other]
    assert texts.for_model(corpus.vocabulary, "keep") == expected


def test_a_training_poem_with_a_rare_character_is_recognised(tmp_path):
    common = [f"日{a}月{b}山，水日月山水。" for a in "日月山水" for b in "日月山水"]
    path = write_lines(tmp_path / "poems.jsonl", [*common, "日月山水窗，水日月山水。"])
    corpus = build_corpus([path], "rare", PrepareConfig(min_count=2)).corpus
    assert (corpus.splits["train"].tokens == UNK).any()
    (tmp_path / "again").mkdir()
    rare = write_lines(tmp_path / "again" / "poems.jsonl", ["日月山水窗，水日月山水。", TWO[1]])
    assert read_texts(rare, learned=[corpus]).left_out[IN_TRAINING] == 1


def test_equal_paragraphs_of_prose_are_left_out_and_similar_ones_stay(tmp_path):
    words = "river, stone, and the old house went by slowly again while he"
    turned = [words[n:] + " " + words[:n] for n in range(12)]
    parts = [f"{one}\n{one}\n{one} he went." for one in turned]
    path = tmp_path / "prose.txt"
    path.write_text("\n\n".join(parts), encoding="utf-8")
    corpus = build_corpus([path], "prose").corpus
    assert corpus.is_prose
    assert read_texts(path, learned=[corpus]).left_out == {IN_TRAINING: len(corpus.splits["train"])}
    path.write_text("\n\n".join(parts).replace("again", "later"), encoding="utf-8")
    assert read_texts(path, learned=[corpus]).num_poems == len(parts)


def test_a_format_can_be_named(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("No.\n\nYes, sir.\n\nNo.\n", encoding="utf-8")
    assert read_texts(path).num_poems == 2
    assert read_texts(path, format="prose").num_poems == 3


def test_a_corpus_of_words_keeps_its_tokens(tmp_path):
    path = tmp_path / "prose.txt"
    parts = [f"One day and day {'x' * n}, one more day." for n in range(1, 30)]
    path.write_text("\n\n".join(parts), encoding="utf-8")
    settings = PrepareConfig(tokens="word", min_count=3)
    corpus = build_corpus([path], "words", settings).corpus
    validation = corpus.splits["validation"]
    figures = judge_network(Constant(), corpus.vocabulary, "keep", read_texts(corpus)).figures
    assert figures.num_tokens == validation.num_targets
    assert figures.unknown_share * figures.num_tokens == pytest.approx(
        (validation.tokens == UNK).sum()
    )
    assert figures.unknown_share > 0
    assert figures.perplexity_per_hanzi is None


def test_words_that_a_corpus_of_letters_no_longer_has_are_unknown_and_not_left_out(tmp_path):
    source = tmp_path / "lines.txt"
    source.write_text("old pond frog, pond, jumps\n\nOld, old frog\n\npond frog\n", "utf-8")
    settings = PrepareConfig(letters_only=True, format="prose", tokens="word", min_count=2)
    corpus = build_corpus([source], "words", settings).corpus
    texts = read_texts(corpus, split="train")
    judged = judge(train_ngram(corpus, 2), texts).figures
    assert judged.num_tokens == corpus.splits["train"].num_targets
    assert judged.unknown_share == corpus.report.unknown_share["train"] > 0


def test_a_corpus_is_found_by_its_folder(small_corpus, tmp_path, monkeypatch):
    save_corpus(small_corpus, tmp_path / "corpora" / "small")
    monkeypatch.chdir(tmp_path)
    for on in ("small", tmp_path / "corpora" / "small", small_corpus):
        texts = read_texts(on)
        assert texts.description == read_texts(small_corpus).description
        assert texts.parts == read_texts(small_corpus).parts


def test_an_ngram_is_judged_as_a_model_is(written):
    _, corpus = written
    ngram = train_ngram(corpus, 3)
    metrics = evaluate(ngram, corpus.splits["validation"], corpus.vocabulary)
    figures = judge(ngram, read_texts(corpus)).figures
    assert figures.loss_per_token == pytest.approx(metrics.loss_per_token)


def test_a_text_that_is_not_there_is_neither_a_file_nor_a_corpus(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError, match="nowhere"):
        read_texts("nowhere")


def test_a_text_without_a_poem_left_is_refused(written, tmp_path):
    _, corpus = written
    poems = decode_poems(corpus.splits["train"], corpus.vocabulary)[:3]
    path = write_lines(tmp_path / "poems.jsonl", poems)
    with pytest.raises(SourceError, match="3 in training"):
        read_texts(path, learned=[corpus])


def test_the_corpora_of_models_are_those_that_are_here(small_corpus, tmp_path, monkeypatch):
    save_corpus(small_corpus, tmp_path / "corpora" / "small")
    monkeypatch.chdir(tmp_path)
    nameless = tiny_model()
    here, here_too, gone = (
        dataclasses.replace(nameless, corpus=CorpusRef(name, small_corpus.fingerprint))
        for name in ("small", "small", "gone")
    )
    corpora, notes = corpora_of([here, here_too])
    assert [one.fingerprint for one in corpora] == [small_corpus.fingerprint]
    assert not notes
    corpora, notes = corpora_of([nameless, gone, here])
    assert len(corpora) == 1
    assert len(notes) == 2
    assert "gone" in notes[1]


def test_a_corpus_that_has_changed_and_a_model_before_this_one_are_noted(
    small_corpus, tmp_path, monkeypatch
):
    save_corpus(small_corpus, tmp_path / "corpora" / "small")
    monkeypatch.chdir(tmp_path)
    earlier = dataclasses.replace(tiny_model(), corpus=CorpusRef("small", "0123"))
    corpora, (note,) = corpora_of([earlier, earlier])
    assert [one.fingerprint for one in corpora] == [small_corpus.fingerprint]
    assert note.startswith("The corpus small is not as it was")
    ours = CorpusRef("small", small_corpus.fingerprint)
    tuned = dataclasses.replace(tiny_model(), corpus=ours, training={"init": "tang"})
    corpora, (note,) = corpora_of([tuned], [small_corpus])
    assert corpora == [small_corpus]
    assert note.startswith("A model began with tang")
