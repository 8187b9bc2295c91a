"""What training on a CPU does by hand is what torch does by itself."""

import contextlib

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from poetgen.config import TrainConfig
from poetgen.networks import torch_training
from poetgen.networks.torch_recurrence import GRU, RNN
from poetgen.networks.torch_training import Dropout, summed_cross_entropy
from poetgen.training import torch_engine
from poetgen.training.engine import model_config_of
from tests.tiny import tiny_batch

B, T, E, H, V = 3, 7, 4, 5, 11
PAIRS = [(RNN, torch.nn.RNN), (GRU, torch.nn.GRU)]


def draw(*shape, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def gradients_of(layers, x, state, weigh):
    """Outputs, last state, and the gradients by all weights, the input and the first state."""
    layers.zero_grad()
    x, state = x.clone().requires_grad_(), state.clone().requires_grad_()
    outputs, last = layers(x, state)
    ((outputs * weigh).sum() + last.square().sum()).backward()
    return [outputs, last, x.grad, state.grad, *(w.grad for w in layers.parameters())]


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=["rnn", "gru"])
def test_layers_by_hand_are_torchs(ours, theirs, num_layers):
    torch.manual_seed(0)
    by_hand = ours(E, H, num_layers, batch_first=True).double()
    own = theirs(E, H, num_layers, batch_first=True).double()
    own.load_state_dict(by_hand.state_dict())
    inputs = draw(B, T, E), draw(num_layers, B, H, seed=2), draw(B, T, H, seed=3)
    for found, expected in zip(
        gradients_of(by_hand, *inputs), gradients_of(own, *inputs), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=["rnn", "gru"])
def test_without_a_state_layers_begin_at_zero(ours, theirs):
    layers = ours(E, H, batch_first=True).double()
    outputs, last = layers(draw(B, T, E))
    expected, expected_last = layers(draw(B, T, E), torch.zeros(1, B, H).double())
    assert torch.equal(outputs, expected)
    assert torch.equal(last, expected_last)
    # Reading alone goes through torch's own kernels.
    with torch.no_grad():
        torch.testing.assert_close(layers(draw(B, T, E))[0], outputs, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=["rnn", "gru"])
def test_in_lower_precision_layers_stay_near(ours, theirs):
    torch.manual_seed(0)
    layers = ours(E, H, batch_first=True)
    inputs = draw(B, T, E).float(), draw(1, B, H).float(), draw(B, T, H).float()
    wide = gradients_of(layers, *inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = gradients_of(layers, *inputs)
    for found, expected in zip(low, wide, strict=True):
        assert found.dtype == torch.float32
        scale = expected.abs().max().item()
        torch.testing.assert_close(found, expected, rtol=0.05, atol=0.02 * scale)
        assert not torch.equal(found, expected)


# Several blocks of several parts, several parts, one, and a single row; and as a GPU has it.
@pytest.mark.parametrize("num_rows", [2100, 300, 128, 1, 0])
@pytest.mark.parametrize("rows_at_once", [torch_training._CPU_ROWS, torch_training._GPU_ROWS])
def test_the_summed_cross_entropy_is_torchs(num_rows, rows_at_once, monkeypatch):
    monkeypatch.setattr(torch_training, "_CPU_ROWS", rows_at_once)
    rows, matrix, bias = draw(num_rows, E), draw(V, E, seed=2), draw(V, seed=3)
    targets = torch.from_numpy(np.random.default_rng(4).integers(0, V, num_rows))
    by_hand = [x.clone().requires_grad_() for x in (rows, matrix, bias)]
    own = [x.clone().requires_grad_() for x in (rows, matrix, bias)]
    # Twice the loss, so that the factor before it counts, too.
    loss = 2 * summed_cross_entropy(*by_hand, targets)
    expected = 2 * F.cross_entropy(F.linear(*own), targets, reduction="sum")
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)
    for ours, theirs in zip(by_hand, own, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-11, atol=1e-13)


def test_a_hopeless_target_has_a_large_loss_and_not_an_infinite_one():
    rows, matrix = torch.tensor([[1.0]]), torch.tensor([[900.0], [0.0]])
    loss = summed_cross_entropy(rows, matrix, torch.zeros(2), torch.tensor([1]))
    assert loss.item() == pytest.approx(900)


@pytest.mark.parametrize("share", [0.2, 0.35, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(share):
    torch.manual_seed(3)
    dropout = Dropout(share)
    # No multiple of eight: the bytes come in words.
    x = torch.ones(101, 1003)
    kept = dropout(x)
    assert len(kept.unique()) == 2
    # Three standard deviations of so many draws, and 1/512 for the bytes.
    slack = 3 * (share * (1 - share) / x.numel()) ** 0.5
    assert (kept == 0).double().mean().item() == pytest.approx(share, abs=slack + 1 / 512)
    assert kept.mean().item() == pytest.approx(1, abs=slack / (1 - share))
    # Neighbours know nothing of each other, in either direction.
    zeros = (kept == 0).double()
    for one, other in ((zeros[:, 1:], zeros[:, :-1]), (zeros[1:], zeros[:-1])):
        together = (one * other).mean().item()
        assert together == pytest.approx(share**2, abs=0.01)
    assert not torch.equal(dropout(x), kept)
    torch.manual_seed(3)
    assert torch.equal(dropout(x), kept)


def test_dropout_leaves_a_reader_alone():
    x = torch.ones(5, 6)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


# A device that cannot be looked at stands in for a GPU: whoever asks it for a number, waits.


@pytest.fixture
def far_device(monkeypatch):
    """Let the engine compute on torch's meta device, which has shapes and no numbers."""
    monkeypatch.setattr(torch_engine, "pick_device", lambda wanted: "meta")
    # This device knows no lower precision.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda device: False)


@pytest.mark.parametrize("output", ["softmax", "gumbel"])
@pytest.mark.parametrize("arch", ["rnn", "gru", "lstm"])
def test_a_step_on_a_device_never_waits_for_it(far_device, arch, output):
    config = TrainConfig(
        arch=arch, precision="float32", hidden_size=H, embedding_dim=E, accumulate=2, output=output
    )
    engine = torch_engine.TorchEngine(config, model_config_of(config, V))
    rng = np.random.default_rng(5)
    for padding in (0, 3):
        loss = engine.train_step(tiny_batch([T - padding, *[T] * (B - 1)], V, rng), 0.01)
        assert loss.device.type == "meta"
    # And this is what waiting would look like.
    with pytest.raises(RuntimeError, match="meta"):
        float(loss)
