"""The outer forms of verse."""

import pytest

from poetgen.errors import SettingError
from poetgen.verse.forms import FORMS, form_of, parse_forms

LINES = {5: "白日依山尽", 7: "朝辞白帝彩云间"}


@pytest.mark.parametrize("form", FORMS)
def test_a_poem_has_the_form_of_its_lines_and_no_other(form):
    num_lines, chars = FORMS[form]
    poem = "，".join([LINES[chars]] * num_lines) + "。"
    assert form_of(poem) == form
    assert form_of(poem.replace("，", "。")) == form
    assert form_of(poem + LINES[chars]) is None
    assert form_of(poem[1:]) is None


def test_an_unknown_form_is_refused_and_the_known_ones_are_named():
    assert parse_forms("五绝, 七律") == {"五绝", "七律"}
    for bad in ("词", "五绝,", ""):
        with pytest.raises(SettingError) as caught:
            parse_forms(bad)
        assert "七绝" in caught.value.advice
