"""Training in numpy and in torch: the same steps, the same files."""

import dataclasses
import functools
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from poetgen.config import ARCHS, ModelConfig
from poetgen.errors import DeviceError, DivergedError, SettingError
from poetgen.networks.model_file import load_model
from poetgen.networks.numpy_model import NumpyModel
from poetgen.networks.torch_model import LanguageModel, TorchStepper, build
from poetgen.training.engine import make_engine
from poetgen.training.evaluation import evaluate
from poetgen.training.events import Progress, Sampled, Validated
from poetgen.training.numpy_engine import NumpyEngine
from poetgen.training.optimizers import FlatOptimizer, clip
from poetgen.training.progress import Counters
from poetgen.training.torch_engine import TorchEngine, make_optimizer
from tests import runs
from tests.runs import events_of
from tests.tiny import tiny_batch, tiny_corpus

OPTIMIZERS = ["adamw", "adam", "sgd", "rmsprop", "adagrad"]
KINDS = {
    "tied": {},
    "own": {"tied": False},
    "classic": {"one_hot": True, "softmax_temperature": 2.0},
    "gumbel": {"output": "gumbel", "gumbel_tau": 2.0, "tied": False},
}
TINY = dataclasses.replace(runs.TINY, dropout=0.0, learning_rate=0.02)

optimizers = pytest.mark.parametrize("optimizer", OPTIMIZERS)
architectures = pytest.mark.parametrize("arch", ARCHS)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def corpus():
    return tiny_corpus(60, seed=8)


trainer_of = functools.partial(runs.trainer_of, config=TINY)


# Optimizers.


@optimizers
def test_each_optimizer_takes_the_steps_of_torchs(optimizer):
    rng = np.random.default_rng(0)
    config = dataclasses.replace(TINY, optimizer=optimizer, weight_decay=0.3)
    weights = rng.normal(size=23)
    module = torch.nn.Module()
    module.weights = torch.nn.Parameter(torch.from_numpy(weights.copy()))
    theirs = make_optimizer(config, module, "mps")  # where nothing is fused
    ours = FlatOptimizer(optimizer, weights, config.weight_decay)
    for step in range(30):
        # Sizes from tiny to huge, exact zeros, and a rate that changes.
        gradient = rng.normal(size=23) * 10.0 ** rng.integers(-6, 4, 23)
        gradient[step % 23] = 0
        rate = 0.1 / (1 + step)
        module.weights.grad = torch.from_numpy(gradient.copy())
        theirs.param_groups[0]["lr"] = rate
        theirs.step()
        before = gradient.copy()
        ours.step(weights, gradient, rate)
        np.testing.assert_allclose(weights, module.weights.detach().numpy(), rtol=1e-12)
        np.testing.assert_array_equal(gradient, before)


@given(
    gradient=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9),
    max_norm=st.sampled_from([None, 0.0, 0.5, 1e9]),
    max_value=st.sampled_from([None, 0.1, 1e9]),
)
def test_gradients_are_clipped_as_torch_clips_them(gradient, max_norm, max_value):
    ours = np.array(gradient)
    theirs = torch.nn.Parameter(torch.zeros(len(gradient), dtype=torch.float64))
    theirs.grad = torch.from_numpy(ours.copy())
    clip(ours, max_norm, max_value)
    if max_value is not None:
        torch.nn.utils.clip_grad_value_([theirs], max_value)
    # A limit of zero is none.
    if max_norm:
        torch.nn.utils.clip_grad_norm_([theirs], max_norm)
    np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_a_gradient_that_is_no_number_is_not_made_one_by_clipping():
    config = dataclasses.replace(TINY, grad_clip_value=0.1)
    engine = TorchEngine(config, config.shape(17))
    before = engine.weights()
    engine.model.output_bias.register_hook(lambda gradient: gradient * math.inf)
    loss = engine.train_step(tiny_batch([4, 3], 17, np.random.default_rng(0)), 0.1)
    assert math.isnan(loss)
    runs.assert_equal_weights(engine.weights(), before)


# The engines.


def batches(num, vocab_size, rng):
    for _ in range(num):
        yield tiny_batch([5, 3, 5], vocab_size, rng)


