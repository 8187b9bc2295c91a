"""Pickles as data: plain values and arrays come back, and nothing hostile does anything."""

import io
import os
import pickle
import pickletools
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetgen.foreign.restricted_pickle import DataPickleError, loads
from tests.foreign.hostile import Reduced

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


def test_an_array_brings_its_content_along():
    from numpy._core.numeric import _frombuffer

    claim = Reduced(_frombuffer, (10**12, np.dtype("u1"), (10**12,), "C"))
    with pytest.raises(DataPickleError, match="not bytes"):
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
    "getattr": b"cbuiltins\ngetattr\n.",
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


# These could execute something, or are not needed to hold data; all others are carried out.
REFUSED = {
    *("POP", "DUP", "POP_MARK", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "PERSID", "BINPERSID"),
    *("EXT1", "EXT2", "EXT4", "EMPTY_SET", "ADDITEMS", "FROZENSET"),
    *("NEXT_BUFFER", "READONLY_BUFFER"),
}


@pytest.mark.parametrize("opcode", pickletools.opcodes, ids=lambda opcode: opcode.name)
def test_only_the_opcodes_of_data_are_carried_out(opcode):
    reason = ""
    # For each of them this begins with an argument; what follows may be refused too.
    try:
        loads(opcode.code.encode("latin-1") + b"0\n0\n" + bytes(300))
    except DataPickleError as error:
        reason = str(error)
    assert reason.endswith(f"data ({opcode.name})") == (opcode.name in REFUSED), reason
