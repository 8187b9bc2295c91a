"""Settings and errors: what is out of range is refused, in two sentences."""

import dataclasses
import inspect
import math
import re
from types import NoneType
from typing import get_args, get_type_hints

import pytest

from poetgen import config, errors
from poetgen.config import SampleConfig, ShapeConfig, TrainConfig
from poetgen.errors import InputError, PoetgenError, SettingError
from poetgen.settings import Settings, flag_of


def classes_of(module, base):
    """List the classes of a module that are, or inherit from, ``base``."""
    return [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, base)
    ]


ALL_SETTINGS = [cls for cls in classes_of(config, Settings) if cls is not Settings]
ALL_ERRORS = classes_of(errors, PoetgenError)
# (settings, field), each bound that is declared.
LOWEST = [
    (cls, field.name, field.metadata["min"])
    for cls in ALL_SETTINGS
    for field in dataclasses.fields(cls)
    if field.metadata["min"] is not None
]
HIGHEST = [
    (cls, field.name, field.metadata["max"])
    for cls in ALL_SETTINGS
    for field in dataclasses.fields(cls)
    if field.metadata["max"] is not None
]


@pytest.mark.parametrize("cls", ALL_SETTINGS)
def test_defaults_are_in_their_own_range_and_settings_cannot_be_changed(cls):
    settings = cls()
    for field in dataclasses.fields(cls):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(settings, field.name, None)


@pytest.mark.parametrize("cls", ALL_SETTINGS)
def test_every_setting_says_what_it_is_in_a_sentence(cls):
    for field in dataclasses.fields(cls):
        assert re.fullmatch(r"[A-Z].*\.", field.metadata["help"], re.DOTALL), field.name


@pytest.mark.parametrize(("cls", "name", "low"), LOWEST)
def test_the_lowest_value_is_accepted_and_any_below_is_refused(cls, name, low):
    assert getattr(cls(**{name: low}), name) == low
    with pytest.raises(SettingError, match="is out of range"):
        cls(**{name: low - 1})
    for value in (math.nextafter(low, -math.inf), -math.inf):  # whole numbers have no fractions
        with pytest.raises(SettingError, match=r"is out of range|cannot be"):
            cls(**{name: value})


@pytest.mark.parametrize(("cls", "name", "high"), HIGHEST)
def test_the_highest_value_is_accepted_and_any_above_is_refused(cls, name, high):
    assert getattr(cls(**{name: high}), name) == high
    with pytest.raises(SettingError, match="is out of range"):
        cls(**{name: high + 1})
    with pytest.raises(SettingError, match=r"is out of range|cannot be"):
        cls(**{name: math.inf})


@pytest.mark.parametrize("cls", ALL_SETTINGS)
def test_no_whole_number_is_too_long_to_be_refused(cls):
    for name, hint in get_type_hints(cls).items():
        if int in (hint, *get_args(hint)):
            with pytest.raises(SettingError, match="is out of range"):
                cls(**{name: int("9" * 30)})


@pytest.mark.parametrize("cls", ALL_SETTINGS)
def test_a_value_of_another_type_is_refused_by_its_flag(cls):
    for field in dataclasses.fields(cls):
        for value in ([], {}, object(), b"1", "no such choice"):
            hint = get_type_hints(cls)[field.name]
            if isinstance(value, str) and str in (hint, *get_args(hint)):
                continue
            with pytest.raises(SettingError) as error:
                cls(**{field.name: value})
            assert flag_of(field.name, field.metadata["flag"]) in error.value.problem
            assert error.value.advice.startswith("Give ")


def test_a_refused_choice_lists_the_others():
    with pytest.raises(SettingError, match="--arch cannot be 'transformer'") as error:
        TrainConfig(arch="transformer")
    assert error.value.advice == "Give one of: rnn, gru, lstm."
    with pytest.raises(SettingError, match=r"--max-tokens cannot be 1\.5") as error:
        TrainConfig(max_tokens=1.5)
    assert error.value.advice == "Give a whole number or None."


@pytest.mark.parametrize(("cls", "name", "bound"), LOWEST)
def test_what_is_no_number_is_in_no_range(cls, name, bound):
    with pytest.raises(SettingError):
        cls(**{name: math.nan})


@pytest.mark.parametrize("cls", ALL_SETTINGS)
def test_a_setting_that_may_be_none_has_no_range_then(cls):
    for name, hint in get_type_hints(cls).items():
        if NoneType in get_args(hint):
            assert getattr(cls(**{name: None}), name) is None


def test_a_refusal_names_the_flag_as_the_user_typed_it_and_the_range():
    with pytest.raises(SettingError) as error:
        SampleConfig(temperature=-0.5)
    assert error.value.problem == "--temp -0.5 is out of range."
    assert error.value.advice == "Give a value of at least 0."
    with pytest.raises(SettingError) as error:
        TrainConfig(dropout=2)
    assert str(error.value) == error.value.problem == "--dropout 2 is out of range."
    assert error.value.advice == "Give a value from 0 to 0.95."


def test_a_training_makes_a_model_of_its_own_shape():
    settings = TrainConfig(arch="gru", hidden_size=5, embedding_dim=3, num_layers=2, tied=False)
    shape = settings.shape(17)
    assert shape.vocab_size == 17
    for field in dataclasses.fields(ShapeConfig):
        assert getattr(shape, field.name) == getattr(settings, field.name)


def test_a_one_hot_model_has_an_input_as_long_as_the_vocabulary_and_no_tied_weights():
    shape = TrainConfig(one_hot=True, embedding_dim=3).shape(17)
    assert (shape.embedding_dim, shape.tied) == (17, False)


@pytest.mark.parametrize("cls", ALL_ERRORS)
def test_wrong_input_ends_with_2_and_failed_work_with_1(cls):
    assert cls.exit_code == (2 if issubclass(cls, InputError) else 1)


def test_the_tree_in_the_docstring_is_the_tree_of_the_errors():
    drawn: dict[str, str] = {}  # error -> its base
    above = {0: "Exception"}  # depth -> the error last drawn there
    for branch, name, code in re.findall(
        r"^    (.*?)(\w+Error) +(?:exit (\d))?", errors.__doc__, re.M
    ):
        depth = len(branch) // 4 + 1
        drawn[name], above[depth] = above[depth - 1], name
        if code:
            assert getattr(errors, name).exit_code == int(code)
    assert drawn == {cls.__name__: cls.__base__.__name__ for cls in ALL_ERRORS}