@optimizers
@pytest.mark.parametrize("kind", KINDS)
@architectures
def test_both_engines_learn_the_same_from_the_same_batches(arch, kind, optimizer):
    config = dataclasses.replace(
        TINY, arch=arch, num_layers=2, optimizer=optimizer, grad_clip_value=0.05, **KINDS[kind]
    )
    model_config = config.shape(17)
    engines = TorchEngine(config, model_config), NumpyEngine(config, model_config)
    torch_engine, numpy_engine = engines
    numpy_engine.restore(
        {
            **numpy_engine.snapshot(),
            "weights": np.concatenate(
                [torch_engine.weights()[name].ravel() for name in numpy_engine.weights()]
            ),
        }
    )
    before = numpy_engine.weights()
    rng = np.random.default_rng(0)
    for number, batch in enumerate(batches(6, 17, rng)):
        # The state is carried on but once.
        losses = []
        for engine in engines:
            if number == 3:
                engine.forget()
            losses.append(float(engine.train_step(batch, 0.002)))
        assert losses[0] == pytest.approx(losses[1], rel=2e-4)
    expected = torch_engine.weights()
    for name, weights in numpy_engine.weights().items():
        assert not np.array_equal(weights, before[name]), name
        # Where a gradient is all but zero, its sign decides the step of most of these.
        close = np.isclose(weights, expected[name], rtol=1e-3, atol=2e-5)
        assert close.mean() > 0.97, name


@pytest.mark.parametrize("kind", KINDS)
def test_lower_precision_changes_little(kind):
    losses = []
    for precision in ("float32", "bfloat16"):
        config = dataclasses.replace(TINY, precision=precision, **KINDS[kind])
        machine = TorchEngine(config, config.shape(17))
        for batch in batches(5, 17, np.random.default_rng(0)):
            loss = machine.train_step(batch, 0.01)
        assert {w.dtype for w in machine.weights().values()} == {np.dtype(np.float32)}
        losses.append(float(loss))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[1] != losses[0]


@pytest.mark.parametrize("average_steps", [None, 5])
@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_a_snapshot_is_a_copy_and_restoring_it_repeats_the_steps(engine, average_steps):
    config = dataclasses.replace(
        TINY, engine=engine, dropout=0.4, num_layers=2, average_steps=average_steps
    )
    machine = make_engine(config, config.shape(17))
    some = list(batches(6, 17, np.random.default_rng(0)))
    for batch in some[:3]:
        machine.train_step(batch, 0.01)
    snapshot = machine.snapshot()
    runs = []
    for _ in range(2):
        losses = [float(machine.train_step(batch, 0.01)) for batch in some[3:]]
        runs.append((losses, machine.weights()))
        machine.restore(snapshot)
    assert runs[0][0] == runs[1][0]
    for name, weights in runs[0][1].items():
        np.testing.assert_array_equal(weights, runs[1][1][name])


def test_a_gradient_without_limits_is_left_as_it_is():
    losses = {}
    for limits in ({"grad_clip": 0.0}, {"grad_clip": None}, {"grad_clip": 1e-3}):
        for engine in ("torch", "numpy"):
            config = dataclasses.replace(TINY, optimizer="sgd", engine=engine, **limits)
            machine = make_engine(config, config.shape(17))
            for batch in batches(4, 17, np.random.default_rng(0)):
                losses[engine, limits["grad_clip"]] = float(machine.train_step(batch, 0.5))
    for engine in ("torch", "numpy"):
        assert losses[engine, 0.0] == losses[engine, None] < losses[engine, 1e-3]


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"device": "cuda"}, DeviceError), ({"precision": "bfloat16"}, SettingError)],
    ids=str,
)
def test_numpy_refuses_what_it_cannot_do(corpus, tmp_path, changes, error):
    with pytest.raises(error) as caught:
        trainer_of(corpus, tmp_path, engine="numpy", **changes)
    assert "--engine torch" in caught.value.advice


def test_the_flags_shape_the_model():
    config = dataclasses.replace(
        TINY, one_hot=True, output="gumbel", gumbel_tau=2.0, softmax_temperature=3.0
    )
    assert config.shape(17) == ModelConfig(
        arch="gru", vocab_size=17, embedding_dim=17, hidden_size=12, tied=False, one_hot=True,
        output="gumbel", gumbel_tau=2.0, softmax_temperature=3.0,
    )  # fmt: skip
    assert TINY.shape(17).tied
    assert not dataclasses.replace(TINY, tied=False).shape(17).tied


# Whole runs.


