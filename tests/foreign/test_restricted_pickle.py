"""Pickles as data: plain values and arrays come back, and nothing hostile does anything."""

import io
import os
import pickle
import pickletools
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.errors import SourceError
from poetgen.foreign.restricted_pickle import DataPickleError, loads
from poetgen.reading import Input, RawPoem, read_document, read_poems

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.none(), inner, max_size=4)
    ),
    max_leaves=20,
)
ARRAYS = [
    np.arange(6).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(6, dtype=">i2"),
    np.array(3.5, dtype=np.float16),
    np.zeros((0, 3)),
    np.array([True, False]),
    np.array(["日", "月亮"]),
    np.array([b"a", b"bc"]),
    np.array({"日": 1, 2: [None]}, dtype=object),
    np.array([1, "a", None, [2]], dtype=object),
    np.array([1j]),
]


@given(value=PLAIN, protocol=st.sampled_from(PROTOCOLS))
def test_plain_values_come_back_from_every_protocol(value, protocol):
    loaded = loads(pickle.dumps(value, protocol))
    assert loaded == value
    assert repr(loaded) == repr(value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("array", ARRAYS, ids=str)
def test_arrays_come_back_from_every_protocol(array, protocol):
    loaded = loads(pickle.dumps({"w": array, "again": [array, array]}, protocol))
    for each in (loaded["w"], *loaded["again"]):
        assert each.dtype == array.dtype
        assert each.flags.f_contiguous == array.flags.f_contiguous
        assert each.flags.writeable
        np.testing.assert_array_equal(each, array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scalars_of_numpy_come_back(protocol):
    for scalar in (np.int64(-3), np.float32(1.5), np.bool_(True), np.str_("日")):
        loaded = loads(pickle.dumps(scalar, protocol))
        assert loaded == scalar
        assert type(loaded) is type(scalar)


def test_the_spelling_of_numpy_1_and_of_numpy_2_are_both_read():
    data = pickle.dumps(np.arange(3), 2)
    for core in (b"numpy.core.", b"numpy._core."):
        renamed = data.replace(b"numpy._core.", core).replace(b"numpy.core.", core)
        np.testing.assert_array_equal(loads(renamed), [0, 1, 2])


# --- hostile pickles ------------------------------------------------------------------------


class Reduced:
    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


def test_an_array_brings_its_content_along():
    from numpy._core.numeric import _frombuffer

    claim = Reduced(_frombuffer, (10**12, np.dtype("u1"), (10**12,), "C"))
    with pytest.raises(DataPickleError, match="no bytes"):
        loads(pickle.dumps(claim))


class Plain:
    pass


class WithPersistentId(pickle.Pickler):
    def persistent_id(self, obj):
        return "x" if isinstance(obj, Plain) else None


def persistent(protocol):
    stream = io.BytesIO()
    WithPersistentId(stream, protocol).dump([Plain()])
    return stream.getvalue()


def reconstruct(shape, dtype, content):
    """Pickle what numpy would take for an array."""
    return Reduced(
        np.array(0).__reduce__()[0],
        (np.ndarray, (0,), b"b"),
        (1, shape, dtype, False, content),
    )


HOSTILE = {
    "os.system": pickle.dumps(Reduced(os.system, ("touch pwned",)), 4),
    "os.system, protocol 0": pickle.dumps(Reduced(os.system, ("touch pwned",)), 0),
    "eval": pickle.dumps(Reduced(eval, ("open('pwned', 'w')",))),
    "exec within a list": pickle.dumps([1, {"a": [Reduced(exec, ("import os",))]}]),
    "getattr": pickle.dumps(Reduced(getattr, (os, "system")))
    if False
    else b"cbuiltins\ngetattr\n.",
    "import": b"c__builtin__\n__import__\n(S'os'\ntR.",
    "subprocess": pickle.dumps(Reduced(subprocess.Popen, (["touch", "pwned"],))),
    "within an array": pickle.dumps(np.array([Reduced(os.system, ("touch pwned",))], dtype=object)),
    "as a key": pickle.dumps({1: Reduced(os.system, ("touch pwned",))}),
    "as the state of an array": pickle.dumps(
        reconstruct((1,), np.dtype(object), [Reduced(os.system, ("touch pwned",))])
    ),
    "instance, old style": b"(S'touch pwned'\nios\nsystem\n.",
    "object, old style": b"(cos\nsystem\nS'touch pwned'\no.",
    "new object": pickle.dumps(Plain(), 2),
    "persistent id": persistent(4),
    "persistent id, protocol 0": persistent(0),
    "extension": b"\x82\x01.",
    "name of numpy as a value": pickle.dumps(np.ndarray),
    "name of numpy in a tuple": pickle.dumps((np.ndarray, 1)),
    "numpy's own loader": b"cnumpy\nload\n(S'x.npy'\nI01\ntR.",
    "numpy's subclass": b"cnumpy\nmemmap\n(S'pwned'\ntR.",
    "state of a list": b"]}b.",
    "call of a number": b"I1\n(tR.",
    "bytes of a number": b"c__builtin__\nbytes\n(I1000000000000\ntR.",
    "array without content": b"cnumpy.core.multiarray\n_reconstruct\n"
    b"(cnumpy\nndarray\n(I0\ntS'b'\ntR.",
    "array that claims memory": pickle.dumps(reconstruct((10**12,), np.dtype("f8"), b"1234")),
    "array of a negative shape": pickle.dumps(reconstruct((-1, -8), np.dtype("u1"), b"12345678")),
    "objects out of bytes": pickle.dumps(reconstruct((1,), np.dtype(object), b"12345678")),
    "objects that are missing": pickle.dumps(reconstruct((9,), np.dtype(object), [1])),
    "numbers out of a list": pickle.dumps(reconstruct((1,), np.dtype("f8"), [1.0])),
    "impossible characters": pickle.dumps(reconstruct((1,), np.dtype("<U1"), b"\xff" * 4)),
    "structured array": pickle.dumps(np.zeros(1, dtype=[("a", "f8")])),
    "dates": pickle.dumps(np.array(["2020-01-01"], dtype="M8[D]")),
    "tuple as a key": pickle.dumps({(1, 2): 3}),
    "set": pickle.dumps({1, 2}),
    "memo out of bounds": b"h\x07.",
    "mark that is missing": b"e.",
    "cut off": pickle.dumps(list(range(50)))[:-3],
    "length beyond the end": b"\x8e" + (2**62).to_bytes(8, "little") + b"abc.",
    "two values": b"I1\nI2\n.",
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused_and_does_nothing(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataPickleError):
        loads(HOSTILE[name])
    assert not list(tmp_path.iterdir())


def test_what_would_take_all_stack_or_all_time_is_refused_or_harmless():
    # As keys of a dictionary, both would be hashed; C code has no limit of recursion there.
    deep = b"}" + b")" + b"\x85" * 200_000 + b"I1\ns."
    wide = b"})" + b"q\x00h\x00\x86" * 60 + b"I1\ns."
    for data in (deep, wide):
        with pytest.raises(DataPickleError):
            loads(data)
    # A memo of C code would be as long as the number says.
    assert loads(b"I1\nr\xff\xff\xff\x7f.") == 1
    nested = loads(b"]" * 200_000 + b"a" * 199_999 + b".")
    assert isinstance(nested, list)
    del nested


def test_object_arrays_within_each_other_are_refused():
    array = np.array(1, dtype=object)
    for _ in range(3):
        outer = np.empty((), dtype=object)
        outer[()] = array
        array = outer
    with pytest.raises(DataPickleError, match="within another one"):
        loads(pickle.dumps(array))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(data):
    try:
        loads(data)
    except DataPickleError as error:
        str(error)


SEEDS = [pickle.dumps(array, protocol) for array in ARRAYS for protocol in (0, 2, 4, 5)]


@given(st.sampled_from(SEEDS), st.data())
def test_any_change_to_a_pickle_is_a_value_or_refused(seed, data):
    changed = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        changed[place] = data.draw(st.integers(0, 255))
    try:
        repr(loads(bytes(changed)))
    except DataPickleError as error:
        str(error)


def test_the_opcodes_that_are_known_are_those_of_data():
    from poetgen.foreign.restricted_pickle import _SPELLED

    spelled = {each.name for each in pickletools.opcodes if _SPELLED.fullmatch(each.name)}
    assert len(spelled) == 20
    assert not spelled & {"GLOBAL", "INST", "PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "GET"}


# --- tang.npz -------------------------------------------------------------------------------

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
    with pytest.raises(SourceError, match=r"The dictionary in tang\.npz is not one of words only"):
        read_npz(npz(words=words))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (npz(name_of_words="words"), "no arrays data and ix2word; it has"),
        (npz(words={0: "日"}), "Row 0 of .* has the number"),
        (npz(words=["日"]), "no dictionary"),
        (npz(words={"a": "日"}), "damaged"),
        (npz(data=np.zeros((2, 2), dtype="f8")), "array of <f8"),
        (npz(data=np.zeros(3, dtype="i4")), "in 1 dimensions"),
        (npz(data=np.array({}, dtype=object)), r"array of \|O"),
        (npz()[:-100], "damaged"),
        (npz().replace(b"'shape': (3, 20)", b"'shape': (9, 99)"), "damaged"),
        (npz().replace(b"\x93NUMPY", b"\x93NUMPX"), "damaged"),
        (b"no archive", "damaged"),
        (with_words(pickle.dumps(["日"])), "no dictionary"),
        (with_words(pickle.dumps(None)), "no dictionary"),
        (with_words(pickle.dumps({None: "日"})), "a word without a number"),
        (with_words(DEEP_DTYPE), "an array of type list"),
        (with_member("data", npy("{'descr':'<i4','fortran_order':0,'shape':5}")), "no sense"),
        (with_member("data", npy("(" * 9000)), "no header"),
        (with_member("data", npy("[" + "1," * 9000 + "]")), "too long"),
    ],
)
def test_an_npz_that_is_no_such_collection_is_refused(data, problem):
    with pytest.raises(SourceError, match=problem) as error:
        read_npz(data, "tang-npz")
    assert "tang.npz" in error.value.problem


def test_a_dictionary_that_is_in_no_array_is_read():
    vocabulary = sorted(set("".join(POEMS))) + SPECIAL
    words = with_words(pickle.dumps(dict(enumerate(vocabulary))))
    assert read_npz(words).poems == read_npz(npz()).poems


def test_the_dictionary_is_read_by_no_unpickler_of_python():
    code = (
        "import sys, pickle\npickle.Unpickler = pickle.loads = pickle.load = None\n"
        "from pathlib import Path\nfrom poetgen.reading import read_poems\n"
        "print(len(read_poems(Path('-'))), 'numpy' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=npz(), capture_output=True, check=True
    )
    assert done.stdout.split() == [b"3", b"True"]
