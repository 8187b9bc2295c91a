"""Pickles read as data: plain values and numpy arrays, and nothing that could be executed.

Python's own unpickler calls whatever a pickle names. This is a small stack machine that knows
only the opcodes of data. A few names of numpy are recognised, but nothing of numpy's unpickling
is used: arrays are built here, from bytes whose number is checked against the shape. So a hostile
pickle cannot run code, take more memory than it brings along, or crash the interpreter by what it
makes numpy believe.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

# Opcodes whose argument is the value itself.
_LITERALS = re.compile(
    r"INT|BININT[12]?|LONG[14]?|(BIN)?FLOAT|BYTEARRAY8"
    r"|(SHORT_)?BIN(STRING|BYTES|UNICODE)|BIN(BYTES|UNICODE)8|STRING|UNICODE"
)
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "TUPLE": None}
_DTYPE = re.compile(r"[<>|=]?(?:[biufc]\d{1,2}|[SU]\d{1,6}|O8?)")
# What a pickle may grow by: None in an array takes eight bytes and is written in one.
_GROWTH = 16
# No tuples: hashing a nested one may take forever, or all of the stack.
_KEYS = (str, bytes, int, float, type(None))


class DataPickleError(ValueError):
    """A pickle that is damaged, or holds more than plain values and arrays."""


def loads(data: bytes) -> Any:
    """Build the value that ``data`` describes, written by any protocol of pickle.

    That is None, a bool, a number, a string, bytes, a list, a tuple or a dict of such
    values (its keys are strings, bytes, numbers or None), a numpy scalar, or an array of
    numbers, of strings or of such values.

    Raises:
        DataPickleError: the pickle is damaged, or would build anything else.
    """
    machine = _Machine(_GROWTH * len(data))
    try:
        for opcode, argument, _place in pickletools.genops(data):
            if _LITERALS.fullmatch(opcode.name):
                machine.stack.append(argument)
            else:
                machine.do(opcode.name, argument)
        [value] = machine.stack
        return _plain(value)
    except DataPickleError:
        raise
    # What the parser, an empty stack and numpy raise over a stream that makes no sense.
    except (ValueError, TypeError, LookupError, ArithmeticError, MemoryError) as error:
        raise DataPickleError(f"it is damaged ({error})") from error


@dataclass(slots=True)
class _Unfinished:
    """A dtype or an array whose state follows; ``value`` is what it is so far."""

    finish: Callable[[Any], Any]
    value: Any = None


class _Arguments(tuple[Any, ...]):
    """A tuple with a name in it: arguments of a call, never a value."""

    __slots__ = ()


def _plain(value: Any) -> Any:
    """Return the value itself, which must be one that a caller may have."""
    if isinstance(value, _Unfinished):
        value = value.value
        if value is None:
            raise DataPickleError("it holds an array without content")
    if isinstance(value, FunctionType | _Arguments):
        raise DataPickleError("it holds more than plain values and arrays")
    return value


class _Machine:
    """The stack and the memo of a pickle, and how many bytes its calls may still build.

    On the stack, a name is the function of this module that stands for it.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def pop_many(self, count: int | None = None) -> list[Any]:
        """Take the top ``count`` values off the stack, or those above the last mark."""
        place = self.marks.pop() if count is None else len(self.stack) - count
        if not 0 <= place <= len(self.stack):
            raise IndexError("stack underflow")
        values = self.stack[place:]
        del self.stack[place:]
        return values

    def do(self, name: str, argument: Any) -> None:
        """Carry out one opcode, which must be one that data needs."""
        stack = self.stack
        match name:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case "MARK":
                self.marks.append(len(stack))
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "EMPTY_LIST" | "EMPTY_DICT":
                stack.append([] if name == "EMPTY_LIST" else {})
            case "EMPTY_TUPLE" | "TUPLE1" | "TUPLE2" | "TUPLE3" | "TUPLE":
                values = self.pop_many(_TUPLES[name])
                is_call = any(isinstance(value, FunctionType) for value in values)
                stack.append(_Arguments(values) if is_call else tuple(map(_plain, values)))
            case "LIST":
                stack.append([_plain(value) for value in self.pop_many()])
            case "DICT":
                pairs = self.pop_many()
                stack.append({})
                self.set_items(pairs)
            case "APPEND" | "APPENDS":
                values = self.pop_many(1 if name == "APPEND" else None)
                self.top(list).extend(_plain(value) for value in values)
            case "SETITEM" | "SETITEMS":
                self.set_items(self.pop_many(2 if name == "SETITEM" else None))
            case "GLOBAL":
                stack.append(_known(argument))
            case "STACK_GLOBAL":
                stack.append(_known(" ".join(self.pop_many(2))))
            case "REDUCE":
                function, arguments = self.pop_many(2)
                if not isinstance(function, FunctionType):
                    raise DataPickleError(f"it would call a {type(function).__name__}")
                stack.append(self.paid(function(*arguments)))
            case "BUILD":
                state = stack.pop()
                unfinished = self.top(_Unfinished)
                unfinished.value = self.paid(unfinished.finish(state))
            case _:
                raise DataPickleError(f"it would do more than hold data ({name})")

    def top(self, kind: type[Any]) -> Any:
        if type(self.stack[-1]) is not kind:
            raise DataPickleError(f"it would change a {type(self.stack[-1]).__name__}")
        return self.stack[-1]

    def set_items(self, pairs: list[Any]) -> None:
        target = self.top(dict)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, _KEYS):
                raise DataPickleError(f"a {type(key).__name__} is a key")
            target[key] = _plain(value)

    def paid(self, value: Any) -> Any:
        """Take the size of what a call has built off the budget.

        A pickle may name the same bytes again and again, in four bytes each time, and every
        call would copy them.
        """
        size = getattr(value, "nbytes", 0) or (len(value) if isinstance(value, bytes) else 0)
        self.budget -= size
        if self.budget < 0:
            raise DataPickleError("it would take far more memory than it brings along")
        return value


