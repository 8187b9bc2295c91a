import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from poetgen.config import ARCHS, ModelConfig
from poetgen.corpus.vocabulary import PAD
from poetgen.networks import products
from poetgen.networks.cells import CELLS, sigmoid
from poetgen.networks.numpy_model import NumpyModel
from poetgen.networks.products import rows_times
from poetgen.networks.torch_model import LanguageModel, TorchStepper, build, weights_of
from tests.tiny import tiny_weights

B, T, E, H, V = 3, 6, 5, 7, 11
_HELPER = products._Helper()

architectures = pytest.mark.parametrize("arch", ARCHS)
depths = pytest.mark.parametrize("num_layers", [1, 2, 3])


def config_of(arch, num_layers):
    return ModelConfig(
        arch=arch, vocab_size=V, embedding_dim=E, hidden_size=H, num_layers=num_layers
    )


def both_engines(arch, num_layers, seed=0):
    """One set of float64 weights under numpy and under torch."""
    config = config_of(arch, num_layers)
    weights = tiny_weights(config, seed, np.float64)
    model = LanguageModel(config).double().eval()
    model.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
    return NumpyModel(config, weights), model


def steppers(arch, num_layers):
    config = config_of(arch, num_layers)
    weights = tiny_weights(config)
    return {
        "numpy": NumpyModel(config, weights),
        "torch": TorchStepper(build(config, weights)),
    }


def some_ids(*shape, seed=1):
    return np.random.default_rng(seed).integers(0, V, shape)


def assert_same(found, expected):
    """Compare float64 numbers to 1e-9 relative."""
    assert found.dtype == expected.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("num_rows", range(8))
def test_products_of_few_and_of_many_rows_are_those_of_each_row(num_rows):
    rng = np.random.default_rng(num_rows)
    rows, matrix = rng.standard_normal((num_rows, H)), rng.standard_normal((V, H))
    found = rows_times(rows, matrix)
    assert found.shape == (num_rows, V)
    for row, product in zip(rows, found, strict=True):
        assert_same(product, np.array([sum(row * weights) for weights in matrix]))


