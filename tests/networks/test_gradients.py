"""The numpy gradients against torch's, against differences, and against themselves."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from poetgen.config import ARCHS, ModelConfig, SampleConfig
from poetgen.corpus.vocabulary import END, PAD, START, UNK, Vocabulary
from poetgen.errors import SettingError
from poetgen.generation.decode import Request, write
from poetgen.networks import torch_model
from poetgen.networks.bptt import draw_masks, loss_and_gradients
from poetgen.networks.initialisation import draw_weights
from poetgen.networks.model import Model, num_parameters, weight_shapes
from poetgen.networks.model_file import KIND, load_model, save_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.networks.output_layer import cross_entropy, logits_backward, logits_of
from poetgen.networks.torch_model import LanguageModel, TorchStepper, build, weights_of
from poetgen.places import shipped_models
from poetgen.tensor_file import load_tensor_file, save_tensor_file
from tests.tiny import HANZI, tiny_model, tiny_weights

B, T, E, H, V = 4, 6, 5, 7, 11
LENGTHS = (T, 2, 1, 5)

OUTPUTS = {
    "tied": {},
    "own": {"tied": False},
    "one-hot": {"tied": False, "one_hot": True, "embedding_dim": V},
    "warm": {"softmax_temperature": 2.5},
    "gumbel": {"output": "gumbel", "gumbel_tau": 3.0},
    "all": {
        "tied": False, "one_hot": True, "embedding_dim": V,
        "softmax_temperature": 0.7, "output": "gumbel", "gumbel_tau": 2.0,
    },
}  # fmt: skip

architectures = pytest.mark.parametrize("arch", ARCHS)
depths = pytest.mark.parametrize("num_layers", [1, 2, 3])
outputs = pytest.mark.parametrize("output", OUTPUTS)


def config_of(arch, num_layers=1, output="tied"):
    shape = {"vocab_size": V, "embedding_dim": E, "hidden_size": H, **OUTPUTS[output]}
    return ModelConfig(arch=arch, num_layers=num_layers, **shape)


def ragged(seed=0, lengths=LENGTHS):
    """A batch of poems of these lengths, PAD behind the shorter ones."""
    rng = np.random.default_rng(seed)
    inputs, targets = np.full((2, len(lengths), max(lengths)), PAD)
    for row, length in enumerate(lengths):
        inputs[row, :length], targets[row, :length] = rng.integers(1, V, (2, length))
    return inputs, targets


def torch_twin(config, weights):
    """The same model with torch's own steps, whose gradients are autograd's."""
    model = LanguageModel(config).double()
    model.rnn.uses_own_steps = lambda inputs: False
    model.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
    return model


def torch_state(state):
    """The layers of h, and of c, one above the other."""
    return tuple(torch.from_numpy(np.stack(part)) for part in zip(*state, strict=True))


def torch_loss(logits, targets):
    """The mean loss of all targets but PAD."""
    return F.cross_entropy(
        logits.flatten(0, 1), torch.from_numpy(targets).flatten(), ignore_index=PAD
    )


def assert_same(found, expected, what=""):
    """Compare float64 arrays to 1e-9, relative to the size of their numbers."""
    assert found.dtype == expected.dtype == np.float64
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * scale, err_msg=what)


@outputs
@depths
@architectures
def test_logits_loss_and_every_gradient_are_those_of_torch(arch, num_layers, output):
    config = config_of(arch, num_layers, output)
    weights = tiny_weights(config, 1, np.float64)
    network = NumpyModel(config, weights)
    rng = np.random.default_rng(2)
    state = [tuple(rng.normal(size=(B, H)) for _ in layer) for layer in network.start(B)]
    inputs, targets = ragged()
    model = torch_twin(config, weights)

    logits, end = model(torch.from_numpy(inputs), torch_state(state))
    mean = torch_loss(logits, targets)
    mean.backward()
    loss, gradients, last = loss_and_gradients(network, inputs, targets, PAD, state)

    assert loss == pytest.approx(mean.item(), rel=1e-9)
    assert gradients.keys() == weights.keys()
    for name, parameter in model.named_parameters():
        assert_same(gradients[name], parameter.grad.numpy(), name)
    for part, expected in zip(torch_state(last), end, strict=True):
        assert_same(part.numpy(), expected.detach().numpy())

    with torch.no_grad():
        expected, _ = model(torch.from_numpy(inputs))
    alone = model.losses(torch.from_numpy(inputs), torch.from_numpy(targets), PAD)
    assert_same(network.losses(inputs, targets, PAD), alone.numpy())
    state = network.start(B)
    for t in range(T):
        logits, state = network.step(inputs[:, t], state)
        assert_same(logits, expected[:, t].numpy())


@settings(max_examples=25, deadline=None)
@given(
    arch=st.sampled_from(ARCHS),
    num_layers=st.integers(1, 3),
    output=st.sampled_from(sorted(OUTPUTS)),
    seed=st.integers(0, 1000),
    dropout=st.sampled_from([0.0, 0.4]),
)
def test_every_gradient_is_the_difference_that_a_small_change_makes(
    arch, num_layers, output, seed, dropout
):
    config = config_of(arch, num_layers, output)
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(0, 0.4, shape) for name, shape in weight_shapes(config).items()}
    inputs, targets = ragged(seed, (3, 1))
    masks = draw_masks(config, (3, 2), dropout, rng)

    def loss_at(name, place, change):
        changed = weights[name].copy()
        changed[place] += change
        moved = {**weights, name: changed}
        return loss_and_gradients(NumpyModel(config, moved), inputs, targets, PAD, masks=masks)[0]

    network = NumpyModel(config, weights)
    _, gradients, _ = loss_and_gradients(network, inputs, targets, PAD, masks=masks)
    step = 1e-5
    for name, w in weights.items():
        # The largest, where an error would show first, and a random one.
        gradient = np.abs(gradients[name])
        for flat in (gradient.argmax(), rng.integers(w.size)):
            place = np.unravel_index(flat, w.shape)
            slope = (loss_at(name, place, step) - loss_at(name, place, -step)) / (2 * step)
            assert gradients[name][place] == pytest.approx(slope, rel=1e-5, abs=1e-7), name


@depths
@architectures
def test_windows_with_the_state_carried_on_are_torchs_and_read_as_one(arch, num_layers):
    config = config_of(arch, num_layers, "own")
    weights = tiny_weights(config, 3, np.float64)
    network, model = NumpyModel(config, weights), torch_twin(config, weights)
    inputs, targets = np.random.default_rng(5).integers(1, V, (2, B, 3 * T))
    whole, _, whole_end = loss_and_gradients(network, inputs, targets, PAD)
    state, carried, window_losses = None, None, []
    for first in range(0, 3 * T, T):
        window = inputs[:, first : first + T], targets[:, first : first + T]
        loss, gradients, state = loss_and_gradients(network, *window, PAD, state)
        model.zero_grad()
        logits, carried = model(torch.from_numpy(window[0]), carried)
        torch_loss(logits, window[1]).backward()
        # No gradient flows back over the edge of a window.
        carried = tuple(part.detach() for part in carried)
        for name, parameter in model.named_parameters():
            assert_same(gradients[name], parameter.grad.numpy(), name)
        window_losses.append(loss)
    assert np.mean(window_losses) == pytest.approx(whole, rel=1e-12)
    for part, expected in zip(state, whole_end, strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-12)


@outputs
@architectures
def test_padding_changes_no_gradient(arch, output):
    config = config_of(arch, 2, output)
    network = NumpyModel(config, tiny_weights(config, 1, np.float64))
    inputs, targets = ragged(3, (T, T))
    wider = [np.pad(ids, ((0, 0), (0, 4)), constant_values=PAD) for ids in (inputs, targets)]
    loss, gradients, _ = loss_and_gradients(network, inputs, targets, PAD)
    wide_loss, wide_gradients, _ = loss_and_gradients(network, *wider, PAD)
    assert wide_loss == pytest.approx(loss, rel=1e-12)
    for name, gradient in gradients.items():
        assert_same(wide_gradients[name], gradient, name)


@architectures
def test_gradients_have_the_precision_of_the_weights(arch):
    for dtype in (np.float32, np.float64):
        for output in OUTPUTS:
            config = config_of(arch, 2, output)
            network = NumpyModel(config, tiny_weights(config, 1, dtype))
            masks = draw_masks(config, (T, B), 0.3, np.random.default_rng(0))
            _, gradients, state = loss_and_gradients(network, *ragged(), PAD, masks=masks)
            assert {g.dtype for g in gradients.values()} == {np.dtype(dtype)}
            assert {part.dtype for layer in state for part in layer} == {np.dtype(dtype)}


# Dropout.


def test_dropout_keeps_the_mean_and_switches_its_share_off():
    config = config_of("lstm", 2)
    masks = draw_masks(config, (200, 50), 0.3, np.random.default_rng(1))
    assert [mask.shape for mask in masks] == [(200, 50, E), (200, 50, H), (200, 50, H)]
    for mask in masks:
        assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.7)}
        assert (mask == 0).mean() == pytest.approx(0.3, abs=0.01)
        assert mask.mean() == pytest.approx(1, abs=0.02)


def test_no_dropout_draws_nothing_and_a_one_hot_input_stays_whole():
    rng = np.random.default_rng(1)
    assert draw_masks(config_of("gru", 2), (T, B), 0.0, rng) == [None] * 3
    assert rng.random() == np.random.default_rng(1).random()
    assert draw_masks(config_of("gru", 2, "one-hot"), (T, B), 0.3, rng)[0] is None


# Densities.


def naive_gumbel(scores, temperature, tau):
    scaled = [s / temperature for s in scores]
    ys = [s - max(scaled) for s in scaled]
    return [(-y - np.exp(-y)) / tau for y in ys]


def test_the_gumbel_density_is_its_formula():
    config = ModelConfig(output="gumbel", gumbel_tau=1.7, softmax_temperature=0.8)
    scores = np.random.default_rng(0).normal(size=(3, 5))
    for row, found in zip(scores, logits_of(config, scores), strict=True):
        np.testing.assert_allclose(found, naive_gumbel(row, 0.8, 1.7), rtol=1e-12)


def test_the_gumbel_density_stays_finite_for_any_scores_and_the_engines_agree():
    config = dataclasses.replace(config_of("rnn"), output="gumbel")
    scores = np.array([[0.0, -39.0, -41.0, -1e30, 3e4], [1e4, 0, -1e4, 9.99e3, 1]], np.float32)
    logits = logits_of(config, scores)
    losses_, d_logits = cross_entropy(logits, np.array([3, 0]))
    d_scores = logits_backward(config, scores, d_logits)
    assert np.isfinite(logits).all()
    assert np.isfinite(losses_).all()
    assert np.isfinite(d_scores).all()
    twin = torch.from_numpy(scores).requires_grad_()
    found = torch_model.logits_of(config, twin)
    np.testing.assert_allclose(found.detach().numpy(), logits, rtol=1e-5)
    F.cross_entropy(found, torch.tensor([3, 0]), reduction="sum").backward()
    np.testing.assert_allclose(d_scores, twin.grad.numpy(), rtol=1e-4)


def test_a_temperature_of_one_and_softmax_leave_the_scores_alone():
    scores = np.random.default_rng(0).normal(size=(3, 5))
    assert logits_of(ModelConfig(), scores) is scores


# Shapes, files, initial weights.


@outputs
@depths
@architectures
def test_a_model_of_any_shape_has_torchs_weights_and_survives_its_file(
    arch, num_layers, output, tmp_path
):
    config = config_of(arch, num_layers, output)
    model = LanguageModel(config)
    assert num_parameters(config) == sum(p.numel() for p in model.parameters())
    shapes = {name: w.shape for name, w in weights_of(model).items()}
    assert shapes == weight_shapes(config)
    path = tmp_path / "m.safetensors"
    save_model(Model(config, Vocabulary(HANZI[: V - 4]), tiny_weights(config)), path)
    assert load_model(path).config == config


def test_a_one_hot_model_is_as_wide_as_its_vocabulary_and_untied():
    for wrong in ({"embedding_dim": V - 1, "tied": False}, {"embedding_dim": V}):
        with pytest.raises(SettingError):
            ModelConfig(vocab_size=V, one_hot=True, **wrong)


@outputs
@architectures
def test_fresh_weights_are_spread_like_torchs(arch, output):
    config = dataclasses.replace(config_of(arch, 2, output), hidden_size=40)
    found = draw_weights(config, np.random.default_rng(0))
    torch.manual_seed(0)
    expected = weights_of(LanguageModel(config))
    assert found.keys() == expected.keys()
    for name, w in found.items():
        assert w.dtype == np.float32
        assert w.shape == expected[name].shape
        assert w.std() == pytest.approx(expected[name].std(), rel=0.35), name
        if config.one_hot:
            assert w.std() == pytest.approx(0 if "bias" in name else 0.01, rel=0.15), name


# One poem each, so that no change of the arithmetic goes unnoticed.

SHIPPED_LINE = "日暮江城暮，风帆落叶秋。"
GOLDEN = {
    "rnn": "日海夜云，海海春海春夜鸟花，海花",
    "gru": "日花海花海花海鸟云云云水水鸟水鸟",
    "lstm": "日春春春夜春，水水海来雨海雨雨雨",
}


@architectures
def test_both_engines_write_the_golden_poem(arch):
    tokens = HANZI + "，。"
    config = ModelConfig(
        arch=arch, vocab_size=4 + len(tokens), embedding_dim=9, hidden_size=14, num_layers=2
    )
    weights = tiny_weights(config, seed=15)
    vocabulary = Vocabulary(tokens)
    greedy = SampleConfig(temperature=0, max_chars=16)
    for network in (NumpyModel(config, weights), TorchStepper(build(config, weights))):
        request = Request(vocabulary.encode("日"), greedy)
        ((token_ids, *_),) = write(network, request, [np.random.default_rng(0)])
        assert not {PAD, START, UNK, END} & set(token_ids)
        assert vocabulary.decode(token_ids) == GOLDEN[arch]


def test_the_model_that_ships_is_a_tied_softmax_model_and_writes_its_line():
    model = load_model(shipped_models() / "tang.safetensors")
    assert model.config.tied
    assert not model.config.one_hot
    assert model.config.output == "softmax"
    network = NumpyModel(model.config, model.weights)
    token_ids = [START, *model.vocabulary.encode("日")]
    logits, state = network.prime(np.array(token_ids), network.start(1))
    for _ in range(11):
        token_ids.append(int(logits[0].argmax()))
        logits, state = network.step(np.array(token_ids[-1:]), state)
    assert model.vocabulary.decode(token_ids) == SHIPPED_LINE


def test_a_file_from_before_there_were_other_outputs_is_a_tied_softmax_model(tmp_path):
    path = tmp_path / "m.safetensors"
    model = tiny_model("lstm")
    save_model(model, path)
    weights, card = load_tensor_file(path, KIND, "")
    for name in ("tied", "one_hot", "output", "softmax_temperature", "gumbel_tau"):
        del card["model"][name]
    save_tensor_file(path, KIND, weights, card)
    assert load_model(path).config == model.config
