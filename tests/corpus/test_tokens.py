"""What one token is: a character, or a word."""

from hypothesis import given
from hypothesis import strategies as st

from poetgen.corpus.tokens import join_tokens, split_tokens


@given(st.text())
def test_characters_come_back_as_they_were(text):
    assert join_tokens(split_tokens(text, "char"), "char") == text


@given(st.text("ab c'-,.!(\n"))
def test_words_come_back_but_for_blanks(text):
    tokens = split_tokens(text, "word")
    again = join_tokens(tokens, "word")
    assert "".join(again.split(" ")) == "".join(text.split(" "))
    assert split_tokens(again, "word") == tokens


def test_words_are_joined_as_a_printer_would():
    line = "It isn't late, (he said); look: a well-kept clock!"
    assert join_tokens(split_tokens(line, "word"), "word") == line
