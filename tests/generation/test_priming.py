"""A start is read once, as matrix work, and it is the same as reading it step by step."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poetgen.config import ARCHS
from poetgen.corpus.vocabulary import START, Vocabulary
from poetgen.errors import PromptError
from poetgen.generation.decode import read_prompt
from poetgen.generation.prompt import encode_prompt, read_start
from poetgen.networks.numpy_model import NumpyModel
from tests.command import ENVIRONMENT, assert_two_line_error, poetgen
from tests.tiny import HANZI, tiny_model

V = 4 + len(HANZI) + 3


def network_of(arch, num_layers, dtype=np.float64):
    model = tiny_model(arch, num_layers)
    weights = {name: w.astype(dtype) for name, w in model.weights.items()}
    return NumpyModel(model.config, weights)


def step_by_step(network, token_ids, state):
    batch_size = len(state[0][0])
    for token_id in token_ids:
        logits, state = network.step(np.full(batch_size, token_id), state)
    return logits, state


def assert_same_state(found, expected, atol=1e-12):
    for layer, wanted_layer in zip(found, expected, strict=True):
        for part, wanted in zip(layer, wanted_layer, strict=True):
            np.testing.assert_allclose(part, wanted, atol=atol)


@settings(max_examples=40, deadline=None)
@given(
    arch=st.sampled_from(ARCHS),
    num_layers=st.integers(1, 3),
    batch_size=st.integers(1, 4),
    text=st.lists(st.integers(0, V - 1), min_size=1, max_size=20),
    before=st.lists(st.integers(0, V - 1), min_size=4, max_size=4),
)
def test_reading_a_text_into_any_states_equals_reading_it_step_by_step(
    arch, num_layers, batch_size, text, before
):
    network = network_of(arch, num_layers)
    # Poems that have already gone different ways.
    _, state = network.step(np.array(before[:batch_size]), network.start(batch_size))
    logits, found = network.prime(np.array(text), state)
    expected, expected_state = step_by_step(network, text, state)
    assert logits.shape == (batch_size, V)
    np.testing.assert_allclose(logits, expected, atol=1e-12)
    assert_same_state(found, expected_state)


@pytest.mark.parametrize("length", [255, 256, 257, 700])
@pytest.mark.parametrize("arch", ARCHS)
def test_a_long_text_is_read_in_blocks_without_a_seam(arch, length):
    network = network_of(arch, 2)
    text = np.random.default_rng(length).integers(0, V, length)
    logits, found = network.prime(text, network.start(2))
    expected, expected_state = step_by_step(network, text, network.start(2))
    np.testing.assert_allclose(logits, expected, atol=1e-9)
    assert_same_state(found, expected_state, atol=1e-9)


@pytest.mark.parametrize("arch", ARCHS)
def test_a_text_read_in_two_parts_is_the_text_read_at_once(arch):
    network = network_of(arch, 2)
    text = np.arange(4, 24)
    _, state = network.prime(text[:7], network.start(1))
    logits, state = network.prime(text[7:], state)
    expected, expected_state = network.prime(text, network.start(1))
    np.testing.assert_allclose(logits, expected, atol=1e-12)
    assert_same_state(state, expected_state)


@pytest.mark.parametrize("num_poems", [1, 5])
def test_every_poem_starts_from_the_same_prompt(num_poems):
    network = network_of("lstm", 2)
    logits, state = read_prompt(network, [7, 9, 5], num_poems)
    expected, expected_state = step_by_step(network, [START, 7, 9, 5], network.start(num_poems))
    np.testing.assert_allclose(logits, expected, atol=1e-12)
    assert_same_state(state, expected_state)


def test_a_prompt_is_read_once_however_many_poems_there_are():
    network = network_of("gru", 1)
    batch_sizes = []

    class Watched(NumpyModel):
        def prime(self, token_ids, state):
            batch_sizes.append(len(state[0][0]))
            return super().prime(token_ids, state)

    read_prompt(Watched(network.config, network.weights), [5, 6, 7], 64)
    assert batch_sizes == [1]


# Start files.


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_the_line_break_at_the_end_of_a_file_is_no_part_of_the_start(tmp_path, ending, encoding):
    start = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"
    (tmp_path / "start.txt").write_bytes((start + ending).encode(encoding))
    assert read_start(tmp_path / "start.txt") == start


def test_only_one_line_break_is_taken_off(tmp_path):
    (tmp_path / "start.txt").write_bytes(b"a\n\nb\n\n")
    assert read_start(tmp_path / "start.txt") == "a\n\nb\n"


@pytest.mark.parametrize("content", [b"\xff\x00\xfe\x01\x00", None])
def test_a_file_that_is_no_text_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "start.txt").write_bytes(content)
    with pytest.raises(PromptError) as caught:
        read_start(tmp_path / "start.txt")
    assert "--encoding" not in caught.value.advice


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("龘", 1, 1),
        ("日月\n山龘", 2, 2),
        ("日 月\n\n 山水龘龘", 3, 4),
        ("日,月.\n花龘", 2, 2),
        ("日月\n山(", 2, 2),
    ],
)
def test_an_unknown_character_of_a_file_is_shown_in_its_place(text, line, column):
    with pytest.raises(PromptError) as caught:
        encode_prompt(text, tiny_model().vocabulary, "start.txt")
    assert f"(start.txt, line {line}, column {column})" in caught.value.problem
    with pytest.raises(PromptError) as caught:
        encode_prompt(text, tiny_model().vocabulary)
    assert "line" not in caught.value.problem


def test_a_mark_that_was_widened_is_found_where_it_was_typed():
    with pytest.raises(PromptError) as caught:
        encode_prompt("日月\n山?", tiny_model(tokens="日月山，。").vocabulary, "start.txt")
    assert "'？' (start.txt, line 2, column 2)" in caught.value.problem


def test_an_unknown_word_of_a_file_is_shown_in_its_place():
    words = Vocabulary(["so", "wept", "\n"], "word")
    with pytest.raises(PromptError) as caught:
        encode_prompt("so wept\nwept we so", words, "start.txt")
    assert "'we' (start.txt, line 2, column 6)" in caught.value.problem


def test_a_start_file_is_continued_whatever_its_length(tmp_path):
    start = "白日依山尽，黄河入海流。" * 40
    (tmp_path / "start.txt").write_text(start + "\n", encoding="utf-8")
    arguments = ["generate", "--seed", "3", "--quiet", "--max-chars", "20"]
    from_file = poetgen(*arguments, "--start-file", "start.txt", cwd=tmp_path)
    assert from_file.returncode == 0, from_file.stderr
    written = from_file.stdout.replace("\n", "")
    assert written.startswith(start)
    assert len(written) <= len(start) + 20
    longer = ["--max-chars", str(len(start) + 20)]
    typed = poetgen(*arguments, *longer, "--start", start, cwd=tmp_path)
    assert typed.stdout == from_file.stdout


def test_a_start_comes_through_a_pipe(tmp_path):
    arguments = ["generate", "--seed", "3", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "poetgen", *arguments, "--start-file", "-"],
        input="白日依山尽，\n黄河入海流。\n".encode(),
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        check=True,
    )
    typed = poetgen(*arguments, "--start", "白日依山尽，黄河入海流。", cwd=tmp_path)
    assert done.stdout.decode() == typed.stdout


def test_contradictions_about_the_start_are_refused(tmp_path):
    (tmp_path / "start.txt").write_text("山\n", encoding="utf-8")
    both = ["generate", "--start", "日", "--start-file", "start.txt"]
    assert_two_line_error(poetgen(*both, cwd=tmp_path), "--start", "--start-file")
    long = ["generate", "--start", "日" * 250]
    assert_two_line_error(poetgen(*long, cwd=tmp_path), "250", "--max-chars 251", "--start-file")
    missing = ["generate", "--start-file", "none.txt"]
    assert_two_line_error(poetgen(*missing, cwd=tmp_path), "none.txt")


def test_the_blanks_between_words_of_verse_are_read():
    words = Vocabulary(["床前", "明月", "光", "，"], "word")
    assert encode_prompt("床前 明月 光,", words) == words.encode(["床前", "明月", "光", "，"])
    chars = Vocabulary("床前明月光，")
    assert encode_prompt("床前 明月 光,", chars) == chars.encode("床前明月光，")
