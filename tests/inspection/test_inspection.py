"""A trace agrees with reading a text token by token."""

import dataclasses
import json
import re
import warnings
from xml.dom import minidom

import numpy as np
import pytest

from poetgen.cli.inspect import inspect
from poetgen.config import ARCHS
from poetgen.corpus.vocabulary import END, PAD, START, UNK
from poetgen.errors import SettingError
from poetgen.generation.decode import Stepper
from poetgen.inspection.report import END_SIGN, Report, card, in_effect, report
from poetgen.inspection.trace import (
    STRONG,
    deciding_units,
    likeliest,
    strong_units,
    total_variation,
    trace,
)
from poetgen.networks.cells import CELLS
from poetgen.networks.model import Metrics
from poetgen.networks.model_file import save_model
from poetgen.networks.numpy_model import NumpyModel
from tests.command import assert_two_line_error, poetgen
from tests.tiny import tiny_model

TEXT = "日月山水，风。"

architectures = pytest.mark.parametrize("arch", ARCHS)
depths = pytest.mark.parametrize("num_layers", [1, 2])


def probabilities_of(logits):
    logits = np.asarray(logits, np.float64).copy()
    logits[..., [PAD, START, UNK]] = -np.inf
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def read_slowly(network: Stepper, token_ids):
    """Read token by token, as generation does; give the probabilities after each."""
    state = network.start(1)
    rows = []
    for token_id in token_ids:
        logits, state = network.step(np.array([token_id]), state)
        rows.append(probabilities_of(logits[0]))
    return np.array(rows)


@architectures
@depths
def test_surprise_and_memory_are_those_of_reading_token_by_token(arch, num_layers):
    model = tiny_model(arch, num_layers)
    ids = model.vocabulary.encode(TEXT)
    network = NumpyModel(model.config, model.weights)
    found = trace(model, ids)
    rows = read_slowly(network, [START, *ids])
    expected = [-np.log2(rows[place][token_id]) for place, token_id in enumerate(ids)]
    np.testing.assert_allclose(found.surprise_bits, expected, rtol=1e-5)
    np.testing.assert_allclose(found.probabilities, rows[1:], rtol=1e-4, atol=1e-7)
    alone = np.array([read_slowly(network, [token_id])[0] for token_id in ids])
    np.testing.assert_allclose(found.memory, total_variation(rows[1:], alone), atol=1e-6)
    assert found.hidden.shape == (len(ids), model.config.hidden_size)


@architectures
def test_control_tokens_are_never_expected(arch):
    model = tiny_model(arch)
    found = trace(model, model.vocabulary.encode(TEXT))
    assert (found.probabilities[:, [PAD, START, UNK]] == 0).all()
    np.testing.assert_allclose(found.probabilities.sum(axis=-1), 1)


@architectures
def test_gates_are_open_between_nought_and_one(arch):
    model = tiny_model(arch, num_layers=2)
    ids = model.vocabulary.encode(TEXT)
    found = trace(model, ids)
    assert list(found.gates) == list(CELLS[arch].gates)
    for values in found.gates.values():
        assert values.shape == found.hidden.shape
        assert ((values > 0) & (values < 1)).all()


def test_the_gates_of_an_lstm_explain_its_state():
    # h = o tanh(c), so no unit can be larger than its output gate.
    found = trace(tiny_model("lstm"), [5, 6, 7, 8])
    assert (np.abs(found.hidden) <= found.gates["output"]).all()


def test_a_closed_update_gate_changes_a_gru_much_and_an_open_one_little():
    found = trace(tiny_model("gru"), [5, 6, 7, 8, 9])
    change = np.abs(np.diff(found.hidden, axis=0))
    # h' − h = (1 − z)(n − h), and both n and h lie between −1 and 1.
    assert (change <= 2 * (1 - found.gates["update"][1:]) + 1e-6).all()


@architectures
def test_each_unit_is_set_to_zero_alone(arch):
    model = tiny_model(arch)
    hidden = trace(model, [5, 6, 7]).hidden[-1]
    weights = model.weights

    def after(h):
        projected = weights["projection.weight"] @ h
        return probabilities_of(weights["embedding.weight"] @ projected + weights["output_bias"])

    changes = deciding_units(model, hidden)
    for unit in range(len(hidden)):
        without = hidden.copy()
        without[unit] = 0
        assert changes[unit] == pytest.approx(
            total_variation(after(without), after(hidden)), abs=1e-6
        )


def test_a_unit_that_is_zero_decides_nothing():
    model = tiny_model()
    hidden = trace(model, [5, 6]).hidden[-1].copy()
    hidden[3] = 0
    changes = deciding_units(model, hidden)
    # Products of many rows are rounded otherwise than those of one.
    assert changes[3] < 1e-6
    assert (np.delete(changes, 3) > 1e-4).all()


