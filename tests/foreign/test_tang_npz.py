"""The file tang.npz of the courses: its poems come back, and a hostile one does nothing."""

import io
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from poetgen.errors import SourceError
from poetgen.reading import Input, RawPoem, read_document, read_poems
from tests.foreign.hostile import Reduced

POEMS = ["床前明月光，疑是地上霜。", "春眠不觉晓，处处闻啼鸟。", ""]
SPECIAL = ["</s>", "<START>", "<EOP>"]
# A dtype of a list in a list in a list …
DEEP_DTYPE = b"cnumpy\ndtype\n" + b"]" * 20_000 + b"a" * 19_999 + b"\x85R."


def npz(poems=POEMS, *, width=20, dtype="<i4", words=None, name_of_words="ix2word", **arrays):
    """Write a tang.npz as the course has it: rows filled up from the left."""
    vocabulary = sorted(set("".join(poems))) + SPECIAL
    number_of = {word: number for number, word in enumerate(vocabulary)}
    data = np.full((len(poems), width), number_of["</s>"], dtype=dtype)
    for row, poem in zip(data, poems, strict=True):
        numbers = [number_of[word] for word in ("<START>", *poem, "<EOP>")]
        row[max(0, width - len(numbers)) :] = numbers[:width]
    words = dict(enumerate(vocabulary)) if words is None else words
    stream = io.BytesIO()
    arrays = {"data": data, name_of_words: np.array(words, dtype=object), **arrays}
    np.savez(stream, word2ix=np.array(number_of, dtype=object), **arrays)
    return stream.getvalue()


def npy(header, content=b""):
    """Write an .npy file with any text for a header."""
    return b"\x93NUMPY\x02\x00" + len(header).to_bytes(4, "little") + header.encode() + content


def with_member(name, content):
    """Write the tang.npz with one of its members replaced."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(npz())) as old, zipfile.ZipFile(stream, "w") as new:
        for member in old.namelist():
            new.writestr(member, content if member == f"{name}.npy" else old.read(member))
    return stream.getvalue()


def with_words(pickled):
    """Write the tang.npz with another pickle for its dictionary."""
    header = "{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    return with_member("ix2word", npy(header, pickled))


def read_npz(data, format="auto"):
    return read_document(Input("tang.npz", lambda: data), format)


def test_an_npz_with_words_longer_than_its_own_marks_is_refused():
    words = {number: "日" * (8 if number == 3 else 1) for number in range(99)}
    with pytest.raises(SourceError, match="its words are too long"):
        read_npz(npz(words=words))


@pytest.mark.parametrize("format", ["auto", "tang-npz"])
@pytest.mark.parametrize("dtype", ["<i4", ">i8", "<u2"])
def test_the_poems_of_an_npz_come_back(format, dtype):
    document = read_npz(npz(dtype=dtype), format)
    assert document.poems == [RawPoem(poem) for poem in POEMS]
    assert (document.format, document.encoding, document.num_lines) == ("tang-npz", "", 0)
    assert not document.prose


def test_a_poem_that_is_too_long_for_its_row_ends_in_the_middle():
    assert read_npz(npz(width=6)).poems[0] == RawPoem(POEMS[0][:5])


def test_a_compressed_npz_and_one_in_an_archive_are_read(tmp_path):
    compressed, outer = io.BytesIO(), tmp_path / "outer.zip"
    with (
        zipfile.ZipFile(io.BytesIO(npz())) as plain,
        zipfile.ZipFile(compressed, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in plain.namelist():
            archive.writestr(name, plain.read(name))
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("tang.npz", compressed.getvalue())
    for path in (outer, tmp_path / "tang.npz"):
        (tmp_path / "tang.npz").write_bytes(compressed.getvalue())
        assert read_poems(path) == [RawPoem(poem) for poem in POEMS]


def test_an_npz_of_python_2_is_read():
    data = np.zeros((1, 3), dtype="<i4")
    # The pickle of np.array({0: u'日'}, dtype=object), protocol 2, as Python 2 wrote it.
    words = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b"
        b"\x87Rq\x03(K\x01)cnumpy\ndtype\nq\x04U\x02O8K\x00K\x01\x87Rq\x05(K\x03U\x01|NNNJ\xff\xff"
        b"\xff\xffJ\xff\xff\xff\xffK?tb\x89]q\x06}q\x07K\x00X\x03\x00\x00\x00\xe6\x97\xa5satb."
    )
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }\n"
    first = b"{'descr': '<i4', 'fortran_order': False, 'shape': (1L, 3L), }\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, head, content in (("data", first, data.tobytes()), ("ix2word", header, words)):
            size = len(head).to_bytes(2, "little")
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + size + head + content)
    assert read_npz(stream.getvalue()).poems == [RawPoem("日日日")]


@pytest.mark.parametrize(
    "words", [Reduced(os.system, ("touch pwned",)), {0: Reduced(eval, ("1",))}]
)
def test_a_hostile_dictionary_is_refused_and_does_nothing(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=r"The dictionary in tang\.npz holds more than words"):
        read_npz(npz(words=words))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (npz(name_of_words="words"), "no arrays data and ix2word; it has"),
        (npz(words={0: "日"}), "Row 0 of .* has the number"),
        (npz(words=["日"]), "not a dictionary"),
        (npz(words={"a": "日"}), "damaged"),
        (npz(data=np.zeros((2, 2), dtype="f8")), "array of <f8"),
        (npz(data=np.zeros(3, dtype="i4")), "in 1 dimensions"),
        (npz(data=np.array({}, dtype=object)), r"array of \|O"),
        (npz()[:-100], "damaged"),
        (npz().replace(b"'shape': (3, 20)", b"'shape': (9, 99)"), "damaged"),
        (npz().replace(b"\x93NUMPY", b"\x93NUMPX"), "damaged"),
        (b"no archive", "damaged"),
        (with_words(pickle.dumps(["日"])), "not a dictionary"),
        (with_words(pickle.dumps(None)), "not a dictionary"),
        (with_words(pickle.dumps({None: "日"})), "a word without a number"),
        (with_words(DEEP_DTYPE), "an array of type list"),
        (
            with_member("data", npy("{'descr':'<i4','fortran_order':0,'shape':5}")),
            "no shape",
        ),
        (with_member("data", npy("(" * 9000)), "damaged header"),
        (with_member("data", npy("[" + "1," * 9000 + "]")), "too long"),
    ],
)
def test_an_npz_of_another_kind_is_refused(data, problem):
    with pytest.raises(SourceError, match=problem) as error:
        read_npz(data, "tang-npz")
    assert "tang.npz" in error.value.problem


def test_a_dictionary_outside_an_array_is_read():
    vocabulary = sorted(set("".join(POEMS))) + SPECIAL
    words = with_words(pickle.dumps(dict(enumerate(vocabulary))))
    assert read_npz(words).poems == read_npz(npz()).poems


def test_the_dictionary_is_read_without_the_unpickler_of_python():
    code = (
        "import sys, pickle\npickle.Unpickler = pickle.loads = pickle.load = None\n"
        "from pathlib import Path\nfrom poetgen.reading import read_poems\n"
        "print(len(read_poems(Path('-'))), 'numpy' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=npz(), capture_output=True, check=True
    )
    assert done.stdout.split() == [b"3", b"True"]