@pytest.mark.parametrize("kind", KINDS)
@architectures
def test_numpy_trains_a_model_that_either_engine_runs(corpus, tmp_path, arch, kind):
    trainer = trainer_of(
        corpus, tmp_path, arch=arch, engine="numpy", epochs=4, dropout=0.2, **KINDS[kind]
    )
    events = events_of(trainer)
    losses = [event.loss for event in events if isinstance(event, Progress)]
    assert losses[-1] < losses[0] - 0.15
    assert any(isinstance(event, Sampled) and event.poems for event in events)
    best = [e for e in events if isinstance(e, Validated) and e.is_best][-1].metrics
    model = load_model(tmp_path / "m.safetensors")
    assert model.training["engine"] == "numpy"
    assert model.training["numpy"] == np.__version__
    for network in (
        NumpyModel(model.config, model.weights),
        TorchStepper(build(model.config, model.weights)),
    ):
        again = evaluate(network, corpus.splits["validation"], corpus.vocabulary)
        assert again.loss_per_token == pytest.approx(best.loss_per_token, rel=2e-3)
        assert again.num_tokens == best.num_tokens


@pytest.mark.parametrize("kind", KINDS)
def test_torch_trains_a_model_that_numpy_runs(corpus, tmp_path, kind):
    trainer = trainer_of(corpus, tmp_path, arch="lstm", **KINDS[kind])
    events_of(trainer)
    model = load_model(tmp_path / "m.safetensors")
    network = NumpyModel(model.config, model.weights)
    again = evaluate(network, corpus.splits["validation"], corpus.vocabulary)
    assert again.loss_per_token == pytest.approx(trainer.best.loss_per_token, rel=2e-3)


def test_a_numpy_run_is_a_function_of_its_seed(corpus, tmp_path):
    runs = []
    for seed in (3, 3, 4):
        trainer = trainer_of(corpus, tmp_path, engine="numpy", seed=seed, dropout=0.3)
        events_of(trainer)
        runs.append(trainer.engine.weights())
    for name, weights in runs[0].items():
        np.testing.assert_array_equal(weights, runs[1][name])
        assert not np.array_equal(weights, runs[2][name])


def test_a_network_measures_as_the_model_does_and_in_parts(corpus, monkeypatch):
    model = LanguageModel(TINY.shape(len(corpus.vocabulary)), dropout=0.5)
    weights = {name: w.detach().numpy() for name, w in model.named_parameters()}
    found = []
    for rows in (1, 7, 1024):
        monkeypatch.setattr("poetgen.networks.numpy_model.LOSS_ROWS", rows)
        network = NumpyModel(model.config, weights)
        found.append(evaluate(network, corpus.splits["validation"], corpus.vocabulary))
    found.append(evaluate(TorchStepper(model), corpus.splits["validation"], corpus.vocabulary))
    for metrics in found:
        assert metrics.loss_per_token == pytest.approx(found[0].loss_per_token, rel=1e-5)
        assert metrics.num_hanzi == found[0].num_hanzi


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("limit", [None, 1.0])
def test_a_loss_that_is_no_number_is_an_error_and_not_a_warning(corpus, tmp_path, arch, limit):
    trainer = trainer_of(
        corpus, tmp_path, arch=arch, engine="numpy", optimizer="sgd", learning_rate=1e35,
        grad_clip=limit, warmup=0.0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DivergedError):
            events_of(trainer)


# The classic's measure.


def test_the_smoothed_loss_moves_by_a_thousandth_of_the_sum_over_a_window():
    counters = Counters()
    counters.smooth([2.0, 1.0], vocab_size=30, seq_len=25)
    first = 0.999 * math.log(30) * 25 + 0.001 * 50
    assert counters.smooth_loss == pytest.approx(0.999 * first + 0.001 * 25)
    split = Counters()
    for loss in (2.0, 1.0):
        split.smooth([loss], vocab_size=30, seq_len=25)
    assert split == counters


@pytest.mark.parametrize(
    ("changes", "is_told"),
    [
        ({"batching": "sequential", "batch_size": 1}, True),
        ({"batching": "sequential", "batch_size": 2}, False),
        ({"batching": "random", "batch_size": 1}, False),
        ({"batching": "poems"}, False),
    ],
    ids=str,
)
def test_one_strip_read_in_sequence_tells_the_smoothed_loss(corpus, tmp_path, changes, is_told):
    trainer = trainer_of(
        corpus, tmp_path, engine="numpy", one_hot=True, seq_len=9, max_tokens=900,
        optimizer="adagrad", learning_rate=0.1, schedule="constant", **changes,
    )  # fmt: skip
    told = [event for event in events_of(trainer) if isinstance(event, Progress)]
    assert all((event.smooth_loss is not None) == is_told for event in told)
    if is_told:
        begin = math.log(len(corpus.vocabulary)) * 9
        smooth = [event.smooth_loss for event in told]
        assert smooth[0] == pytest.approx(begin, rel=1e-3)
        assert begin > smooth[-1] > 0.9 * begin
