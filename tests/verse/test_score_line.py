"""The measures of a poem in one line."""

from dataclasses import fields

from poetgen.verse.score_line import PoemScore, score_line

FULL = PoemScore(
    form="七律", rhyme="上平一东", rhyme_errors=2,
    tone_errors=1, copied_lines=0, longest_copied=4,
    thread=0.464, log_likelihood=-4.125, seed=7, num_candidates=16,
)  # fmt: skip


def test_a_line_has_every_measure():
    assert score_line(FULL) == (
        "— 七律 · 上平一东 · 2 rhyme errors · 1 tone error · at most 4 characters in a row "
        "copied · thread 0.46 · −4.12 nats a character · seed 7 · best of 16"
    )


def test_what_was_not_measured_is_left_out():
    assert score_line(PoemScore()) == "— free form"
    assert PoemScore().as_dict() == {}
    for field in fields(PoemScore):
        only = PoemScore(**{field.name: getattr(FULL, field.name)})
        assert only.as_dict() == {field.name: getattr(FULL, field.name)}
        assert score_line(only) != score_line(PoemScore())


def test_nothing_wrong_is_said_in_words():
    assert "no tone errors" in score_line(PoemScore(tone_errors=0))
    assert "2 copied lines" in score_line(PoemScore(copied_lines=2, longest_copied=14))
    assert "best of" not in score_line(PoemScore(num_candidates=1))