@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_two_threads_compute_what_one_does_to_the_last_bit(num_rows, size, num_columns, seed):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((num_rows, size)).astype(np.float32)
    matrix = rng.standard_normal((num_columns, size)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "_LARGE_MATRIX", 1)
        alone = rows_times(rows, matrix)
        patch.setattr(products, "_helper", _HELPER)
        together = rows_times(rows, matrix)
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_allclose(alone, rows @ matrix.T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("num_rows_that_fail", [2, 3])  # the first half of 5, and the second
def test_what_fails_in_either_thread_is_raised_and_the_next_product_is_right(
    num_rows_that_fail, monkeypatch
):
    monkeypatch.setattr(products, "_LARGE_MATRIX", 1)
    monkeypatch.setattr(products, "_helper", _HELPER)
    multiply = products._multiply

    def fail(rows, matrix, out):
        if len(matrix) == num_rows_that_fail:
            raise MemoryError("as if")
        multiply(rows, matrix, out)

    rows, matrix = np.ones((6, 4)), np.ones((5, 4))
    with monkeypatch.context() as patch:
        patch.setattr(products, "_multiply", fail)
        with pytest.raises(MemoryError, match="as if"):
            rows_times(rows, matrix)
    assert_same(rows_times(rows, matrix), np.full((6, 5), 4.0))


# The fast cells against the equations, one number at a time.


def naive_product(matrix, vector):
    return [
        sum(float(matrix[row][column]) * vector[column] for column in range(len(vector)))
        for row in range(len(matrix))
    ]


def naive_sigmoid(x):
    return 1 / (1 + math.exp(-x))


def naive_cell(arch, x, h, c, w, u, b_ih, b_hh):
    """Return the next h and c of one poem, as lists."""
    wx = [value + float(bias) for value, bias in zip(naive_product(w, x), b_ih, strict=True)]
    uh = [value + float(bias) for value, bias in zip(naive_product(u, h), b_hh, strict=True)]
    size = len(h)
    new_h, new_c = [], []
    for j in range(size):
        if arch == "rnn":
            new_h.append(math.tanh(wx[j] + uh[j]))
        elif arch == "gru":
            reset = naive_sigmoid(wx[j] + uh[j])
            update = naive_sigmoid(wx[size + j] + uh[size + j])
            candidate = math.tanh(wx[2 * size + j] + reset * uh[2 * size + j])
            new_h.append((1 - update) * candidate + update * h[j])
        else:
            gates = [wx[gate * size + j] + uh[gate * size + j] for gate in range(4)]
            write, forget, output = (naive_sigmoid(gates[gate]) for gate in (0, 1, 3))
            new_c.append(forget * c[j] + write * math.tanh(gates[2]))
            new_h.append(output * math.tanh(new_c[j]))
    return new_h, new_c


@architectures
def test_a_cell_does_what_its_equations_say(arch):
    rng = np.random.default_rng(4)
    gates = CELLS[arch].num_gates
    w, u = rng.normal(size=(gates * H, E)), rng.normal(size=(gates * H, H))
    b_ih, b_hh = rng.normal(size=(2, gates * H))
    x, h, c = rng.normal(size=(B, E)), rng.normal(size=(B, H)), rng.normal(size=(B, H))
    cell = CELLS[arch]
    (fast_h, *fast_c), _ = cell.step(x @ w.T + b_ih, h @ u.T + b_hh, (h, c)[: cell.num_states])
    for poem in range(B):
        slow_h, slow_c = naive_cell(arch, *(v[poem].tolist() for v in (x, h, c)), w, u, b_ih, b_hh)
        assert_same(fast_h[poem], np.array(slow_h))
        if arch == "lstm":
            assert_same(fast_c[0][poem], np.array(slow_c))


def test_sigmoid_is_the_logistic_function_and_never_overflows():
    x = np.linspace(-30, 30, 61)
    np.testing.assert_allclose(sigmoid(x), [naive_sigmoid(value) for value in x], atol=1e-15)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(sigmoid(np.array([-1e300, -1e5, 1e5, 1e300])), [0, 0, 1, 1])


# numpy against torch.


@settings(max_examples=20, deadline=None)
@given(
    arch=st.sampled_from(ARCHS),
    num_layers=st.integers(1, 3),
    seed=st.integers(0, 1000),
    text=st.lists(st.integers(0, V - 1), min_size=1, max_size=12),
)
def test_numpy_and_torch_agree_on_any_text_and_weights(arch, num_layers, seed, text):
    fast, reference = both_engines(arch, num_layers, seed)
    with torch.no_grad():
        expected, _ = reference(torch.tensor([text]))
    logits, _ = fast.prime(np.array(text), fast.start(1))
    assert_same(logits, expected[:, -1].numpy())


@depths
@architectures
def test_the_torch_stepper_and_numpy_agree_in_float32(arch, num_layers):
    found = {}
    for engine, network in steppers(arch, num_layers).items():
        logits, state = network.prime(some_ids(T), network.start(B))
        # Different tokens, then fewer poems in another order: every call of the loop.
        logits, state = network.step(some_ids(B), state)
        state = network.select(state, np.array([2, 0]))
        found[engine], _ = network.step(some_ids(2, seed=9), state)
        assert logits.shape == (B, V)
    np.testing.assert_allclose(found["numpy"], found["torch"], rtol=1e-4, atol=1e-5)


@architectures
def test_torch_weights_survive_the_way_through_numpy(arch):
    torch.manual_seed(3)
    model = LanguageModel(config_of(arch, 2)).eval()
    again = build(model.config, weights_of(model))
    token_ids = torch.from_numpy(some_ids(B, T))
    assert torch.equal(model(token_ids)[0], again(token_ids)[0])


# The laws of a stepper, for either engine.

engines = pytest.mark.parametrize("engine", ["numpy", "torch"])


@engines
@depths
@architectures
def test_priming_with_a_text_equals_reading_it_step_by_step(arch, num_layers, engine):
    network = steppers(arch, num_layers)[engine]
    text = some_ids(T)
    primed, primed_state = network.prime(text, network.start(B))
    state = network.start(B)
    for token_id in text:
        logits, state = network.step(np.full(B, token_id), state)
    np.testing.assert_allclose(primed, logits, rtol=1e-5, atol=1e-6)
    after, expected = (
        network.step(some_ids(B), after_text)[0] for after_text in (primed_state, state)
    )
    np.testing.assert_allclose(after, expected, rtol=1e-5, atol=1e-6)


@engines
@architectures
@pytest.mark.parametrize("rows", [[0], [2, 0], [1, 1, 2, 0], []], ids=str)
def test_select_keeps_the_poems_asked_for_in_their_order(arch, engine, rows):
    network = steppers(arch, 2)[engine]
    rows = np.array(rows, np.int64)
    first, second = some_ids(B), some_ids(B, seed=2)
    _, state = network.step(first, network.start(B))
    expected, _ = network.step(second, state)
    found, _ = network.step(second[rows], network.select(state, rows))
    np.testing.assert_allclose(found, expected[rows], rtol=1e-5, atol=1e-6)


@engines
@architectures
def test_a_step_leaves_the_state_it_was_given_unchanged(arch, engine):
    network = steppers(arch, 2)[engine]
    _, state = network.prime(some_ids(T), network.start(B))
    first, _ = network.step(some_ids(B), state)
    again, _ = network.step(some_ids(B), state)
    np.testing.assert_array_equal(first, again)


# The losses that training and evaluation share.


@architectures
def test_the_losses_of_a_padded_batch_are_those_of_each_poem_alone(arch):
    _, model = both_engines(arch, 2)
    lengths = [T, 2, 4]
    poems = [1 + some_ids(length + 1, seed=length) % (V - 1) for length in lengths]
    inputs, targets = np.full((2, B, T), PAD)
    for row, poem in enumerate(poems):
        inputs[row, : len(poem) - 1], targets[row, : len(poem) - 1] = poem[:-1], poem[1:]
    with torch.no_grad():
        together = model.losses(torch.from_numpy(inputs), torch.from_numpy(targets), PAD)
        alone = []
        for poem in poems:
            logits, _ = model(torch.from_numpy(poem[None, :-1]))
            log_probabilities = torch.log_softmax(logits[0], dim=-1)
            alone += [-log_probabilities[t, target] for t, target in enumerate(poem[1:].tolist())]
    assert together.shape == (sum(lengths),)
    assert_same(together.numpy(), torch.stack(alone).numpy())


@architectures
def test_padding_gives_no_gradient(arch):
    _, model = both_engines(arch, 1)
    inputs = torch.from_numpy(1 + some_ids(1, T) % (V - 1))
    targets = torch.from_numpy(1 + some_ids(1, T, seed=2) % (V - 1)).flatten()
    gradients = []
    for padding in (0, 4):
        model.zero_grad()
        padded = torch.nn.functional.pad(inputs, (0, padding), value=PAD)
        loss, _ = model.summed_loss(padded, targets, torch.arange(T))
        loss.backward()
        gradients.append([weights.grad.clone().numpy() for weights in model.parameters()])
    for without, with_padding in zip(*gradients, strict=True):
        assert_same(with_padding, without)


@architectures
def test_states_of_several_batches_are_joined_in_their_order(arch):
    for network in steppers(arch, 2).values():
        one = network.prime(np.array([1, 5]), network.start(2))[1]
        other = network.prime(np.array([1, 6, 7]), network.start(1))[1]
        logits, _ = network.step(np.array([8, 9, 8]), network.join([one, other]))
        apart = [network.step(np.array([8, 9]), one)[0], network.step(np.array([8]), other)[0]]
        np.testing.assert_allclose(logits, np.concatenate(apart), rtol=1e-4, atol=1e-5)
