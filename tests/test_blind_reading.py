"""Blind readings: what stands in a sheet, what does not, and how answers are scored."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import reading
from benchmarks.answers import COLUMNS, MARKS, Answer, read_answers, score
from benchmarks.pairs import MAX_POEMS, SIDES, Pair, find_real, make_pairs, printed
from poetgen.characters import HAN, punctuated
from poetgen.config import PrepareConfig
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.folder import save_corpus
from poetgen.corpus.prepare import build_corpus
from poetgen.corpus.split import Split, identity, split_of
from poetgen.errors import InputError, SettingError
from poetgen.generation.poet import Poet
from poetgen.networks.model import Model
from poetgen.networks.model_file import save_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.verse.forms import form_of
from poetgen.verse.tunes import find_tunes
from tests.synthetic import CHARACTERS
from tests.tiny import tiny_model

FORMS = ("七绝", "五绝")
SHAPES = {"五绝": (5,) * 4, "七绝": (7,) * 4, "如梦令": find_tunes("如梦令")[0].line_lengths}
SEED = 5
FAMOUS = "杜工部"


def poems(form: str, split: Split, seed: int) -> Iterator[str]:
    """Yield poems of random characters that belong to a split."""
    rng = random.Random(f"{form} {seed}")
    while True:
        lines = ["".join(rng.choices(CHARACTERS, k=length)) for length in SHAPES[form]]
        if split_of(identity(text := punctuated(lines))) == split:
            yield text


def record(text: str, author: str, title: str) -> dict[str, object]:
    return {"author": author, "title": title, "paragraphs": [text]}


def prepared(folder: Path, records: list[dict[str, object]]) -> Corpus:
    # So that no character is unknown.
    every = punctuated([(2 * CHARACTERS)[first : first + 7] for first in range(0, 42, 7)])
    assert split_of(identity(every)) == "train"
    records = [*records, record(every, "", "")]
    source = folder / "poems.json"
    source.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    return build_corpus([source], "few", PrepareConfig()).corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Fifteen held-out poems of each form by lesser-known poets, and some of a known one."""
    records = []
    for form in FORMS:
        known = poems(form, "train", 1)
        records += [record(next(known), FAMOUS, f"秋兴{form}") for _ in range(MAX_POEMS)]
        for place, split in enumerate(("validation", "test")):
            held_out = poems(form, split, 2)
            records += [record(next(held_out), FAMOUS, "登高") for _ in range(5)]
            for number in range(7 + place):
                author, title = f"王{'甲乙丙丁'[number % 4]}", f"早发{'赤橙黄绿青蓝紫黑'[number]}州"
                records.append(record(next(held_out), author, title))
    return prepared(tmp_path_factory.mktemp("few"), records)


def poet_of(model: Model) -> Poet:
    return Poet("bard", model, NumpyModel(model.config, model.weights))


@pytest.fixture(scope="module")
def poet() -> Poet:
    return poet_of(tiny_model())


@pytest.fixture(scope="module")
def pairs(poet: Poet, corpus: Corpus) -> list[Pair]:
    return make_pairs(poet, corpus, FORMS, 11, SEED)


def sides_of(pairs: list[Pair]) -> str:
    return "".join(pair.real_side for pair in pairs)


# The pairs.


def test_both_poems_of_a_pair_have_its_form(pairs):
    assert [pair.form for pair in pairs] == [FORMS[number % 2] for number in range(11)]
    assert all(form_of(pair.real.text) == form_of(pair.ours.text) == pair.form for pair in pairs)


def test_the_real_poems_are_held_out_and_by_lesser_known_poets(corpus):
    for form in FORMS:
        found = find_real(corpus, form)
        assert len(found) == 15
        assert all(one.split == split_of(identity(one.text)) != "train" for one in found)
        assert all(one.author.startswith("王") and one.title.startswith("早发") for one in found)


def test_a_near_duplicate_of_a_training_poem_is_left_out(tmp_path):
    training, other = (next(poems("五绝", split, 3)) for split in ("train", "validation"))
    changed = (training[:2] + a + b + training[4:] for a in CHARACTERS for b in CHARACTERS)
    near = next(text for text in changed if split_of(identity(text)) == "test")
    records = [record(text, "王甲", "早发") for text in (training, near, other)]
    assert [one.text for one in find_real(prepared(tmp_path, records), "五绝")] == [other]


def test_a_poem_of_a_tune_has_its_name_and_its_shape(tmp_path):
    splits: tuple[Split, ...] = ("train", "validation", "test")
    training, right, misnamed = (next(poems("如梦令", split, 4)) for split in splits)
    misshapen = next(poems("五绝", "test", 4))
    records = [
        record(training, "王甲", "如梦令"),
        record(right, "王甲", "如梦令·早发"),
        record(misnamed, "王甲", "浣溪沙"),
        record(misshapen, "王甲", "如梦令"),
    ]
    found = find_real(prepared(tmp_path, records), "如梦令")
    assert [one.text for one in found] == [printed(right)]