def test_strong_units_are_those_above_the_threshold_most_often_first():
    hidden = np.array([[0.9, 0.1, -0.6, 0.5], [0.8, 0.2, 0.1, 0.5], [-0.7, 0.3, 0.9, 0.5]])
    found = strong_units(hidden, 3)
    assert STRONG == 0.5
    assert found == [(0, 1), (2, pytest.approx(2 / 3))]
    assert strong_units(hidden, 1) == found[:1]


def test_the_likeliest_come_first_and_equals_in_their_order():
    assert likeliest(np.array([0.1, 0.4, 0.1, 0.4]), 3) == [(1, 0.4), (3, 0.4), (0, 0.1)]


def test_total_variation_goes_from_same_to_disjoint():
    one, other = np.array([0.5, 0.5, 0, 0]), np.array([0, 0, 0.3, 0.7])
    assert total_variation(one, one) == 0
    assert total_variation(one, other) == pytest.approx(1)


def test_a_report_is_plain_and_complete():
    model = tiny_model("lstm")
    found = report(model, model.vocabulary.encode(TEXT), num_units=4)
    assert "".join(found.tokens) == TEXT
    values = json.loads(json.dumps(found.as_dict()))
    for name in ("surprise_bits", "memory", "next_tokens"):
        assert len(values[name]) == len(TEXT)
    changes = [unit["change"] for unit in values["deciding_units"]]
    assert changes == sorted(changes, reverse=True)
    assert len(changes) == 4


def test_the_end_of_a_poem_has_a_sign_of_its_own():
    model = tiny_model()
    model.weights["output_bias"][END] += 20
    found = report(model, [5], num_units=2)
    assert found.next_tokens[0][0][0] == END_SIGN


def test_the_card_has_the_shape():
    model = tiny_model("gru", num_layers=2)
    shown = card("tiny", model)
    assert (shown["model"], shown["arch"], shown["num_layers"]) == ("tiny", "gru", 2)
    assert shown["parameters"] == sum(w.size for w in model.weights.values())


# The command.


@pytest.fixture
def here(tmp_path):
    save_model(tiny_model("lstm"), tmp_path / "models/tiny.safetensors")
    return tmp_path


def test_inspect_shows_the_card_and_what_happens_in_a_text(here):
    done = poetgen("inspect", "tiny", "--text", TEXT, cwd=here)
    assert done.returncode == 0, done.stderr
    for word in ("lstm", "parameters", "surprise", "forget gate", "memory", TEXT):
        assert word in done.stdout, word
    only_card = poetgen("inspect", "tiny", cwd=here)
    assert done.stdout.startswith(only_card.stdout.rstrip())


@pytest.mark.parametrize(
    ("fields", "shown"), [(True, "author, keyword, title, form"), (False, "none")]
)
def test_the_card_names_the_fields_that_a_model_has_learned(here, fields, shown):
    save_model(tiny_model(fields=fields), here / "models/other.safetensors")
    done = poetgen("inspect", "other", cwd=here)
    assert re.search(rf"^fields +{shown}$", done.stdout, re.MULTILINE)


def test_the_json_of_inspect_is_one_object(here):
    done = poetgen("inspect", "tiny", "--text", TEXT, "--json", cwd=here)
    values = json.loads(done.stdout)
    assert values["arch"] == "lstm"
    assert values["tokens"] == list(TEXT)
    assert len(values["gates"]["forget"]) == len(TEXT)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_inspect_draws(here, suffix):
    pytest.importorskip("matplotlib")
    picture = here / f"trace.{suffix}"
    arguments = ("inspect", "tiny", "--text", TEXT, "--plot", picture.name)
    done = poetgen(*arguments, cwd=here)
    assert done.returncode == 0, done.stderr
    head = picture.read_bytes()[:300]
    assert head.startswith(b"\x89PNG") if suffix == "png" else b"<svg" in head or b"<?xml" in head
    assert_two_line_error(poetgen(*arguments, cwd=here), "already there", "--force")


