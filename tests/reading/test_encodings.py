"""From bytes to text: the encoding is detected from the bytes, or the doubt is an error."""

import codecs
import json
import random
from contextlib import suppress

import pytest

from poetgen.corpus.script import to_simplified
from poetgen.errors import SourceError
from poetgen.reading.encodings import decode
from tests.real_data import TANG, needs_tang

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "big5"]
MOON = "床前明月光，疑是地上霜。\n舉頭望明月，低頭思故鄉。\n"
MOUNTAIN = "白日依山盡，黃河入海流。\n欲窮千里目，更上一層樓。\n"
SIMPLE = "床前明月光，疑是地上霜。\n举头望明月，低头思故乡。\n"


@pytest.fixture(scope="module")
def tang_poems():
    poems = []
    for number in (0, 20_000, 45_000):
        records = json.loads((TANG / f"poet.tang.{number}.json").read_text(encoding="utf-8"))
        poems += ["\n".join(each["paragraphs"]) for each in records if each["paragraphs"]]
    return random.Random(1).sample([poem for poem in poems if len(poem) > 12], 300)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "text", [MOON, MOUNTAIN, MOUNTAIN[:12], f"title,text\n登鸛雀樓,{MOUNTAIN}"]
)
def test_the_encoding_of_a_poem_is_detected(text, encoding):
    decoded = decode(text.encode(encoding), "x")
    assert decoded.text == text
    assert decoded.encoding == encoding.removesuffix("-sig")


@needs_tang
@pytest.mark.parametrize("encoding", ["gb18030", "big5", "utf-16-le", "utf-16-be"])
def test_real_poems_are_read_each_by_itself_and_all_in_one(tang_poems, encoding):
    for text in [*tang_poems, "\n\n".join(tang_poems)]:
        data = text.encode(encoding, "ignore")
        assert decode(data, "x").text == data.decode(encoding)


@needs_tang
def test_simplified_poems_are_read_in_gb18030(tang_poems):
    for text in map(to_simplified, tang_poems):
        assert decode(text.encode("gb18030"), "x").text == text


@needs_tang
def test_a_single_line_is_read_or_doubted_but_never_misread(tang_poems):
    lines = [line for poem in tang_poems for line in poem.split("\n") if len(line) > 6]
    doubts = 0
    for line in lines:
        for encoding in ("gb18030", "big5"):
            data = line.encode(encoding, "ignore")
            try:
                assert decode(data, "x").text == data.decode(encoding)
            except SourceError:
                doubts += 1
    assert doubts < 0.05 * len(lines)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_letters_are_read_in_utf16(encoding):
    text = "To be, or not to be,\nthat is the question: naïve\n"
    mark = "\ufeff" if encoding == "utf-32" else ""
    assert decode((mark + text).encode(encoding), "x").text == text


def test_ascii_stays_what_it_is_before_a_late_character():
    text = "abc\n" * 50_000 + MOON
    assert decode(text.encode("gb18030"), "x").text == text
    assert decode(text.encode("utf-16-le"), "x").text == text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("詩月一".encode("gb18030")[:4], r"byte 2 \(line 1\) cannot be read; it could be GB18030"),
        ("Été à la plage, garçon, façade naïve".encode("cp1252"), "no other encoding fits"),
        ("Мороз и солнце; день чудесный!".encode("koi8-r"), "byte 0"),
        (b"\x80\xff" * 100, "no other encoding fits"),
    ],
)
def test_an_encoding_that_is_in_doubt_is_refused_and_the_option_is_named(data, words):
    with pytest.raises(SourceError, match=f"^poems is not UTF-8: .*{words}") as error:
        decode(data, "poems")
    assert "--encoding" in error.value.advice


def test_a_doubt_between_two_encodings_names_them_both():
    # Two characters of either kind are common ones, so neither stands out.
    data = "勤政樓觀樂".encode("big5") * 3
    with pytest.raises(SourceError, match="it could be GB18030 or Big5") as error:
        decode(data, "poems")
    assert "give --encoding gb18030 or --encoding big5." in error.value.advice
    assert decode(data, "poems", "big5").text == "勤政樓觀樂" * 3


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            MOON.encode() + b"\xb4\xb2" + MOUNTAIN.encode(),
            r"not UTF-8 throughout: byte 74 \(line 3",
        ),
        ("日\n月".encode() + b"\xff", r"it is UTF-8 in part, but byte 7 \(line 2\) is not"),
        (MOON.encode("gb18030") + MOUNTAIN.encode(), r"is UTF-8 in part, but byte 0 \(line 1"),
        (MOON.encode() * 9 + MOUNTAIN.encode("gb18030"), "mixes encodings: line 1 is UTF-8"),
        (MOON.encode("gb18030") * 9 + MOUNTAIN.encode("big5"), "mixes encodings: line 19 is Big5"),
        (MOON.encode("big5") * 9 + MOUNTAIN.encode("gb18030"), "line 19 is GB18030, .* are Big5"),
        (MOON.encode("gb18030") + b"\xff\n", r"not GB18030 throughout: byte 50 \(line 3\)"),
        (codecs.BOM_UTF8 + MOON.encode("gb18030"), r"not UTF-8 throughout: byte 3 \(line 1\)"),
        (MOON.encode("utf-16") + b"\x00", r"not UTF-16 throughout: byte 54 \(line 3\)"),
        (MOON.encode("utf-16") + b"\x00\xd8\n\x00", r"not UTF-16 throughout: byte 54 \(line 3\)"),
    ],
)
def test_more_than_one_encoding_is_refused_by_the_place(data, words):
    with pytest.raises(SourceError, match=words):
        decode(data, "poems")


@pytest.mark.parametrize(
    "data",
    [
        bytes(100),
        bytes(range(256)),
        MOON.encode() + b"\x00",
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    ],
)
def test_bytes_with_nuls_are_not_text(data):
    place = data.index(0)
    with pytest.raises(SourceError, match=f"not a text file: byte {place} is a NUL"):
        decode(data, "poems")


@pytest.mark.parametrize("encoding", ["gb18030", "GBK", "big5", "cp950", "utf_16", "UTF8", "utf-7"])
def test_an_encoding_that_is_given_is_used(encoding):
    text = "明月" * 3
    assert decode(text.encode(encoding), "x", encoding).text == text


@pytest.mark.parametrize(
    "encoding", ["", "klingon", "hex", "rot13", "zlib", "a\0b", "\ud800", "../x"]
)
def test_an_unknown_encoding_is_refused(encoding):
    with pytest.raises(SourceError, match="There is no text encoding"):
        decode(b"abc", "x", encoding)


@pytest.mark.parametrize("encoding", ["idna", "punycode", "unicode_escape", "utf-7", "undefined"])
def test_an_odd_encoding_gives_text_or_a_clear_error(encoding):
    for data in (b"\\ud800", b"xn--\xff", b"\\x", b"+2AA-", b"a.b-\x80"):
        with suppress(SourceError):
            decode(data, "x", encoding).text.encode()