def test_the_order_is_random_and_a_function_of_the_seed(poet, corpus, pairs):
    assert make_pairs(poet, corpus, FORMS, 11, SEED) == pairs
    orders = {sides_of(make_pairs(poet, corpus, ["五绝"], 8, seed)) for seed in range(8)}
    assert len(orders) > 4
    assert set("".join(orders)) == set(SIDES)


def test_what_was_read_before_is_not_read_again(poet, corpus):
    used: set[str] = set()
    for seed in range(3):
        again = make_pairs(poet, corpus, FORMS, 10, seed, used=used)
        read = {identity(one.text) for pair in again for one in (pair.real, pair.ours)}
        assert len(read) == 20
        assert not read & used
        used |= read
    with pytest.raises(SettingError, match="only 0 by lesser-known"):
        make_pairs(poet, corpus, FORMS, 10, 3, used=used)


def test_poems_of_ours_that_were_read_before_are_refused(poet, corpus, pairs):
    used = {identity(pair.ours.text) for pair in pairs}
    with pytest.raises(SettingError, match="read before"):
        make_pairs(poet, corpus, FORMS, 11, SEED, used=used)


@pytest.mark.parametrize(("forms", "num_pairs"), [(["打油诗"], 5), ([""], 5), (FORMS, 1)])
def test_pairs_that_cannot_be_made_are_refused(poet, corpus, forms, num_pairs):
    with pytest.raises(SettingError, match="pairs can"):
        make_pairs(poet, corpus, forms, num_pairs, SEED)


def test_titles_of_a_model_that_writes_none_are_refused(poet, corpus):
    with pytest.raises(SettingError, match="no titles"):
        make_pairs(poet, corpus, FORMS, 11, SEED, titles=True)


# The sheet.


def test_the_sheet_does_not_say_which_poem_is_real(pairs):
    sheet = reading.sheet_of(pairs)
    assert sheet.count("## ") == len(pairs)
    for pair in pairs:
        for hidden in (pair.real.author, pair.real.title, pair.real.split, str(pair.ours.seed)):
            assert hidden not in sheet
    for block, pair in zip(sheet.split("\n## ")[1:], pairs, strict=True):
        first, second = block.partition("**A**")[2].split("**B**")
        poems = [re.sub(r"\s", "", part) for part in (first, second)]
        assert poems[SIDES.index(pair.real_side)] == pair.real.text
        assert poems[1 - SIDES.index(pair.real_side)] == pair.ours.text
        # Alike in everything but the characters.
        shapes = {re.sub(f"[{HAN}]", "字", part).strip("\n") for part in (first, second)}
        assert len(shapes) == 1


def test_titles_are_printed_above_both_poems_or_above_none(corpus):
    poet = poet_of(tiny_model(fields=True))
    pairs = make_pairs(poet, corpus, FORMS, 8, SEED, titles=True)
    sheet = reading.sheet_of(pairs, titles=True)
    titles = re.findall(r"^\*\*[AB]\*\* 《(.+)》$", sheet, re.MULTILINE)
    assert titles == [
        (pair.real if side == pair.real_side else pair.ours).title
        for pair in pairs
        for side in SIDES
    ]
    assert "《" not in reading.sheet_of(pairs)


def test_poems_are_printed_alike_whatever_their_marks_and_their_script_are():
    assert printed("紅豆生南國？春來發幾枝！") == printed("红豆生南国，春来发几枝。")
    assert printed("常记溪亭日暮；沉醉、不知归路！") == "常记溪亭日暮。沉醉，不知归路。"


# The commands.