def test_what_matplotlib_says_of_a_picture_is_said_once_and_plainly(tmp_path):
    pytest.importorskip("matplotlib")
    from poetgen.inspection.plot import save_plot, width_inches

    # No font has these; a formula that is none, and what no SVG may hold.
    tokens = ["\U000f0000", "\U000f0001", "$\\x$", "\x1b", "\uffff"]
    found = Report(tokens, [1.0] * 5, [0.5] * 5, {}, [[]] * 5, [], [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (note,) = save_plot(found, tmp_path / "trace.png")
        assert "boxes" in note
        assert save_plot(found, tmp_path / "trace.svg") == []
    minidom.parse(str(tmp_path / "trace.svg"))
    assert width_inches(5) < width_inches(50) < width_inches(10**6) < 65_535 / 150


def test_wrong_use_of_inspect_gives_two_lines(here):
    for arguments, words in (
        (["nobody"], ["no model nobody", "tiny"]),
        (["tiny", "--text", "龘"], ["does not know"]),
        (["tiny", "--text", ""], ["nothing to read"]),
        (["tiny", "--plot", "a.png"], ["--text"]),
        (["tiny", "--text", "日", "--plot", "a.pdf"], [".png or .svg"]),
    ):
        assert_two_line_error(poetgen("inspect", *arguments, cwd=here), *words)


@pytest.fixture
def strange(tmp_path):
    """A model with more metrics than those that poetgen writes."""
    metrics = {
        "model": {"name": "tang"},
        "\x1b[2J\u202e": {"\x1b]0;x\x07日\nscript keep": float("nan"), "count": 12345},
    }
    path = tmp_path / "strange.safetensors"
    validation = Metrics(3.25, 25.75, None, 12345, 0)
    model = dataclasses.replace(
        tiny_model(), validation=validation, extra={"metrics": metrics, "validation": {"bits": 4.5}}
    )
    save_model(model, path)
    return path


def test_the_metrics_of_a_stranger_are_shown_and_hide_nothing(strange, capsys):
    inspect(model=str(strange))
    said = capsys.readouterr().out
    assert set(said) - {"\n"} <= set(filter(str.isprintable, said))
    for words in (
        "model  ",
        "strange",
        "metrics model",
        "name tang",
        "metrics validation",
        "num_tokens 12,345",
        "bits 4.5",
    ):
        assert words in said
    assert sum(line.startswith("script") for line in said.splitlines()) == 1
    inspect(model=str(strange), as_json=True)
    said = capsys.readouterr().out
    shown = json.loads(said, parse_constant=pytest.fail)
    assert (shown["model"], shown["metrics"]["model"]) == ("strange", {"name": "tang"})
    assert None in shown["metrics"]["\x1b[2J\u202e"].values()


def test_a_probability_that_underflows_is_still_a_surprise_in_bits(here, capsys):
    model = tiny_model()
    model.weights["output_bias"][4] -= 2000
    save_model(model, here / "sure.safetensors")
    arguments = {"model": str(here / "sure.safetensors"), "text": model.vocabulary.tokens[0]}
    inspect(**arguments, as_json=True)
    shown = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert 2500 < shown["surprise_bits"][0] < 3500
    inspect(**arguments)
    assert "surprise" in capsys.readouterr().out


def test_a_pipe_gets_no_blanks_at_the_ends_of_lines_and_no_line_is_cut(here, capsys):
    training = {f"setting {number}": "long" * 9 for number in range(30)}
    save_model(dataclasses.replace(tiny_model(), training=training), here / "long.safetensors")
    inspect(model=str(here / "long.safetensors"), text=TEXT)
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip() for line in lines] == lines
    (row,) = [line for line in lines if line.startswith("training")]
    assert row.count("setting") == 30


@pytest.mark.parametrize("output", ["softmax", "gumbel"])
def test_the_card_has_a_row_only_for_settings_that_apply(here, output, capsys):
    model = tiny_model()
    config = dataclasses.replace(model.config, output=output)
    training = {**dataclasses.asdict(config), "epochs": 8, "patience": None}
    model = dataclasses.replace(model, config=config, training=training)
    save_model(model, here / "m.safetensors")
    inspect(model=str(here / "m.safetensors"))
    said = capsys.readouterr().out
    assert ("gumbel tau" in said) == (output == "gumbel")
    assert re.search("^training +epochs 8$", said, re.MULTILINE)
    inspect(model=str(here / "m.safetensors"), as_json=True)
    assert json.loads(capsys.readouterr().out)["training"] == training


@pytest.mark.parametrize(
    ("changes", "without"),
    [
        ({}, {"seq_len", "batch_size"}),
        ({"batching": "poems"}, {"seq_len", "batch_size"}),
        ({"batching": "random"}, {"batch_tokens"}),
        ({"batching": "sequential"}, {"batch_tokens"}),
        ({"optimizer": "sgd"}, {"seq_len", "batch_size", "weight_decay"}),
        ({"max_minutes": None}, {"seq_len", "batch_size", "max_minutes"}),
        ({"own_output": True}, {"seq_len", "batch_size", "own_output"}),
    ],
)
def test_settings_that_had_no_effect_are_left_out(changes, without):
    training = {"optimizer": "adamw", "weight_decay": 0.01, "batch_tokens": 9}
    training |= {"seq_len": 8, "batch_size": 7, **changes}
    assert training.keys() - in_effect(training).keys() == without


def test_a_plot_without_matplotlib_is_refused_before_anything_is_printed(here, monkeypatch, capsys):
    monkeypatch.setattr("poetgen.plotting.find_spec", lambda name: None)
    with pytest.raises(SettingError, match="matplotlib"):
        inspect(model=str(here / "models/tiny.safetensors"), text=TEXT, plot=here / "a.png")
    assert capsys.readouterr().out == ""
    assert not (here / "a.png").exists()


@pytest.mark.parametrize("tokens", ["日", "日月"])
def test_what_cannot_come_next_is_not_listed(tokens):
    model = tiny_model(tokens=tokens)
    (following,) = report(model, [4], num_units=2).next_tokens
    assert sorted(token for token, _ in following) == sorted([*tokens, END_SIGN])