def _known(name: str) -> Callable[..., Any]:
    if name not in _NAMES:
        raise DataPickleError(f"it names {name.replace(' ', '.')}")
    return _NAMES[name]


def _make_nothing(*_arguments: object) -> Any:
    raise DataPickleError("it would make an array without content")


def _make_bytes(text: object = "", _encoding: object = None) -> bytes:
    # Protocol 2 has no bytes of its own and writes them as the encoding of a string.
    if not isinstance(text, str):
        raise DataPickleError("it would make bytes from something other than a string")
    return text.encode("latin-1")


def _make_dtype(code: Any, *_flags: object) -> _Unfinished:
    import numpy as np

    if not isinstance(code, str) or not _DTYPE.fullmatch(code):
        # The repr of a nested value may take all of the stack.
        shown = repr(code[:20]) if isinstance(code, str) else type(code).__name__
        raise DataPickleError(f"it holds an array of type {shown}")
    dtype: np.dtype[Any] = np.dtype(object if "O" in code else code)

    def finish(state: Any) -> np.dtype[Any]:
        _version, order, *structure = state[:5]
        if structure != [None, None, None]:
            raise DataPickleError("it holds a structured array")
        return dtype.newbyteorder(order)

    return _Unfinished(finish, dtype)


def _make_array(*_arguments: object) -> _Unfinished:
    def finish(state: Any) -> np.ndarray[Any, Any]:
        shape, dtype, is_fortran, content = state[1:5]
        return _filled(shape, dtype, "F" if is_fortran else "C", content)

    return _Unfinished(finish)


def _make_array_of_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> Any:
    # From a number, bytes() would make as many zeros.
    if not isinstance(content, bytes | bytearray):
        raise DataPickleError("it holds an array whose content is not bytes")
    return _filled(shape, dtype, order, bytes(content))


def _make_scalar(dtype: Any, content: Any) -> Any:
    return _filled((), dtype, "C", content)[()]


def _filled(shape: Any, dtype: Any, order: Any, content: Any) -> np.ndarray[Any, Any]:
    """Build an array from its bytes, or an array of objects from their list."""
    import numpy as np

    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise DataPickleError("it holds an array without a shape")
    if not isinstance(dtype, np.dtype):
        raise DataPickleError("it holds an array without a type")
    content = content.encode("latin-1") if isinstance(content, str) else content  # Python 2
    fits = isinstance(content, list if dtype.hasobject else bytes)
    if not fits or len(content) != prod(shape) * (1 if dtype.hasobject else dtype.itemsize):
        raise DataPickleError("it holds an array whose shape and content disagree")
    if dtype.hasobject:
        array = np.empty(len(content), dtype=object)
        for place, value in enumerate(content):
            # Freeing nested arrays of objects takes the stack, level by level.
            if isinstance(value, np.ndarray) and value.dtype.hasobject:
                raise DataPickleError("it holds an array of objects within another one")
            array[place] = value
        return array.reshape(shape, order=order)
    # No string can hold such a character, and numpy does not check.
    if dtype.kind == "U" and (np.frombuffer(content, dtype.byteorder + "u4") > 0x10FFFF).any():
        raise DataPickleError("it holds a string of impossible characters")
    # A copy, because an array over bytes cannot be written to.
    return np.frombuffer(content, dtype).reshape(shape, order=order).copy(order=order)


_NAMES: dict[str, Callable[..., Any]] = {
    "numpy ndarray": _make_nothing,
    "numpy dtype": _make_dtype,
    "_codecs encode": _make_bytes,
    "__builtin__ bytes": _make_bytes,
}
for _core in ("numpy.core", "numpy._core"):  # as numpy 1 and numpy 2 spell it
    _NAMES[f"{_core}.multiarray _reconstruct"] = _make_array
    _NAMES[f"{_core}.multiarray scalar"] = _make_scalar
    _NAMES[f"{_core}.numeric _frombuffer"] = _make_array_of_buffer