@pytest.fixture
def here(tmp_path: Path, corpus: Corpus, poet: Poet, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Save the corpus and the model, and return the options that name them."""
    monkeypatch.chdir(tmp_path)
    save_corpus(corpus, tmp_path / "corpora/few")
    save_model(poet.model, tmp_path / "models/bard.safetensors")
    return ["sheet", "--model", "bard", "--corpus", "few", "-n", "10"]


def test_a_sheet_is_made_answered_and_scored(here, capsys):
    assert reading.main([*here, "--seed", "1", "--folder", "r1"]) == 0
    assert "bard" not in Path("r1/sheet.md").read_text(encoding="utf-8")
    assert reading.main([*here, "--seed", "2", "--folder", "r2", "--used", "r1/key.json"]) == 0
    first, second = (reading.read_key(Path(folder) / "key.json") for folder in ("r1", "r2"))
    assert not {pair.real for pair in first} & {pair.real for pair in second}
    again = [*here, "--seed", "1", "--folder", "r3"]
    assert reading.main([*again, "--used", "r1/key.json", "--used", "r2/key.json"]) == 0
    third = reading.read_key(Path("r3/key.json"))
    assert not {pair.real for pair in third} & {pair.real for pair in (*first, *second)}

    empty = Path("r1/answers.csv").read_text(encoding="utf-8")
    assert reading.main(["score", "r1/answers.csv", "--key", "r1/key.json"]) == 2
    assert "answers.csv, line 2: real is ''" in capsys.readouterr().err
    for reader, found in (("one", 10), ("two", 4)):
        lines = [COLUMNS, *([str(n), "", *"12341234"] for n in range(1, 11))]
        for line, pair in zip(lines[1:], first, strict=True):
            right = int(line[0]) <= found
            line[1] = pair.real_side if right else SIDES[pair.real_side == "A"]
        Path(f"{reader}.csv").write_text("\n".join(map(",".join, lines)), encoding="utf-8")
    capsys.readouterr()
    assert reading.main(["score", "one.csv", "two.csv", "--key", "r1/key.json", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["num_readers"] == 2
    assert [one["num_found"] for one in shown["readers"]] == [10, 4]
    assert shown["all"]["share_found"] == 0.7
    assert shown["all"]["ours"] == dict(zip(MARKS, [1, 2, 3, 4], strict=True))
    assert reading.main(["score", "one.csv", "two.csv", "--key", "r1/key.json"]) == 0
    assert "| one.csv | 10 of 10 | 1.00 / 1.00 |" in capsys.readouterr().out

    # Nothing is overwritten.
    assert reading.main([*here, "--seed", "3", "--folder", "r1"]) == 2
    assert Path("r1/answers.csv").read_text(encoding="utf-8") == empty


def test_a_file_that_is_no_key_is_refused(here, capsys):
    for text in ("", "[]", '{"pairs": [{}]}'):
        Path("key.json").write_text(text, encoding="utf-8")
        assert reading.main(["score", "answers.csv", "--key", "key.json"]) == 2
        assert "key.json is not the key of a sheet" in capsys.readouterr().err


# Answers and scores.


def test_a_score_is_that_of_a_small_example_by_hand():
    answers = [
        Answer(1, "A", {"A": (5, 4, 4.5, 3), "B": (2, 1, 1, 2)}),
        Answer(2, "A", {"A": (3, 2, 2, 2.5), "B": (4, 5, 3.5, 4)}),
        Answer(3, "B", {"A": (1, 3, 3, 3), "B": (3, 3, 4, 5)}),
    ]
    found = score(answers, "ABB")
    assert (found.num_pairs, found.num_found) == (3, 2)
    assert found.ours == pytest.approx(dict(zip(MARKS, [2, 2, 2, 2.5], strict=True)))
    assert found.real == pytest.approx(dict(zip(MARKS, [4, 4, 4, 4], strict=True)))


HEADER = ",".join(COLUMNS)
ONE, TWO = "1,A,3,2,1,5,4,4.5,4,4", "2,b,1,1,1,1,5,5,5,5.0"


def test_answers_are_read_as_a_spreadsheet_writes_them(tmp_path):
    path = tmp_path / "answers.csv"
    path.write_bytes(f"\ufeff{HEADER}\r\n{TWO}\r\n,,,\r\n {ONE}\r\n".encode())
    one, two = read_answers(path, 2)
    assert one == Answer(1, "A", {"A": [3, 2, 1, 5], "B": [4, 4.5, 4, 4]})
    assert (two.pair, two.real_side) == (2, "B")


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([], "line 1: .*columns"),
        ([ONE, TWO], "line 1: .*columns"),
        ([HEADER, ONE, TWO + ",5"], "line 3: it has 11 cells, not 10"),
        ([HEADER, ONE, "2,B"], "line 3: it has 2 cells"),
        ([HEADER, ONE, ONE], "line 3: pair 1 is there already"),
        ([HEADER, ONE, "3" + TWO[1:]], "line 3: the sheet has no pair '3'"),
        ([HEADER, ONE, "two" + TWO[1:]], "line 3: the sheet has no pair 'two'"),
        ([HEADER, "1,C" + ONE[3:], TWO], "line 2: real is 'C', not A or B"),
        ([HEADER, "", "1,A,6" + ONE[5:], TWO], "line 3: fluency_a is '6', not a number"),
        ([HEADER, ONE, TWO[:-3] + "0.5"], "line 3: poeticness_b is '0.5', not a number"),
        ([HEADER, ONE, TWO[:-3] + "5.5"], "line 3: poeticness_b is '5.5', not a number"),
        ([HEADER, ONE, TWO[:-3] + "nan"], "line 3: poeticness_b is 'nan', not a number"),
        ([HEADER, ONE], "no answer for 1 of 2 pairs: the first is pair 2"),
    ],
)
def test_bad_answers_are_refused_and_the_line_is_named(tmp_path, lines, error):
    path = tmp_path / "answers.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match=error):
        read_answers(path, 2)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "image.png").write_bytes(b"\x89PNG\xff")
    for name in ("image.png", "missing.csv"):
        with pytest.raises(InputError, match=f"{name} cannot be read"):
            read_answers(tmp_path / name, 2)
