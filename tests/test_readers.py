"""Poems out of files: which files, written how, and what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.errors import SourceError
from poetgen.text.characters import hanzi_only
from poetgen.text.readers import RawPoem, detect_format, find_files, read_poems
from tests.real_data import SHAKESPEARE, TANG, TIME_MACHINE, needs_english, needs_tang

POEM = "床前明月光，疑是地上霜。"
OTHER = "春眠不觉晓，处处闻啼鸟。"
RECORDS = [
    {"title": "静夜思", "author": "李白", "paragraphs": ["床前明月光，", "疑是地上霜。"]},
    {"title": "春晓", "author": "孟浩然", "paragraphs": [OTHER]},
]


def written(tmp_path, text, name="poems.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def texts(poems):
    return [poem.text for poem in poems]


def test_a_file_is_its_own_only_source_whatever_its_name(tmp_path):
    path = written(tmp_path, POEM, "poems.dat")
    assert find_files(path) == [path]


def test_a_folder_gives_its_json_and_text_files_at_any_depth_by_their_numbers(tmp_path):
    names = ["poet.2000.json", "poet.10000.json", "poet.0.json", "a/9.txt", "a/10.txt", "a/x.md"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        written(tmp_path, POEM, name)
    (tmp_path / "folder.json").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in find_files(tmp_path)]
    assert found == ["a/9.txt", "a/10.txt", "poet.0.json", "poet.2000.json", "poet.10000.json"]


def test_a_source_that_is_missing_or_without_texts_is_refused(tmp_path):
    with pytest.raises(SourceError, match="no file or folder"):
        find_files(tmp_path / "nothing")
    written(tmp_path, POEM, "poem.md")
    with pytest.raises(SourceError, match=r"no \.json or \.txt"):
        find_files(tmp_path)


def test_json_poems_have_their_lines_joined_and_keep_title_and_author(tmp_path):
    path = written(tmp_path, json.dumps(RECORDS))
    assert read_poems(path) == [
        RawPoem(POEM, "静夜思", "李白"),
        RawPoem(OTHER, "春晓", "孟浩然"),
    ]


def test_one_json_object_is_one_poem(tmp_path):
    path = written(tmp_path, json.dumps(RECORDS[1], ensure_ascii=False))
    assert read_poems(path) == [RawPoem(OTHER, "春晓", "孟浩然")]


@pytest.mark.parametrize("record", [{"paragraphs": []}, {"paragraphs": [""], "title": None}])
def test_a_json_poem_without_lines_title_or_author_is_an_empty_poem(tmp_path, record):
    assert read_poems(written(tmp_path, json.dumps([record]))) == [RawPoem("", "", "")]


@pytest.mark.parametrize("text", ["[", '[{"paragraphs": ["日"]}', "{]", "[" * 100_000])
def test_broken_json_is_refused_by_the_name_of_its_file(tmp_path, text):
    path = written(tmp_path, text, "broken.json")
    with pytest.raises(SourceError, match=r"broken\.json is not valid JSON"):
        read_poems(path)


@pytest.mark.parametrize(
    "record",
    [1, "日", None, [], {}, {"paragraphs": "日"}, {"paragraphs": [1]}, {"content": ["日"]}],
)
def test_json_of_another_shape_is_refused_by_the_number_of_the_record(tmp_path, record):
    path = written(tmp_path, json.dumps([RECORDS[0], RECORDS[1], record]))
    with pytest.raises(SourceError, match=r"Record 2 of .*paragraphs"):
        read_poems(path)


@pytest.mark.parametrize("colon", ":：")
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\n\n"])
def test_a_line_of_title_and_content_is_a_poem(tmp_path, colon, newline):
    path = written(tmp_path, f"静夜思{colon}{POEM}{newline}春晓{colon}{OTHER}{newline}")
    assert read_poems(path) == [RawPoem(POEM, "静夜思"), RawPoem(OTHER, "春晓")]


def test_only_the_first_colon_ends_the_title(tmp_path):
    path = written(tmp_path, "君不见:君不见：黄河之水天上来")
    assert read_poems(path, "title-content") == [RawPoem("君不见：黄河之水天上来", "君不见")]


def test_a_line_without_a_title_is_refused_by_its_number(tmp_path):
    path = written(tmp_path, f"静夜思:{POEM}\n\n{OTHER}\n")
    with pytest.raises(SourceError, match="Line 3 of"):
        read_poems(path, "title-content")


def test_one_untitled_line_in_ten_still_is_a_file_with_titles():
    titled = [f"题{number}:{POEM}" for number in range(9)]
    assert detect_format("\n".join([*titled, OTHER])) == "title-content"
    assert detect_format("\n".join([*titled[:8], OTHER])) == "plain"


def test_the_format_follows_from_the_content_and_not_from_the_name(tmp_path):
    records = json.dumps(RECORDS)
    assert read_poems(written(tmp_path, records, "a.txt")) == read_poems(
        written(tmp_path, records, "b.json")
    )
    titled = f"静夜思:{POEM}"
    assert read_poems(written(tmp_path, titled, "c.json")) == [RawPoem(POEM, "静夜思")]


@pytest.mark.parametrize("text", ["第一。", f"{POEM}\n{OTHER}", "To be:\nor not", ":日", "日："])
def test_text_without_titles_is_plain(text):
    assert detect_format(text) == "plain"


def test_a_play_whose_speakers_stand_alone_is_plain():
    assert detect_format("First Citizen:\nBefore we proceed.\n\nAll:\nSpeak, speak.") == "plain"


@pytest.mark.parametrize("blank", ["\n\n", "\n \n", "\n\u3000\t\n", "\n\n\n\n", "\r\n\r\n"])
def test_blank_lines_part_poems(tmp_path, blank):
    verses = "举头望明月，\n低头思故乡。"
    path = written(tmp_path, f"{verses}{blank}{OTHER}\n")
    assert texts(read_poems(path)) == [verses, OTHER]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_without_blank_lines_a_line_of_whole_sentences_is_a_poem(tmp_path, newline):
    path = written(tmp_path, POEM + newline + OTHER + newline)
    assert texts(read_poems(path)) == [POEM, OTHER]


def test_verses_on_lines_of_their_own_are_one_poem(tmp_path):
    verses = "床前明月光\n疑是地上霜\n举头望明月\n低头思故乡"
    assert texts(read_poems(written(tmp_path, verses))) == [verses]


def test_unpunctuated_english_lines_stay_poems_of_their_own(tmp_path):
    path = written(tmp_path, "the cat sat on the mat\nthe dog ate the log\n")
    assert texts(read_poems(path)) == ["the cat sat on the mat", "the dog ate the log"]


@given(poems=st.lists(st.text("日月山水", min_size=9, max_size=20), min_size=1, max_size=6))
def test_every_format_gives_back_the_poems_that_were_written(tmp_path_factory, poems):
    folder = tmp_path_factory.mktemp("formats")
    poems = [f"{poem}。" for poem in poems]
    records = [{"title": "题", "paragraphs": [poem]} for poem in poems]
    assert texts(read_poems(written(folder, json.dumps(records)))) == poems
    assert texts(read_poems(written(folder, "\n".join(f"题:{poem}" for poem in poems)))) == poems
    assert texts(read_poems(written(folder, "\n".join(poems)))) == poems
    assert texts(read_poems(written(folder, "\n\n".join(poems)))) == poems


def test_a_byte_order_mark_is_no_part_of_the_poem(tmp_path):
    path = written(tmp_path, b"\xef\xbb\xbf" + POEM.encode())
    assert texts(read_poems(path)) == [POEM]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (" \n\u3000\n".encode(), "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (POEM.encode("gb18030"), "is not UTF-8: byte 0 "),
        ("日".encode() + b"\xff", "is not UTF-8: byte 3 "),
        (POEM.encode("utf-16"), "is not UTF-8|is not a text file"),
        (b"PK\x03\x04\x00\x00", "is not a text file"),
    ],
)
def test_what_is_no_utf8_text_is_refused_with_a_reason(tmp_path, data, problem):
    with pytest.raises(SourceError, match=problem):
        read_poems(written(tmp_path, data))


def test_a_folder_or_a_missing_file_cannot_be_read(tmp_path):
    for path in (tmp_path, tmp_path / "nothing.txt"):
        with pytest.raises(SourceError, match="cannot be read"):
            read_poems(path)


@needs_tang
def test_the_tang_files_are_58_in_order_and_hold_57607_poems():
    files = find_files(TANG)
    assert [path.name for path in files] == [
        f"poet.tang.{number}000.json" if number else "poet.tang.0.json" for number in range(58)
    ]
    poems = [poem for path in files for poem in read_poems(path)]
    assert len(poems) == 57_607
    assert all(poem.author for poem in poems)
    assert sum(not hanzi_only(poem.text) for poem in poems) < 200


@needs_english
def test_the_english_texts_are_plain_and_lose_no_word():
    for path in (TIME_MACHINE, SHAKESPEARE):
        text = path.read_text(encoding="utf-8")
        assert detect_format(text) == "plain"
        assert " ".join(texts(read_poems(path))).split() == text.removeprefix("\ufeff").split()
