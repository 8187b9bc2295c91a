"""CPU speed-ups compute what torch computes."""

import contextlib
import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from poetgen.config import TrainConfig
from poetgen.networks import devices, torch_linear, torch_loss
from poetgen.networks.torch_dropout import Dropout
from poetgen.networks.torch_linear import can_pack, packed_linear
from poetgen.networks.torch_loss import cross_entropies, summed_cross_entropy
from poetgen.networks.torch_recurrence import GRU, LSTM, RNN
from poetgen.training import torch_engine
from tests.tiny import tiny_batch

B, T, E, H, V = 3, 7, 4, 5, 11
LAYERS = pytest.mark.parametrize("kind", [RNN, GRU, LSTM])


@pytest.fixture
def own_steps(monkeypatch):
    """Let the LSTM take its own steps in every precision, so that it can be compared exactly."""
    monkeypatch.setattr(LSTM, "uses_own_steps", GRU.uses_own_steps)


def torchs(layers):
    """The same layers, computed by torch."""
    twin = copy.deepcopy(layers)
    twin.uses_own_steps = lambda inputs: False
    return twin


def draw(*shape, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def state_of(kind, num_layers):
    """One array for h, and of the LSTM another for c."""
    h, c = draw(num_layers, B, H, seed=2), draw(num_layers, B, H, seed=4)
    return (h, c) if kind is LSTM else (h,)


def gradients_of(layers, x, state, weigh):
    """Outputs, last state, and the gradients by the input, the first state and all weights."""
    layers.zero_grad()
    x = x.clone().requires_grad_()
    firsts = tuple(part.clone().requires_grad_() for part in state)
    outputs, last = layers(x, firsts)
    # h and c count differently, so that they cannot stand for each other.
    of_last = sum(k * part.square().sum() for k, part in enumerate(last, start=1))
    ((outputs * weigh).sum() + of_last).backward()
    gradients = [part.grad for part in (x, *firsts, *layers.parameters())]
    return [outputs, *last, *gradients]


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@LAYERS
def test_the_own_steps_are_torchs(kind, num_layers, own_steps):
    torch.manual_seed(0)
    layers = kind(E, H, num_layers, batch_first=True).double()
    inputs = draw(B, T, E), state_of(kind, num_layers), draw(B, T, H, seed=3)
    for found, expected in zip(
        gradients_of(layers, *inputs), gradients_of(torchs(layers), *inputs), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


@LAYERS
def test_without_a_state_layers_start_at_zero(kind, own_steps):
    layers = kind(E, H, batch_first=True).double()
    zeros = tuple(torch.zeros_like(part) for part in state_of(kind, 1))
    outputs, last = layers(draw(B, T, E))
    expected, expected_last = layers(draw(B, T, E), zeros)
    assert torch.equal(outputs, expected)
    for part, expected_part in zip(last, expected_last, strict=True):
        assert torch.equal(part, expected_part)
    # Inference goes through torch's own kernels.
    with torch.no_grad():
        torch.testing.assert_close(layers(draw(B, T, E))[0], outputs, rtol=1e-11, atol=1e-12)


@LAYERS
def test_in_lower_precision_layers_stay_near(kind):
    torch.manual_seed(0)
    layers = kind(E, H, batch_first=True)
    state = tuple(part.float() for part in state_of(kind, 1))
    inputs = draw(B, T, E).float(), state, draw(B, T, H).float()
    wide = gradients_of(layers, *inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = gradients_of(layers, *inputs)
    for found, expected in zip(low, wide, strict=True):
        assert found.dtype == torch.float32
        scale = expected.abs().max().item()
        torch.testing.assert_close(found, expected, rtol=0.05, atol=0.02 * scale)
        assert not torch.equal(found, expected)


# Linear maps with a matrix that oneDNN has packed, and without oneDNN.


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("packing", [True, False])
def test_a_packed_linear_map_is_the_plain_product(dtype, packing, monkeypatch):
    if not packing:
        monkeypatch.setattr(torch_linear, "can_pack", lambda dtype: False)
    matrix, x, bias = draw(E, H).to(dtype), draw(B, H, seed=2), draw(E, seed=3).to(dtype)
    exact = x.to(dtype).double() @ matrix.double().T
    # Relative to the largest number; bfloat16 has 8 bits.
    slack = {torch.float64: 1e-14, torch.float32: 1e-5, torch.bfloat16: 1e-2}[dtype]
    # Of a transposed matrix, too, and with more rows than were announced.
    for given in (matrix, matrix.T.contiguous().T):
        for b, expected in ((None, exact), (bias, exact + bias.double())):
            found = packed_linear(given, num_rows=1, bias=b)(x)
            assert found.dtype == dtype
            assert (found.double() - expected).abs().max() <= slack * expected.abs().max()


def test_nothing_is_packed_that_onednn_cannot_multiply():
    assert not can_pack(torch.float64)
    assert not can_pack(torch.float16)


# The choice of bfloat16.


def test_auto_takes_bfloat16_where_the_cpu_promises_it_and_a_step_works(monkeypatch):
    model_config = TrainConfig().shape(V)
    for flags, works, expected in (
        (True, True, torch.bfloat16),
        (True, False, torch.float32),
        (False, True, torch.float32),
    ):
        monkeypatch.setattr(devices, "has_bfloat16_flags", lambda flags=flags: flags)
        monkeypatch.setattr(devices, "takes_a_step", lambda config, works=works: works)
        assert devices.pick_precision("auto", "cpu", model_config) == expected
    assert devices.pick_precision("bfloat16", "cpu", model_config) == torch.bfloat16
    assert devices.pick_precision("float32", "cpu", model_config) == torch.float32


@pytest.mark.parametrize("where", ["step", "instructions"])
@pytest.mark.parametrize("arch", ["rnn", "gru", "lstm"])
def test_where_the_library_fails_the_run_is_in_float32_and_says_so(arch, where, monkeypatch):
    """The library fails as it does under a hypervisor that hides the CPU's instructions."""

    def fail(*_):
        raise RuntimeError("could not create a primitive descriptor")

    monkeypatch.setattr(devices, "has_bfloat16_flags", lambda: True)
    monkeypatch.setattr(torch_engine, "has_bfloat16_flags", lambda: True)
    if where == "step":
        monkeypatch.setattr(devices, "multiplies_bfloat16", lambda: True)
        monkeypatch.setattr(devices.LanguageModel, "summed_loss", fail)
    else:
        monkeypatch.setattr(devices, "multiplies_bfloat16", lambda: False)
    before = torch.get_rng_state()
    config = TrainConfig(arch=arch, hidden_size=H, embedding_dim=E, threads=1)
    engine = torch_engine.TorchEngine(config, config.shape(V))
    assert engine.precision == "float32"
    assert "bfloat16" in engine.remark
    # A trial that works draws nothing from the run's random generator.
    monkeypatch.undo()
    torch.set_rng_state(before)
    devices.takes_a_step(config.shape(V))
    assert torch.equal(torch.get_rng_state(), before)


# Several blocks of several parts, several parts, one part, one row, none; as on a CPU and a GPU.
@pytest.mark.parametrize("num_rows", [2100, 300, 128, 1, 0])
@pytest.mark.parametrize("rows_at_once", [torch_loss.CPU_ROWS, torch_loss.GPU_ROWS])
def test_the_summed_cross_entropy_is_torchs(num_rows, rows_at_once, monkeypatch):
    monkeypatch.setattr(torch_loss, "CPU_ROWS", rows_at_once)
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


@pytest.mark.parametrize("num_rows", [300, 128, 1, 0])
def test_the_cross_entropy_of_each_row_is_torchs(num_rows):
    rows, matrix, bias = draw(num_rows, E), draw(V, E, seed=2), draw(V, seed=3)
    targets = torch.from_numpy(np.random.default_rng(4).integers(0, V, num_rows))
    expected = F.cross_entropy(F.linear(rows, matrix, bias), targets, reduction="none")
    found = cross_entropies(rows, matrix, bias, targets)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_a_hopeless_target_has_a_large_loss_and_not_an_infinite_one():
    rows, matrix = torch.tensor([[1.0]]), torch.tensor([[900.0], [0.0]])
    loss = summed_cross_entropy(rows, matrix, torch.zeros(2), torch.tensor([1]))
    assert loss.item() == pytest.approx(900)


@pytest.mark.parametrize("share", [0.2, 0.35, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(share):
    torch.manual_seed(3)
    dropout = Dropout(share)
    # Not a multiple of eight: the bytes are drawn in words.
    x = torch.ones(101, 1003)
    kept = dropout(x)
    assert len(kept.unique()) == 2
    # Three standard deviations of so many draws, and 1/512 for the bytes.
    slack = 3 * (share * (1 - share) / x.numel()) ** 0.5
    assert (kept == 0).double().mean().item() == pytest.approx(share, abs=slack + 1 / 512)
    assert kept.mean().item() == pytest.approx(1, abs=slack / (1 - share))
    # Neighbours are independent, in either direction.
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


# A device without numbers stands in for a GPU: reading a number from it would synchronise.


@pytest.fixture
def far_device(monkeypatch):
    """Let the engine compute on torch's meta device, which has shapes and no numbers."""
    monkeypatch.setattr(torch_engine, "pick_device", lambda wanted: "meta")
    # The meta device has no lower precision.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda device: False)


@pytest.mark.parametrize("output", ["softmax", "gumbel"])
@pytest.mark.parametrize("arch", ["rnn", "gru", "lstm"])
def test_a_step_on_a_device_never_synchronises(far_device, arch, output):
    config = TrainConfig(
        arch=arch, precision="float32", hidden_size=H, embedding_dim=E, accumulate=2, output=output
    )
    engine = torch_engine.TorchEngine(config, config.shape(V))
    rng = np.random.default_rng(5)
    for padding in (0, 3):
        loss = engine.train_step(tiny_batch([T - padding, *[T] * (B - 1)], V, rng), 0.01)
        assert loss.device.type == "meta"
    # This is what a synchronisation looks like.
    with pytest.raises(RuntimeError, match="meta"):
        float(loss)
