"""Whatever the bytes are: a document or a SourceError, and nothing else, ever."""

import csv
import gzip
import io
import json
import random
import tarfile
import zipfile
from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from poetgen.config import Format, PrepareConfig
from poetgen.corpus.prepare import build_corpus
from poetgen.errors import SourceError
from poetgen.reading import RawPoem, find_inputs, read_document
from poetgen.reading.formats import detect_format
from tests.foreign.test_tang_npz import npz
from tests.reading.test_formats import SAMPLES, read
from tests.synthetic import synthetic_poem

FORMATS = list(get_args(Format))
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030", "big5"]


def zipped(data):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", data)
        archive.writestr("b/c.txt", data)
    return stream.getvalue()


def tarred(data):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo("日/" * 60 + "a.json")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


TEXTS = [text.replace("觉", "覺").replace("晓", "曉") for text, _ in SAMPLES.values()]
SEEDS = [text.encode(encoding, "ignore") for text in TEXTS for encoding in ENCODINGS]
SEEDS += [zipped(SEEDS[0]), tarred(SEEDS[0]), gzip.compress(tarred(SEEDS[0])), npz()]
SEEDS += [gzip.compress(SEEDS[0]), zipped(gzip.compress(SEEDS[1])), zipped(npz())]


def read_anyhow(path, data, format="auto"):
    """Read ``data`` as a user would; only a SourceError may come out, with its two sentences."""
    path.write_bytes(data)
    try:
        documents = [read_document(input, format) for input in find_inputs([path])]
    except SourceError as error:
        assert error.problem.endswith(".")  # noqa: PT017
        assert error.advice.endswith(".")  # noqa: PT017
        error.problem.encode()
        return
    for document in documents:
        assert all(isinstance(part, str) for poem in document.poems for part in poem)
        "".join(part for poem in document.poems for part in poem).encode()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "input"


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=300), format=st.sampled_from(FORMATS))
def test_any_bytes(path, data, format):
    read_anyhow(path, data, format)


@settings(max_examples=300, deadline=None)
@example(text="\U0002ebe1", format="auto")  # newer than Python knows
@example(text="☆", format="plain")
@given(text=st.text(st.characters(), max_size=200), format=st.sampled_from(FORMATS))
def test_any_text(path, text, format):
    read_anyhow(path, text.encode("utf-8", "surrogatepass"), format)


@settings(max_examples=600, deadline=None)
@given(seed=st.sampled_from(SEEDS), format=st.sampled_from(["auto"] * 9 + FORMATS), data=st.data())
def test_any_change_to_a_good_file(path, seed, format, data):
    changed = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(changed)))
        end = data.draw(st.integers(place, min(len(changed), place + 8)))
        changed[place:end] = data.draw(st.binary(max_size=8))
    read_anyhow(path, bytes(changed), format)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["paragraphs", "content", "title", "author", "name", "desc", "", "日"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(value=JSON_VALUES, lines=st.booleans())
def test_any_json(path, value, lines):
    values = value if lines and isinstance(value, list) else [value]
    read_anyhow(path, "\n".join(map(json.dumps, values)).encode(), "jsonl" if lines else "auto")


@given(st.text(max_size=60))
def test_any_text_has_a_format(text):
    assert detect_format(text) in FORMATS


def test_lone_surrogates_become_the_replacement_character():
    text = (
        '[{"title": "\\ud800", "author": "\\uDFFF月", "paragraphs": ["日\\ud83d\\ude00\\ud83d"]}]'
    )
    [poem] = read(text).poems
    assert poem == RawPoem("日😀\ufffd", "\ufffd", "\ufffd月")
    poems = read('{"text": "\\udc80"}\n{"text": "月"}').poems
    assert [poem.text for poem in poems] == ["\ufffd", "月"]


def test_surrogates_in_the_names_of_fields_can_be_printed():
    with pytest.raises(SourceError) as error:
        read('[{"\\ud800\\u001b": 1}]')
    assert r"fields (\ud800\x1b)" in error.value.problem


def test_a_poem_with_control_characters_is_dropped_and_the_others_are_kept(tmp_path):
    rng = random.Random(2)
    poems = [synthetic_poem(rng) for _ in range(30)]
    bad = ["\0\0\0", "\ud800日月山水日月山水。", "日\x1b月\x00山水", ""]
    path = tmp_path / "poems.json"
    path.write_text(json.dumps([{"paragraphs": [poem]} for poem in poems + bad]))
    prepared = build_corpus([path], "x", PrepareConfig())
    assert prepared.corpus.report.read == 34
    assert sum(prepared.corpus.report.kept.values()) == 30


def test_reading_restores_the_cell_limit_of_the_csv_module(path):
    before = csv.field_size_limit()
    for data in (b"title,text\na,b\n", b'title,text\na,"b\n'):
        read_anyhow(path, data, "csv")
        assert csv.field_size_limit() == before
